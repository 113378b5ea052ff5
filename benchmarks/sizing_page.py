"""The tables of ``docs/sizing.md``: what was measured, what follows, and what a loss does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.capacity import Plan, loss, plan
from benchmarks.cluster import Cluster, Death, simulate
from benchmarks.demand import Demand
from benchmarks.fit import sample
from benchmarks.measured import Figure, Measured
from docs.tables import between, table

PAGE = Path(__file__).parents[1] / "docs" / "sizing.md"
RESTART_S = 5.0
"""A process that was killed is back after so long, where something starts it again."""

RATES = (1_000, 10_000, 50_000, 200_000)
DELAYS = {"1 hour": 1 / 24, "1 day": 1.0, "30 days": 30.0}
UTILISATIONS = (0.5, 0.6, 0.7, 0.8, 0.9)
ROW_S = 1e-5
"""CPU of a row in the table of losses, which depends on how much of a core is used alone."""


def page(measured: Measured) -> dict[Path, str]:
    """The page with the tables that these figures give."""
    text = PAGE.read_text(encoding="utf-8")
    for name, head, rows in (
        ("figures", ("measured", "value", "from"), list(_figures(measured))),
        ("worked", _WORKED, list(_worked(measured))),
        ("loss", _LOSS, list(_losses())),
    ):
        text = between(text, name, table(head, rows))
    return {PAGE: text}


_WORKED = (
    "predictions/s",
    "truth after",
    "join.sample",
    "INGEST cores",
    "workers",
    "memory a worker",
    "partitions",
    "pending in each",
    "disk a worker",
    "Kafka disk",
    "Kafka cores",
    "DECIDE cores",
    "lag gone: restart",
    "lag gone: new disk",
)


def worked(measured: Measured) -> Iterator[tuple[Demand, Plan | None]]:
    """Demands with their clusters, None where there is none; and with a sample where one helps."""
    for rate in RATES:
        for days in DELAYS.values():
            demand = Demand(rate, label_days=days, lateness_days=min(1.0, days))
            try:
                yield demand, plan(demand, measured)
            except ValueError:
                yield demand, None
            advice = sample(demand, measured)
            if advice:
                yield advice.of(demand), plan(advice.of(demand), measured)


def _worked(measured: Measured) -> Iterator[tuple[str, ...]]:
    delays = {days: name for name, days in DELAYS.items()}
    for demand, made in worked(measured):
        share = f"{demand.sample:g}"
        if demand.sample < 1:
            share += f", others {demand.dedupe_days * 24:g} h"
        asked = f"{demand.events_per_second:,}", delays[demand.label_days], share
        if made is None:
            yield *asked, "no cluster holds it", *[""] * (len(_WORKED) - len(asked) - 1)
            continue
        decide = made.decide_cores
        yield (
            *asked,
            f"{made.ingest_cores:.1f}",
            f"{made.workers:,}",
            size(made.worker_bytes),
            f"{made.partitions:,}",
            f"{demand.pending / made.partitions / 1e6:,.0f} M",
            size(made.worker_disk_bytes),
            size(sum(made.kafka_bytes.values())),
            f"{made.kafka_cores:.1f}",
            "not measured"
            if decide is None
            else f"{decide:.1f}" + ", TOO MUCH" * made.decide_overloaded,
            duration(loss(made, back_after_s=RESTART_S).caught_up_s),
            duration(loss(made).caught_up_s) if made.workers > 1 else "no other worker",
        )


_LOSS = ("core used", "restart after 5 s", "lost, nothing to rebuild", "and 30 s to rebuild each")


def _losses() -> Iterator[tuple[str, ...]]:
    """64 partitions over 16 workers, whatever a row takes."""
    for used in UTILISATIONS:
        cluster = Cluster(64, 16, rows_per_second=used * 16 / ROW_S, row_s=ROW_S)
        slow = replace(cluster, rebuild_s=30.0)
        yield (
            f"{used:g}",
            *(
                duration(simulate(one, seconds=3_600, step_s=0.2, death=death).caught_up_s)
                for one, death in (
                    (cluster, Death(30, RESTART_S)),
                    (cluster, Death(30)),
                    (slow, Death(30)),
                )
            ),
        )


def _figures(measured: Measured) -> Iterator[tuple[str, ...]]:
    for features in (8, 30):
        for what, each in (("JSON", measured.json_us), ("Arrow", measured.arrow_us)):
            figure = each.at(features)
            yield (
                f"CPU of INGEST, prediction of {features} features, {what}",
                f"{figure.value:.2f} µs",
                figure.source,
            )
    for what, micro in (
        ("CPU of INGEST, truth", measured.truth_us),
        ("the same, more if its prediction is on disk", measured.truth_far_us),
        ("CPU of INGEST, pane of inputs in a checkpoint, at most", measured.input_pane_us),
        ("CPU of INGEST, pane of labels in a checkpoint", measured.label_pane_us),
        ("CPU of INGEST, checkpoint with little in it, and its polls", measured.checkpoint_us),
        ("CPU of DECIDE, pane that arrives", measured.apply_us),
        ("CPU of DECIDE, window of a stream", measured.window_us),
        ("CPU of a broker, truth", measured.truth_broker_us),
        ("CPU of a broker, JSON prediction of 30 features", measured.json_broker_us.at(30)),
    ):
        yield (what, f"{micro.value:.2f} µs", micro.source) if micro else (what, "not measured", "")
    for what, amount in (
        ("Kafka, JSON prediction of 30 features", measured.json_bytes.at(30)),
        ("Kafka, the same in Arrow", measured.arrow_bytes.at(30)),
        ("Kafka, truth", measured.truth_bytes),
        ("Kafka, join log of a prediction and its truth", measured.join_bytes),
        ("Kafka, pane of inputs of 30 features", measured.input_pane_bytes.at(30)),
        ("Kafka, pane of labels", measured.label_pane_bytes),
        ("disk of INGEST, prediction that waits", measured.pending_bytes),
        ("disk of INGEST, truth of one that waits", measured.label_bytes),
    ):
        yield (what, f"{amount.value:.0f} bytes", amount.source)
    own = measured.worker_mb
    yield ("memory of INGEST at most, hash indices left out", f"{own.value:.0f} MB", own.source)
    rebuilt = measured.rebuild_rows_per_second
    yield ("rebuilt from the join log", f"{rebuilt.value:,.0f} rows/s", rebuilt.source)


def us(what: str, figure: Figure) -> str:
    """A figure for people."""
    return f"{what} {figure.value:.2f} µs ({figure.source})"


def size(count: float) -> str:
    """Bytes for people.

    Examples
    --------
    >>> size(999), size(1.5e6), size(58e12)
    ('999 B', '1.5 MB', '58 TB')
    """
    for unit, factor in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count:.0f} B"


def duration(seconds: float | None) -> str:
    """Seconds for people.

    Examples
    --------
    >>> duration(41.2), duration(600), duration(None)
    ('41 s', '10 min', 'never')
    """
    if seconds is None:
        return "never"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"

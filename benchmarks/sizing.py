"""How large a cluster must be for so many events a second, and what it costs at your prices.

``python -m benchmarks.sizing --events-per-second 50000 --features 30 --label-days 14`` prints each
quantity with its formula and the stored result it rests on; nothing is run. Those results are of
one small machine: `python -m benchmarks.scale` and the other parts measure yours. ``--write`` puts
the tables into ``docs/sizing.md``, ``--check`` compares.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.arguments import real, whole
from benchmarks.capacity import SPARE_DISK, Plan, Prices, loss, plan
from benchmarks.demand import DAY_S, Demand
from benchmarks.fit import MOST_SHARDS, ROW_BYTES, SHARD_ROWS, sample
from benchmarks.measured import RESULTS, Measured, NotMeasured, read
from benchmarks.sizing_page import RESTART_S, duration, page, size, us
from schemas import generated

PLACEHOLDERS = Prices(core_hour=0.05, gb_month=0.10)
"""Nobody's prices: they only let the last line show how it is worked out."""


class Line(NamedTuple):
    """A quantity, its formula, and what was measured for it."""

    what: str
    value: str
    formula: str
    figures: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a plan, or write or compare the page; 1 if that differs or a figure is missing."""
    options = _parser().parse_args(arguments)
    try:
        measured = read(options.results)
        if options.write or options.check:
            how = "--write" if options.write else "--check"
            return generated.main(page(measured), [how], module="benchmarks.sizing")
        demand, given = _demand(options), (options.partitions, options.workers)
        made = plan(demand, measured, partitions=given[0], workers=given[1])
    except (NotMeasured, ValueError) as error:
        print(error)
        return 1
    for line in lines(made, measured, advised=given == (None, None)):
        print(f"{line.what:34} {line.value:>14}  {line.formula}")
        if line.figures:
            print(f"{'':49}  {line.figures}")
    prices = Prices(options.price_core_hour, options.price_gb_month)
    note = " (PLACEHOLDER prices: give your own)" * (prices == PLACEHOLDERS)
    print(f"{'cost a day' + note}: {made.cost_a_day(prices):,.2f}")
    print(
        f"  = 24 × {made.cores:.1f} cores, of which {made.workers:,} with {demand.memory_gb:g} GB"
        f" of memory each, × {prices.core_hour} + {size(made.disk_bytes)} of disk"
        f" × {prices.gb_month} a GB and month; traffic is not in it"
    )
    return 0


def lines(made: Plan, measured: Measured, *, advised: bool = True) -> Iterator[Line]:
    """Everything about a cluster, one quantity in each; ``advised`` if a sample would shrink it."""
    demand = made.demand
    row, name = (measured.arrow_us, "Arrow row") if demand.arrow else (measured.json_us, "JSON row")
    yield Line(
        "INGEST, cores used",
        f"{made.ingest_cores:.2f}",
        "predictions/s × prediction + truths/s × truth + panes/s × pane + workers × own",
        "; ".join(
            (
                us(f"{name} of {demand.features} features", row.at(demand.features)),
                us("truth", measured.truth_us),
                us("its prediction on disk", measured.truth_far_us),
                us("pane of inputs", measured.input_pane_us),
                us("pane of labels", measured.label_pane_us),
                us("checkpoint", measured.checkpoint_us),
                f"idle {measured.idle_cores.value:.3f} cores ({measured.idle_cores.source})",
            )
        ),
    )
    yield Line(
        "INGEST workers",
        f"{made.workers:,}",
        f"the busiest uses {made.busiest:.2f} of its core, at most {demand.utilisation:g};"
        f" {size(made.worker_bytes)} of memory, at most {demand.memory_gb:g} GB",
        "",
    )
    yield Line(
        "partitions (shards)",
        f"{made.partitions:,}",
        "a power of two, at least twice the workers: workers can double, partitions cannot change",
        f"pending ÷ {SHARD_ROWS:,} at least: a shard holds no more"
        f" ({demand.pending / made.partitions:,.0f} pending in each)",
    )
    yield Line(
        "panes in summaries, a second",
        f"{made.input_panes + made.label_panes:,.0f}",
        "shards ÷ checkpoint × panes that the rows of a checkpoint of a shard fall into",
        f"{made.input_panes:,.0f} of inputs, {made.label_panes:,.0f} of labels",
    )
    yield Line(
        "predictions pending",
        f"{demand.pending:,.0f}",
        "predictions/s × 86,400 × days that each waits",
        _waits(demand),
    )
    advice = sample(demand, measured) if advised else None
    if advice:
        yield Line(
            "advice: join.sample",
            f"{advice.share:g}",
            "in the policy: then what waits takes no more workers than rows do",
            str(advice),
        )
    own = made.fit.fullest
    yield Line(
        "memory of an INGEST worker",
        size(made.worker_bytes),
        f"own + pending ÷ partitions × {ROW_BYTES:g} bytes × ({own} it owns + 1 being rebuilt)",
        f"own {size(1e6 * measured.worker_mb.value)} at most ({measured.worker_mb.source})",
    )
    yield Line(
        "local disk of an INGEST worker",
        size(made.worker_disk_bytes),
        f"(pending × bytes + truths of it × bytes) ÷ workers × {SPARE_DISK:g} for compaction",
        f"{measured.pending_bytes.value:.1f} and {measured.label_bytes.value:.1f} bytes"
        f" ({measured.pending_bytes.source})",
    )
    yield from _after_a_loss(made, measured)
    for topic, amount in made.kafka_bytes.items():
        days = 7 if topic == "summaries" else max(demand.kept_days, demand.waits_days)
        yield Line(
            f"Kafka disk, {topic}",
            size(amount),
            f"bytes/s × {DAY_S:,} × {days:g} days × {demand.replicas} replicas",
            _bytes_of(topic, demand, measured),
        )
    for what, amount in made.network.items():
        yield Line(f"network, {what}", size(amount) + "/s", "bytes/s of the topics", "")
    yield Line(
        "Kafka brokers, cores used",
        f"{made.kafka_cores:.2f}",
        "(predictions/s × prediction + truths/s × truth) × replicas",
        f"a broker's CPU for all that INGEST reads and writes ({measured.truth_broker_us.source})",
    )
    yield from _decide(made, measured)


def _waits(demand: Demand) -> str:
    waits = (
        f"{demand.label_days:g} of labels.horizon + {demand.lateness_days:g} of labels.lateness"
        " + an hour, labelled or not"
    )
    if demand.sample < 1:
        waits += f": {demand.sample:g} of all; the others {demand.dedupe_days:g} (dedupe.horizon)"
    return waits


def _after_a_loss(made: Plan, measured: Measured) -> Iterator[Line]:
    rate = measured.rebuild_rows_per_second
    yield Line(
        "lag gone after a kill, same disk",
        duration(loss(made, back_after_s=RESTART_S).caught_up_s),
        f"simulated: a worker is back after {RESTART_S:g} s",
        "",
    )
    yield Line(
        "lag gone after a worker is lost",
        duration(loss(made).caught_up_s),
        "simulated: 10 s of session, then the others rebuild its partitions",
        f"{rate.value:,.0f} predictions rebuilt a second ({rate.source})",
    )


def _decide(made: Plan, measured: Measured) -> Iterator[Line]:
    if made.decide_cores is None or measured.apply_us is None or measured.window_us is None:
        yield Line(
            "DECIDE, cores used", "not measured", "not in the cost", "python -m benchmarks.decide"
        )
    else:
        short = " — TOO MUCH for its models: longer checkpoints" * made.decide_overloaded
        yield Line(
            "DECIDE, cores used",
            f"{made.decide_cores:.2f}",
            f"panes/s × pane + windows/s × window; at most one worker a model{short}",
            f"{us('pane', measured.apply_us)}; {us('window of a stream', measured.window_us)}",
        )
    yield Line(
        "DECIDE, panes in memory",
        size(made.decide_bytes),
        "(days that each waits ÷ pane + 1) × (streams × 2 parts × 550 + entries × 5 bytes)",
        "docs/operations.md, Memory",
    )


def _bytes_of(topic: str, demand: Demand, measured: Measured) -> str:
    row = measured.arrow_bytes if demand.arrow else measured.json_bytes
    pane = measured.input_pane_bytes.at(demand.features)
    found = {
        "predictions": row.at(demand.features),
        "feedback": measured.truth_bytes,
        "state.join": measured.join_bytes,
    }
    if topic in found:
        return f"{found[topic].value:.0f} bytes a row, compressed ({found[topic].source})"
    label = measured.label_pane_bytes
    return f"{pane.value:.0f} and {label.value:.0f} bytes a pane ({label.source})"


def _demand(options: argparse.Namespace) -> Demand:
    return Demand(
        events_per_second=options.events_per_second,
        features=options.features,
        segments=options.segments,
        label_days=options.label_days,
        lateness_days=options.lateness_days,
        labelled=options.labelled,
        sample=options.sample,
        dedupe_days=options.dedupe_days,
        arrow=options.arrow,
        models=options.models,
        pane_s=options.pane_seconds,
        checkpoint_s=options.checkpoint_seconds,
        utilisation=options.utilisation,
        memory_gb=options.memory_gb,
        kept_days=options.kept_days,
        replicas=options.replicas,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description=__doc__)
    default = Demand(0)
    add = parser.add_argument
    positive, share = real(above=0), real(least=0, most=1)
    add("--events-per-second", type=positive, default=10_000, help="predictions, when busiest")
    add("--features", type=whole(least=1), default=default.features, help="with a reference")
    add("--segments", type=whole(least=0), default=default.segments, help="values of the key")
    add("--label-days", type=positive, default=default.label_days, help="labels.horizon")
    add("--lateness-days", type=real(least=0), default=default.lateness_days, help="of labels")
    add("--labelled", type=share, default=default.labelled, help="share that gets a truth")
    add("--sample", type=real(above=0, most=1), default=default.sample, help="join.sample")
    add("--dedupe-days", type=positive, default=default.dedupe_days, help="dedupe.horizon")
    add("--arrow", action="store_true", help="predictions come in Arrow batches")
    add("--models", type=whole(least=1), default=default.models, help="with equal traffic")
    add("--pane-seconds", type=positive, default=default.pane_s)
    add("--checkpoint-seconds", type=positive, default=default.checkpoint_s)
    add("--utilisation", type=real(above=0, most=1), default=default.utilisation, help="of a core")
    add("--memory-gb", type=positive, default=default.memory_gb, help="of an INGEST worker")
    add("--kept-days", type=real(least=0), default=default.kept_days, help="on Kafka")
    add("--replicas", type=whole(least=1), default=default.replicas)
    shards = whole(least=1, most=MOST_SHARDS, power_of_two=True)
    add("--partitions", type=shards, help="instead of what suits")
    add("--workers", type=whole(least=1), help="instead of what suits")
    add("--price-core-hour", type=real(least=0), default=PLACEHOLDERS.core_hour, help="yours")
    add("--price-gb-month", type=real(least=0), default=PLACEHOLDERS.gb_month, help="yours")
    add("--results", type=Path, default=RESULTS, help="folder of stored results")
    add("--write", action="store_true", help="write the tables of docs/sizing.md")
    add("--check", action="store_true", help="compare them")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

"""What parts of a cluster were measured to cost, read from ``benchmarks/results``.

A figure knows where it stands, so that every line that rests on it can say so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.figures import at
from streams.ingest.store.hash_index import FULL

RESULTS = Path(__file__).parent / "results"


class NotMeasured(LookupError):
    """No stored result has a figure."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value and the file it is from."""

    value: float
    source: str


@dataclass(frozen=True, slots=True)
class ByFeatures:
    """A figure that grows with the number of features, from two numbers of them.

    Examples
    --------
    >>> ByFeatures({8: 6.0, 30: 17.0}, "scale.json").at(20).value
    12.0
    """

    points: dict[int, float]
    source: str

    def at(self, features: int) -> Figure:
        """On the straight line through both points, and never below zero."""
        (few, low), (many, high) = sorted(self.points.items())
        slope = (high - low) / (many - few)
        return Figure(max(0.0, low + slope * (features - few)), self.source)


@dataclass(frozen=True, slots=True)
class Measured:
    """CPU in microseconds of one core, bytes as Kafka or RocksDB keep them.

    Parameters
    ----------
    json_us, arrow_us, truth_us
        INGEST, for a prediction in either form, and for a truth whose prediction is in memory.
    truth_far_us
        On top for one that is not.
    input_pane_us, label_pane_us
        INGEST, for each pane in a checkpoint of a shard.
    json_broker_us, arrow_broker_us, truth_broker_us
        The broker, for the same, everything that INGEST writes included.
    json_bytes, arrow_bytes, truth_bytes, join_bytes
        On Kafka: of a prediction, a truth, and what both leave in the join log.
    input_pane_bytes, label_pane_bytes
        On Kafka: a pane in ``summaries``.
    pending_bytes, label_bytes
        On the worker's disk: a prediction that waits, and a truth of it.
    rebuild_rows_per_second
        Predictions that one core restores from the join log.
    checkpoint_us, idle_cores
        INGEST, for a checkpoint with little in it and the polls before it, and with nothing to do.
    worker_mb
        Most memory of a process, its hash indices left out.
    apply_us, window_us
        DECIDE, for a pane that arrives and for a window of a stream; None if not measured.
    """

    json_us: ByFeatures
    arrow_us: ByFeatures
    truth_us: Figure
    truth_far_us: Figure
    input_pane_us: Figure
    label_pane_us: Figure
    json_broker_us: ByFeatures
    arrow_broker_us: ByFeatures
    truth_broker_us: Figure
    json_bytes: ByFeatures
    arrow_bytes: ByFeatures
    truth_bytes: Figure
    join_bytes: Figure
    input_pane_bytes: ByFeatures
    label_pane_bytes: Figure
    pending_bytes: Figure
    label_bytes: Figure
    rebuild_rows_per_second: Figure
    checkpoint_us: Figure
    idle_cores: Figure
    worker_mb: Figure
    apply_us: Figure | None
    window_us: Figure | None


def read(results: Path = RESULTS) -> Measured:
    """All figures of stored results; medians where there are several runs.

    Raises
    ------
    NotMeasured
        If one is missing that everything rests on; it says which benchmark to run.
    """
    scale, store = _Part(results, "scale"), _Part(results, "store")
    many, pending = _Part(results, "many"), _Part(results, "pending")
    truth, spread = "parts/truth/", "parts/truth, one pane a second/"
    panes = scale.one(spread + "panes/median") - scale.one(truth + "panes/median")

    def by_features(kind: str, key: str) -> ByFeatures:
        points = {n: scale.one(f"parts/{kind}, {n} features/{key}/median") for n in (8, 30)}
        return ByFeatures(points, scale.source)

    def a_pane(what: str) -> float:
        """What a truth costs more where it belongs to a pane of its own, for each pane."""
        more = scale.one(spread + what) - scale.one(truth + what)
        return max(0.0, more / panes)

    summaries = by_features("JSON", "summaries_bytes").points
    input_bytes = {n: _pane_bytes(scale) * each / summaries[8] for n, each in summaries.items()}
    join = by_features("JSON", "state.join_bytes").points[8]
    return Measured(
        json_us=by_features("JSON", "cpu_us"),
        arrow_us=by_features("Arrow", "cpu_us"),
        truth_us=scale.figure(scale.one(truth + "cpu_us/median")),
        truth_far_us=store.figure(_far(store)),
        input_pane_us=many.figure(_many_panes(many)),
        label_pane_us=scale.figure(a_pane("cpu_us/median")),
        json_broker_us=by_features("JSON", "broker_us"),
        arrow_broker_us=by_features("Arrow", "broker_us"),
        truth_broker_us=scale.figure(scale.one(truth + "broker_us/median")),
        json_bytes=by_features("JSON", "predictions_bytes"),
        arrow_bytes=by_features("Arrow", "predictions_bytes"),
        truth_bytes=scale.figure(scale.one(truth + "feedback_bytes/median")),
        join_bytes=scale.figure(join + scale.one(truth + "state.join_bytes/median")),
        input_pane_bytes=ByFeatures(input_bytes, scale.source),
        label_pane_bytes=scale.figure(a_pane("summaries_bytes/median")),
        pending_bytes=store.figure(1e6 * store.one("figures/disk, MB") / store.one("predictions")),
        label_bytes=store.figure(store.one("figures/disk, bytes a label")),
        rebuild_rows_per_second=store.figure(
            store.one("figures/rebuild from the log, predictions a second")
        ),
        checkpoint_us=scale.figure(scale.one("checkpoint_us")),
        idle_cores=scale.figure(scale.one("idle_cores")),
        worker_mb=pending.figure(pending.one("peak_mb") - _least_index_mb(pending.one("pending"))),
        **_decide(results),
    )


def _pane_bytes(scale: _Part) -> float:
    """A pane of inputs of 8 features, from rounds of one worker: of a row there are very few."""
    sizes, panes = (scale.all(f"workers/1/*/{what}") for what in ("summaries_bytes", "panes"))
    return median(size / each for size, each in zip(sizes, panes, strict=True))


def _least_index_mb(pending: float) -> float:
    """What slots of so many predictions take where the table is as full as it may be."""
    return pending * 8 / FULL / 1e6


def _far(store: _Part) -> float:
    """Looking a truth's prediction up and changing it anywhere, against in order."""
    near, far = (
        store.one(f"figures/find {where}, us a label")
        + store.one(f"figures/change and checkpoint {where}, us a label")
        for where in ("in order", "at random")
    )
    return max(0.0, far - near)


def _many_panes(many: _Part) -> float:
    """What rows of many models take more than rows of one, for each pane in a checkpoint.

    Runs are pairs: of one model, and of many.
    """
    rows = many.one("rows")
    rates = many.all("runs/*/*/rows_per_cpu_second")
    checkpoints, panes = (many.all(f"runs/*/*/{what}")[1::2] for what in ("checkpoints", "panes"))
    return median(
        1e6 * rows * (1 / rate - 1 / alone) / (written * each)
        for alone, rate, written, each in zip(
            rates[::2], rates[1::2], checkpoints, panes, strict=True
        )
    )


def _decide(results: Path) -> dict[str, Figure | None]:
    """Of the shape with many streams, each of which has two panes and a window at a time."""
    try:
        decide = _Part(results, "decide")
        shape = "windows/many streams/"
        apply_ms, whole_ms = (decide.one(f"{shape}{key}/median") for key in ("apply", "window"))
    except NotMeasured:
        return {"apply_us": None, "window_us": None}
    return {
        "apply_us": decide.figure(1e3 * apply_ms / (2 * DECIDE_STREAMS)),
        "window_us": decide.figure(1e3 * (whole_ms - apply_ms) / DECIDE_STREAMS),
    }


DECIDE_STREAMS = 476 * 21
"""Streams of "many streams" in `benchmarks.decide`; a test holds it equal."""


class _Part:
    """A stored result."""

    def __init__(self, results: Path, name: str) -> None:
        self.source = f"{name}.json"
        self._name = name
        try:
            self._stored = json.loads((results / self.source).read_text())
        except (OSError, ValueError) as error:
            raise self._missing(error) from error

    def all(self, path: str) -> list[float]:
        """Every figure under a path, as `figures.at` reads it."""
        try:
            return at(self._stored, path)
        except LookupError as error:
            raise self._missing(error) from error

    def one(self, path: str) -> float:
        """The figure under a path."""
        found = self.all(path)
        if len(found) != 1:
            raise self._missing(f"{len(found)} figures under {path!r}")
        return found[0]

    def figure(self, value: float) -> Figure:
        """A value that was worked out of this part."""
        return Figure(value, self.source)

    def _missing(self, why: object) -> NotMeasured:
        return NotMeasured(f"{self.source}: {why}; run python -m benchmarks.{self._name}")

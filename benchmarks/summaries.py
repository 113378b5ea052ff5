"""What INGEST would say of many models: summaries of their panes, without INGEST."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from detectors.arrays import FloatArray
from detectors.latency.ddsketch import BUCKETS
from detectors.outcomes import calibration
from detectors.summary import CellBuilder, Ints, scatter, sparse
from schemas.policy import Activation, Budgets, Labels, Policy, PolicyRecord, Task
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from schemas.summaries import Mark, PaneDelta, Part, SummaryBatch
from streams.control import Control
from streams.decide.measure.histograms import SCORE, reference_counts
from streams.decide.subject import Subject, subject_of

MINUTE_MS = 60_000
START_MS = 1_750_000_020_000
ROWS = 200
"""Predictions of a stream in a window, each with its label."""

MATURITY = 2
"""After so many windows labels are judged."""

KINDS = 16
"""Different panes of a kind of stream: their content changes from window to window."""

Entries = tuple[list[int], list[int]]


@dataclass(frozen=True)
class Shape:
    """How many models there are, and what each has; labels are waited for ``horizon`` windows."""

    name: str
    models: int
    segments: int = 0
    features: int = 0
    horizon: int = 2

    @property
    def streams(self) -> int:
        """Streams of all models."""
        return self.models * (1 + self.segments)


class Fleet:
    """Models of one shape, each under a policy of its own, and their summaries.

    Each has windows of a minute. ``control`` knows them all.

    Examples
    --------
    >>> fleet = Fleet(Shape("two models, three streams each", models=2, segments=2))
    >>> [delta.segment for delta in fleet.window(0, Part.INPUT)]
    ['', 'k=1', 'k=2', '', 'k=1', 'k=2']
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.control = Control()
        self._sequence = 0
        rng = np.random.default_rng(1)
        profile = _reference(shape, rng)
        self._policies = [policy(shape, number) for number in range(shape.models)]
        self._rules = [self._announce(one, profile) for one in self._policies]
        self.subjects = [
            subject_of(self._policies[0], profile, whole=whole, key="" if whole else "k")
            for whole in (True, False)
        ]
        self._entries = [[_entries(one, rng) for _ in range(KINDS)] for one in self.subjects]

    def window(self, number: int, part: Part) -> list[PaneDelta]:
        """What a part of one window of every stream holds."""
        return [
            self.delta(model, segment, number, part)
            for model in range(self.shape.models)
            for segment in range(1 + self.shape.segments)
        ]

    def delta(self, model: int, segment: int, number: int, part: Part) -> PaneDelta:
        """The same of one stream; segment 0 is the stream of all."""
        kinds = self._entries[segment > 0]
        rules = self._rules[model]
        return PaneDelta(
            self._policies[model].model,
            "v1",
            "baseline",
            f"k={segment}" if segment else "",
            *rules,
            START_MS + number * MINUTE_MS,
            part,
            *kinds[(model + segment + number) % KINDS][part],
        )

    def batch(self, number: int, panes: Iterable[PaneDelta] = ()) -> SummaryBatch:
        """Panes, and marks by which the windows before one are complete."""
        self._sequence += 1
        now_ms = START_MS + number * MINUTE_MS + 1_000
        mark = Mark(shard=0, shards=1, predictions_ms=now_ms, labels_ms=now_ms)
        return SummaryBatch(0, 0, self._sequence, list(panes), mark, {"predictions": number})

    def _announce(self, own: Policy, profile: ReferenceProfile | None) -> tuple[str, str]:
        known = None if profile is None else profile.model_copy(update={"model": own.model})
        reference = None if known is None else known.hash
        start = Activation(model=own.model, policy=own.hash, reference=reference, effective_at_ms=0)
        record = PolicyRecord(hash=own.hash, policy=own)
        for topic, said in (("policies", record), ("policies", start), ("references", known)):
            if said is not None:
                self.control.apply(topic, said.model_dump_json().encode())
        return own.hash, reference or ""


def policy(shape: Shape, number: int) -> Policy:
    """The policy of one model."""
    return Policy(
        model=f"model-{number}",
        task=Task.BINARY,
        pane="1m",
        lateness="1s",
        labels=Labels(maturity=f"{MATURITY}m", horizon=f"{shape.horizon}m", lateness="1s"),
        segments=["k"] if shape.segments else [],
        budgets=Budgets(error_rate=0.2, service_errors=0.05, brier=0.3),
    )


def _reference(shape: Shape, rng: np.random.Generator) -> ReferenceProfile | None:
    if not shape.features:
        return None
    columns = {f"f{i}": rng.normal(size=5_000).tolist() for i in range(shape.features)}
    return build("model", columns, score=rng.beta(1, 6, 5_000).tolist(), source="benchmark")


def _entries(subject: Subject, rng: np.random.Generator) -> dict[Part, Entries]:
    """A pane of healthy rows: features as in the reference, truths as the scores say."""
    return {Part.INPUT: sparse(_inputs(subject, rng)), Part.LABEL: sparse(_labels(subject, rng))}


def _inputs(subject: Subject, rng: np.random.Generator) -> Ints:
    layout = subject.inputs
    vector = layout.zeros()
    known: dict[str, int | Ints] = {
        "n": ROWS,
        "latency_n": ROWS,
        "score_n": ROWS,
        "n_error": rng.binomial(ROWS, 0.01),
    }
    known["latency"] = np.bincount(rng.binomial(BUCKETS, 0.4, ROWS), minlength=BUCKETS)
    known["score"] = _drawn(reference_counts(subject, SCORE), layout.slices["score"], rng)
    for feature in subject.features:
        known[f"{feature.name}:n"] = ROWS
        place = layout.slices[f"{feature.name}:hist"]
        counts = reference_counts(subject, feature.name)
        known[f"{feature.name}:hist"] = _drawn(counts, place, rng)
    for name, values in known.items():
        vector[layout.slices[name]] = values
    return vector


def _drawn(counts: FloatArray | None, place: slice, rng: np.random.Generator) -> Ints:
    """A histogram of as many rows, as the reference has them, or alike in each bin."""
    shares = np.ones(place.stop - place.start) if counts is None else counts
    drawn: Ints = rng.multinomial(ROWS, shares / shares.sum())
    return drawn


def _labels(subject: Subject, rng: np.random.Generator) -> Ints:
    layout = subject.labels
    cells, rows = CellBuilder(layout), np.arange(ROWS)
    scores = rng.beta(1, 6, ROWS)
    truth = (rng.random(ROWS) < scores).astype(np.float64)
    calibration.add(cells, rows, scores, truth)
    cells.ones("n", rows)
    cells.ones("delay", rows, rng.integers(0, 2, ROWS))
    decided = scores >= 0.5
    for name, chosen in (
        ("err", decided != (truth > 0.5)),
        ("tp", decided & (truth > 0.5)),
        ("fp", decided & (truth < 0.5)),
        ("fn", ~decided & (truth > 0.5)),
        ("tn", ~decided & (truth < 0.5)),
    ):
        cells.ones(name, rows[chosen])
    same = np.zeros(ROWS, np.int64)
    total: Ints = scatter(cells.build(), same, same + 1, 1, layout.size)[0]
    return total

"""What a pane keeps of the predictions themselves: features, score, latency, counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np

from detectors.answers import answers_of
from detectors.embeddings.columns import columns_of
from detectors.outcomes.contract import text
from detectors.summary import CellBuilder, Field, Floats, Ints, Layout, quantise
from schemas.policy import FeatureContract, FeatureType, Policy, Task
from schemas.reference import (
    PROBABILITY_BINS,
    CategoricalReference,
    NumericReference,
    ReferenceProfile,
)

Value = bool | int | float | str | None

CLIP_SD = 20.0
SCORE_BINS = 20
REPEAT_BUCKETS = 1_024
LATENCY_BUCKETS = 391
"""Buckets of `detectors.latency.ddsketch`."""

COUNTS = (
    "n",
    "n_error",
    "n_positive",
    "n_unusable",
    "n_violation",
    "n_duplicate",
    "n_stray",
    "latency_n",
    "latency_over",
    "n_pair",
    "n_pair_met",
)


NO_ROWS: Ints = np.zeros(0, np.int64)


class Marked(NamedTuple):
    """Rows of a column that break the contract, and rows with a value outside of what the
    reference has seen."""

    broken: Ints
    outside: Ints


@dataclass(frozen=True)
class NumericFeature:
    """A numeric feature as it is checked and binned.

    ``edges`` is empty and ``mean``, ``sd`` are 0, 1 without a reference.
    """

    name: str
    contract: FeatureContract
    reference: NumericReference | None

    @property
    def bins(self) -> int:
        """Number of histogram bins."""
        return len(self.reference.counts) if self.reference else 0

    def fields(self) -> tuple[Field, ...]:
        """Fields of the feature in a pane."""
        marks = tuple(Field(f"{self.name}:{m}") for m in ("n", "missing", "invalid", "out"))
        if self.range is not None:
            low, high = self.range
            marks += tuple(Field(f"{self.name}:{m}", 1, True, low, high) for m in ("u", "u2"))
        if self.reference is None:
            return marks
        sums = (Field(f"{self.name}:s1", fixed=True), Field(f"{self.name}:s2", fixed=True))
        return (*marks, *sums, Field(f"{self.name}:hist", self.bins))

    @property
    def range(self) -> tuple[float, float] | None:
        """The range of a value whose mean has a level; None where it has none."""
        contract = self.contract
        if contract.max_mean is None and contract.min_mean is None:
            return None
        if contract.min is None or contract.max is None:
            return None
        return contract.min, contract.max

    def add(self, build: CellBuilder, values: Sequence[Value]) -> Marked:
        """Add a column (n,)."""
        missing, invalid, rows, numbers = _numbers(values)
        contract = self.contract
        low = -np.inf if contract.min is None else contract.min
        high = np.inf if contract.max is None else contract.max
        out = rows[(numbers < low) | (numbers > high)]
        build.ones(f"{self.name}:n", np.arange(len(values)))
        for mark, chosen in (("missing", missing), ("invalid", invalid), ("out", out)):
            build.ones(f"{self.name}:{mark}", chosen)
        if self.range is not None:
            least, most = self.range
            unit = (np.clip(numbers, least, most) - least) / (most - least)
            build.add(f"{self.name}:u", rows, quantise(unit))
            build.add(f"{self.name}:u2", rows, quantise(unit**2))
        if self.reference is not None:
            sd = self.reference.sd or 1.0
            z = np.clip((numbers - self.reference.mean) / sd, -CLIP_SD, CLIP_SD)
            build.add(f"{self.name}:s1", rows, quantise(z))
            build.add(f"{self.name}:s2", rows, quantise(z**2))
            bins = np.searchsorted(np.asarray(self.reference.edges), numbers, "right")
            build.ones(f"{self.name}:hist", rows, bins)
        return Marked(np.concatenate((invalid, out)), self._outside(rows, numbers))

    def _outside(self, rows: Ints, numbers: Floats) -> Ints:
        known = self.reference
        if known is None or not self.contract.drift:
            return NO_ROWS
        return rows[(numbers < known.min) | (numbers > known.max)]


@dataclass(frozen=True)
class CategoricalFeature:
    """A categorical feature as it is checked and counted; the last bin is "any other"."""

    name: str
    contract: FeatureContract
    reference: CategoricalReference | None

    @property
    def bins(self) -> int:
        """Number of histogram bins."""
        return len(self.reference.counts) if self.reference else 0

    def fields(self) -> tuple[Field, ...]:
        """Fields of the feature in a pane."""
        marks = tuple(Field(f"{self.name}:{m}") for m in ("n", "missing", "invalid", "out"))
        return (*marks, Field(f"{self.name}:hist", self.bins)) if self.reference else marks

    def add(self, build: CellBuilder, values: Sequence[Value]) -> Marked:
        """Add a column (n,)."""
        words = [text(value) for value in values]
        build.ones(f"{self.name}:n", np.arange(len(values)))
        missing = np.array([i for i, word in enumerate(words) if word is None], np.int64)
        build.ones(f"{self.name}:missing", missing)
        known = self.contract.categories
        allowed = None if known is None else frozenset(known)
        out = np.array(
            [
                i
                for i, word in enumerate(words)
                if allowed is not None and word is not None and word not in allowed
            ],
            np.int64,
        )
        build.ones(f"{self.name}:out", out)
        if self.reference is None:
            return Marked(out, NO_ROWS)
        place = {name: i for i, name in enumerate(self.reference.categories)}
        rows = np.array([i for i, word in enumerate(words) if word is not None], np.int64)
        bins = np.array(
            [place.get(word, len(place)) for word in words if word is not None], np.int64
        )
        build.ones(f"{self.name}:hist", rows, bins)
        # Where the reference counts rare categories together, any other may be one of them.
        every = self.contract.drift and self.reference.counts[-1] == 0
        return Marked(out, rows[bins == len(place)] if every else NO_ROWS)


Feature = NumericFeature | CategoricalFeature


def features_of(policy: Policy, reference: ReferenceProfile | None) -> tuple[Feature, ...]:
    """Every feature that the policy or the reference names, in order of name."""
    numeric = reference.numeric if reference else {}
    categorical = reference.categorical if reference else {}
    features: list[Feature] = []
    for name in sorted({*policy.features, *numeric, *categorical}):
        contract = policy.features.get(name)
        kind = contract.type if contract else reference and reference.feature_type(name)
        contract = contract or FeatureContract()
        if kind is FeatureType.CATEGORICAL:
            features.append(CategoricalFeature(name, contract, categorical.get(name)))
        else:
            features.append(NumericFeature(name, contract, numeric.get(name)))
    return tuple(features)


def score_edges(reference: ReferenceProfile | None) -> Floats:
    """Inner edges of the score histogram: the reference's, else equal widths of [0, 1]."""
    if reference is not None and reference.score is not None:
        return np.asarray(reference.score.edges, np.float64)
    return np.linspace(0, 1, SCORE_BINS + 1)[1:-1]


def decided_fields(policy: Policy, reference: ReferenceProfile | None) -> tuple[Field, ...]:
    """Rows and positive decisions by tenth of the score, where the reference knows what share of
    them is positive."""
    labelled = None if reference is None else reference.labelled
    if policy.task is not Task.BINARY or labelled is None or labelled.prob_n is None:
        return ()
    return Field("prob_n", PROBABILITY_BINS), Field("prob_n1", PROBABILITY_BINS)


def row_fields(policy: Policy, features: Sequence[Feature]) -> tuple[Field, ...]:
    """Fields of rows as a whole: outside of the reference, and by bucket of a hash."""
    known = any(one.reference is not None and one.contract.drift for one in features)
    outside = (Field("n_outside"),) if known else ()
    return (*outside, Field("repeats", REPEAT_BUCKETS)) if policy.patterns.repeats else outside


def add_features(
    build: CellBuilder, features: Sequence[Feature], columns: Iterable[Sequence[Value]]
) -> None:
    """Add a column (n,) of each feature, and count rows that any of them marks."""
    marked = [one.add(build, column) for one, column in zip(features, columns, strict=True)]
    if marked:
        build.ones("n_violation", np.unique(np.concatenate([one.broken for one in marked])))
        build.ones("n_outside", np.unique(np.concatenate([one.outside for one in marked])))


def input_layout(policy: Policy, reference: ReferenceProfile | None, *, whole: bool) -> Layout:
    """Layout of an input pane; ``whole`` is the stream of all segments, with the features."""
    features = features_of(policy, reference) if whole else ()
    return Layout(
        (
            *(Field(name) for name in COUNTS),
            Field("latency", LATENCY_BUCKETS),
            Field("score_n"),
            Field("score", len(score_edges(reference)) + 1),
            *answers_of(policy, reference).fields(whole=whole),
            *(decided_fields(policy, reference) if whole else ()),
            *(field for feature in features for field in feature.fields()),
            *(row_fields(policy, features) if whole else ()),
            *(field for one in (columns_of(reference) if whole else ()) for field in one.fields()),
        )
    )


def _numbers(values: Sequence[Value]) -> tuple[Ints, Ints, Ints, Floats]:
    """Rows that are missing, invalid and fine, and the numbers of the fine ones."""
    if set(map(type, values)) <= {int, float}:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.arange(len(values)), _floats(cast("Sequence[float]", values))
    missing, invalid, fine, numbers = [], [], [], []
    for i, value in enumerate(values):
        if value is None:
            missing.append(i)
        elif isinstance(value, bool | str):
            invalid.append(i)
        else:
            fine.append(i)
            numbers.append(value)
    return (
        np.array(missing, np.int64),
        np.array(invalid, np.int64),
        np.array(fine, np.int64),
        _floats(numbers),
    )


def _floats(values: Sequence[int | float]) -> Floats:
    """JSON knows integers beyond every float; they are beyond every bound as well."""
    try:
        return np.array(values, np.float64)
    except OverflowError:
        return np.array([_float(value) for value in values], np.float64)


def _float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf

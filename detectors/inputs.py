"""What a pane keeps of the predictions themselves: features, score, latency, counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from detectors.answers import answers_of
from detectors.embeddings.columns import columns_of
from detectors.numeric import (
    NO_ROWS,
    Bools,
    Marked,
    NumericFeature,
    NumericFeatures,
    Value,
    numbers_of,
)
from detectors.outcomes.contract import text
from detectors.summary import Builder, Field, Floats, Layout
from schemas.overload import Shed
from schemas.policy import FeatureContract, FeatureType, Policy, Task
from schemas.reference import (
    PROBABILITY_BINS,
    CategoricalReference,
    ReferenceProfile,
)

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

    def add(self, build: Builder, values: Sequence[Value]) -> Marked:
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
    """Fields of rows as a whole: outside of the reference, by bucket of a hash, and, by key,
    those whose segment has no stream: there are too many, or it is too long."""
    known = any(one.reference is not None and one.contract.drift for one in features)
    keys = len(policy.slices)
    return (
        *((Field("n_outside"),) if known else ()),
        *((Field("repeats", REPEAT_BUCKETS),) if policy.patterns.repeats else ()),
        *((Field("capped", keys), Field("long", keys)) if keys else ()),
    )


class Features:
    """The features of a model as they are summed: the numeric ones at once, others one by one."""

    def __init__(self, layout: Layout, features: Sequence[Feature]) -> None:
        numeric = [one for one in features if isinstance(one, NumericFeature)]
        self.numeric = tuple(one.name for one in numeric)
        self.others = tuple(one for one in features if isinstance(one, CategoricalFeature))
        self._numeric = NumericFeatures(layout, numeric) if numeric else None

    def add(
        self,
        build: Builder,
        numbers: tuple[Floats, Bools | None],
        words: Iterable[Sequence[Value]],
    ) -> None:
        """Add n rows, and count those that any feature marks.

        Parameters
        ----------
        numbers
            Of ``numeric``, as `numbers_of` gives them.
        words
            The n values of each of ``others``.
        """
        marked = [one.add(build, column) for one, column in zip(self.others, words, strict=True)]
        if self._numeric is not None:
            marked.append(self._numeric.add(build, *numbers))
        for name, places in (
            ("n_violation", [one.broken for one in marked]),
            ("n_outside", [one.outside for one in marked]),
        ):
            rows = [one for one in places if one.size]
            if rows:
                build.ones(name, rows[0] if len(rows) == 1 else np.unique(np.concatenate(rows)))


def add_features(
    build: Builder, layout: Layout, features: Sequence[Feature], columns: Iterable[Sequence[Value]]
) -> None:
    """Add a column (n,) of each feature, as values that JSON may hold."""
    known = Features(layout, features)
    by_name = {one.name: column for one, column in zip(features, columns, strict=True)}
    table = [by_name[name] for name in known.numeric]
    values = [value for row in zip(*table, strict=True) for value in row]
    words = [by_name[one.name] for one in known.others]
    known.add(build, numbers_of(values, len(known.numeric)), words)


def shed_field(kind: Shed) -> str:
    """The field that counts rows which were counted without something."""
    return f"n_shed_{kind.value}"


SAMPLED = "n_sampled"
"""The field that counts rows which wait for a label, where not all do."""


def counted_fields(policy: Policy) -> tuple[Field, ...]:
    """What every stream counts, come what may; that of what was shed, where the policy allows it,
    and of the sample, where there is one.

    Examples
    --------
    >>> from schemas.overload import Overload
    >>> policy = Policy(model="m", task=Task.BINARY)
    >>> len(counted_fields(policy)) == len(COUNTS)
    True
    >>> counted_fields(policy.model_copy(update={"overload": Overload(lag="5m")}))[-1].name
    'n_shed_features'
    """
    kinds = () if policy.overload.lag is None else tuple(Shed)
    sampled = (SAMPLED,) if policy.join.sample < 1.0 else ()
    return tuple(Field(name) for name in (*COUNTS, *map(shed_field, kinds), *sampled))


def input_layout(policy: Policy, reference: ReferenceProfile | None, *, whole: bool) -> Layout:
    """Layout of an input pane; ``whole`` is the stream of all segments, with the features."""
    features = features_of(policy, reference) if whole else ()
    return Layout(
        (
            *counted_fields(policy),
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

"""What a pane keeps of the predictions themselves: features, score, latency, counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from detectors.answers import answers_of
from detectors.categorical import CategoricalFeature, CategoricalFeatures
from detectors.embeddings.columns import columns_of
from detectors.numeric import (
    Bools,
    NumericFeature,
    NumericFeatures,
    Value,
    numbers_of,
)
from detectors.summary import Builder, Field, Floats, Ints, Layout
from schemas.overload import Shed
from schemas.policy import FeatureContract, FeatureType, Policy, Task
from schemas.reference import (
    PROBABILITY_BINS,
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
    """The features of models as they are summed: the numeric ones at once, others one by one.

    Parameters
    ----------
    layout
        Of the panes that they are summed in.
    models
        The features of each model in order of name, of the same names and shapes.
    """

    def __init__(self, layout: Layout, models: Sequence[Sequence[Feature]]) -> None:
        numeric = [[one for one in each if isinstance(one, NumericFeature)] for each in models]
        others = [[one for one in each if isinstance(one, CategoricalFeature)] for each in models]
        self.numeric = tuple(one.name for one in numeric[0])
        self.others = tuple(one.name for one in others[0])
        self._numeric = NumericFeatures(layout, numeric) if self.numeric else None
        self._others = [CategoricalFeatures(column) for column in zip(*others, strict=True)]

    def add(
        self,
        build: Builder,
        numbers: tuple[Floats, Bools | None],
        words: Iterable[Sequence[Value]],
        which: Ints | None = None,
    ) -> None:
        """Add n rows, and count those that any feature marks.

        Parameters
        ----------
        numbers
            Of ``numeric``, as `numbers_of` gives them.
        words
            The n values of each of ``others``.
        which
            The model of each row, shape (n,); None if there is only one.
        """
        marked = [
            one.add(build, column, which) for one, column in zip(self._others, words, strict=True)
        ]
        if self._numeric is not None:
            marked.append(self._numeric.add(build, *numbers, which))
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
    known = Features(layout, [features])
    by_name = {one.name: column for one, column in zip(features, columns, strict=True)}
    table = [by_name[name] for name in known.numeric]
    values = [value for row in zip(*table, strict=True) for value in row]
    words = [by_name[name] for name in known.others]
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

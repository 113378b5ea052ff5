"""Features of many models, summed at once, are those of each model by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.inputs import Features, features_of, input_layout
from detectors.numeric import numbers_of
from detectors.sums import Sums
from schemas.policy import FeatureContract, FeatureType, Policy, Task
from schemas.reference import CategoricalReference, NumericReference, ReferenceProfile

numbers = st.integers(-3, 12)
values = st.one_of(st.none(), st.booleans(), st.sampled_from("abcd"), numbers, st.just(1e300))
rows = st.lists(st.tuples(st.integers(0, 2), *[values] * 4), max_size=40)


@st.composite
def models(draw: st.DrawFn) -> tuple[Policy, ReferenceProfile]:
    """Of one shape, whatever the numbers in it are."""

    def numeric() -> NumericReference:
        edges = sorted(map(float, draw(st.sets(numbers, min_size=2, max_size=2))))
        low, mean, sd = draw(numbers), draw(numbers), draw(st.integers(0, 3))
        return NumericReference(
            n=9, missing=0, mean=mean, sd=sd, min=low, max=12, edges=edges, counts=[3, 3, 3]
        )

    def bounds() -> dict[str, Any]:
        low = draw(st.integers(-3, 4))
        return {"min": low, "max": low + draw(st.integers(1, 8)), "max_mean": 0.5 + low}

    names = draw(st.permutations("abcd"))
    rare = draw(st.integers(0, 1))
    kind = CategoricalReference(n=9, missing=0, categories=names[:2], counts=[5, 4, rare])
    allowed = draw(st.none() | st.just(names[1:]))
    policy = Policy(
        model="m",
        task=Task.BINARY,
        features={
            "age": FeatureContract(**bounds()),
            "free": FeatureContract(**bounds()),
            "quiet": FeatureContract(drift=False),
            "kind": FeatureContract(type=FeatureType.CATEGORICAL, categories=allowed),
        },
    )
    reference = ReferenceProfile(
        model="m",
        n=9,
        numeric={"age": numeric(), "quiet": numeric()},
        categorical={"kind": kind},
    )
    return policy, reference


@settings(deadline=None)
@given(st.lists(models(), min_size=3, max_size=3), rows)
def test_many_models_are_summed_like_each_alone(
    known: list[tuple[Policy, ReferenceProfile]], given_rows: list[tuple[Any, ...]]
) -> None:
    """Bounds, bins, moments and categories are each row's model's own."""
    layout = input_layout(*known[0], whole=True)
    features = [features_of(*each) for each in known]

    def summed(some: Features, table: list[tuple[Any, ...]], which: Any) -> Any:
        sums = Sums(layout, np.array([row[0] for row in table], np.int64), len(known))
        matrix = numbers_of([value for row in table for value in row[1:4]], 3)
        some.add(sums, matrix, [[row[4] for row in table]], which)
        return sums.sums

    which = np.array([row[0] for row in given_rows], np.int64)
    together = summed(Features(layout, features), given_rows, which)
    for place, own in enumerate(features):
        alone = [row for row in given_rows if row[0] == place]
        assert np.array_equal(together[place], summed(Features(layout, [own]), alone, None)[place])

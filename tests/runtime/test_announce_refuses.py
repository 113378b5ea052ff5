"""A policy is refused before it is in force if DECIDE could not write down its windows."""

from __future__ import annotations

import random

import pytest

from schemas import topics
from schemas.errors import ConfigurationError
from schemas.policy import FeatureContract, Policy, Task
from schemas.reference import NumericReference, ReferenceProfile
from schemas.windows import WindowResult
from streams.decide.keys import WindowKey
from streams.decide.measure.window import window_result
from streams.decide.subject import subject_of
from streams.runtime.announce import (
    LARGEST_WINDOW_BYTES,
    METRIC_BYTES,
    METRICS_PER_FEATURE,
    activate,
)
from streams.runtime.local import LocalTransport
from streams.runtime.settings import Settings


def policy(names: list[str]) -> Policy:
    return Policy(
        model="m",
        task=Task.BINARY,
        features={name: FeatureContract(min=0, max=1, max_mean=0.5) for name in names},
    )


def reference(names: list[str]) -> ReferenceProfile:
    one = NumericReference(
        n=999,
        missing=0,
        mean=0.5,
        sd=0.3,
        min=0,
        max=1,
        edges=[0.3, 0.7],
        counts=[333, 333, 333],
    )
    return ReferenceProfile(model="m", n=999, numeric=dict.fromkeys(names, one))


def window(names: list[str]) -> WindowResult:
    """A window of all features, with numbers of many digits."""
    profile = reference(names)
    subject = subject_of(policy(names), profile, whole=True)
    rng = random.Random(1)
    vector = subject.inputs.zeros()
    for field in subject.inputs.fields:
        whole = field.name.rpartition(":")[2] in ("n", "latency_n", "score_n")
        for entry in range(vector.size)[subject.inputs.slices[field.name]]:
            vector[entry] = 10**8 + 7 if whole else rng.randint(10**6, 10**7)
    key = WindowKey("m", "v", "baseline", "", "p" * 16, "r" * 16, 0)
    labels = subject.labels.zeros()
    return window_result(key, subject, vector, 0, labels, matured=True, revision=1, cut={})


@pytest.mark.parametrize("length", [4, 60, 200])
def test_the_largest_policy_that_is_accepted_gives_windows_that_fit(length: int) -> None:
    """Whatever the names are as long as; one feature more is refused, with the numbers."""
    most = LARGEST_WINDOW_BYTES // (METRICS_PER_FEATURE * (METRIC_BYTES + length))
    names = [f"{i:0{length}d}" for i in range(most)]
    assert len(window(names).model_dump_json()) < 1_000_000
    transport, settings = LocalTransport(), Settings(shards=1)
    transport.ensure_topics(topics.table(shards=1))
    activate(transport.sender(), settings, policy(names), reference(names))
    written = transport.end_offset(topics.POLICIES, 0)
    assert written == 2
    more = policy([*names, "x" * length])
    with pytest.raises(ConfigurationError, match=f"{most + 1:,} features"):
        activate(transport.sender(), settings, more, reference(names))
    assert transport.end_offset(topics.POLICIES, 0) == written

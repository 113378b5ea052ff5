"""Routes that are remembered are those that would be found anew."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from schemas.policy import Policy, Task
from streams.ingest.admit.routes import STRETCH_MS, Routes
from streams.ingest.plan import Plan


def plan(model: str, owner: str) -> Plan:
    policy = Policy(
        model=model,
        task=Task.BINARY,
        owner=owner,
        segments=["region"],
        max_segments=2,
        max_combinations=3,
        max_versions=2,
    )
    return Plan(policy, policy.hash, None, "")


PLANS = (plan("a", "one"), plan("a", "two"), plan("b", "one"))
KINDS = [(version, "baseline", region) for version in ("1", "2", "3") for region in (None, *"xyz")]

rows = st.tuples(
    st.integers(0, len(PLANS) - 1),
    st.lists(
        st.tuples(st.integers(0, len(KINDS) - 1), st.integers(0, 2).map(STRETCH_MS.__mul__)),
        max_size=8,
    ),
)


@given(st.lists(rows, max_size=12))
def test_rows_at_once_have_the_routes_of_rows_one_by_one(
    batches: list[tuple[int, list[tuple[int, int]]]],
) -> None:
    """Under every policy of a model, and wherever there is no room."""
    together, alone = Routes(), Routes()
    for place, batch in batches:
        groups, times_ms = np.array(batch, np.int64).reshape(-1, 2).T
        which = np.full(len(batch), place)
        numbered = together.find_each(PLANS, which, KINDS, groups, times_ms)
        found = [alone.find(PLANS[place], KINDS[group], time_ms) for group, time_ms in batch]
        assert numbered.routes.tolist() == [one.number for one in found]
        for bits, name in ((numbered.capped, "capped"), (numbered.long, "long")):
            told = [0] * len(batch) if bits is None else bits.tolist()
            assert told == [getattr(one, name) for one in found]
    assert together.new() == alone.new()

"""The ledger: whatever runs, the shares of a window sum to at most the policy's budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.policy import Budgets, FalseAlarms, FeatureContract, LatencyBudget, Policy, Task
from streams.decide.budget import share
from streams.decide.detect import tests_of as asked_of
from streams.decide.subject import subject_of


@given(
    segments=st.integers(0, 60),
    allowed=st.integers(0, 40),
    versions=st.integers(1, 4),
    features=st.integers(0, 5),
    pages=st.sampled_from([0.1, 1.0, 5.0]),
)
def test_all_shares_of_a_window_sum_to_at_most_the_budget(
    segments, allowed, versions, features, pages
):
    """More segments than allowed, several versions, any number of features."""
    policy = Policy(
        model="m",
        task=Task.BINARY,
        pane="1h",
        features={f"f{i}": FeatureContract(min=0.0) for i in range(features)},
        segments=["k"] if segments else [],
        max_segments=allowed,
        budgets=Budgets(error_rate=0.1, latency=LatencyBudget(limit_ms=100.0)),
        false_alarms=FalseAlarms(pages=pages, per="30d"),
    )
    spent = 0.0
    for segment in ["", *(f"k={i}" for i in range(segments))]:
        tests = len(asked_of(subject_of(policy, None, whole=segment == "")))
        one = share(policy, segment=segment, tests=tests, versions=versions, segments=segments)
        spent += versions * tests * one
    assert spent <= pages / (30 * 24) * (1 + 1e-12)
    if not segments:
        assert abs(spent - pages / (30 * 24)) < 1e-12


def test_no_test_may_spend_so_much_that_it_alarms_on_nothing():
    """Twenty pages a day and one window a day: the share stays below one."""
    policy = Policy(
        model="m",
        task=Task.CHAT,
        pane="1d",
        false_alarms=FalseAlarms(pages=20.0, per="1d"),
    )
    assert share(policy, segment="", tests=1) == 0.5

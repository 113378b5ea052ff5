"""The budget: whatever runs, the shares of a window sum to at most what the policy allows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alerts import Severity
from schemas.policy import (
    Budgets,
    FalseAlarms,
    FeatureContract,
    LatencyBudget,
    Policy,
    PolicyRecord,
    Task,
)
from streams.decide.budget import HIGHEST, Kind, fractions, of_stream, offered
from streams.decide.detect import tests_of as asked_of
from streams.decide.subject import subject_of

PAGE, TICKET = Severity.PAGE, Severity.TICKET
METRICS = ("error_rate", "latency_over", "calibration", "missing_rate", "out_of_range_rate")


def shares(policy: Policy, tests: Sequence[Kind], **stream) -> list[float]:
    """Share of each test of a stream in one window."""
    whole = of_stream(policy, **stream)
    return [offered(whole, part) for part in fractions(policy, tests)]


@given(
    segments=st.integers(0, 60),
    allowed=st.integers(0, 40),
    versions=st.integers(1, 4),
    features=st.integers(0, 5),
    pages=st.sampled_from([0.1, 1.0, 5.0]),
    weights=st.dictionaries(st.sampled_from(METRICS), st.sampled_from([0.0, 0.01, 1.0, 7.5, 1e3])),
)
def test_all_shares_of_a_window_sum_to_at_most_the_budget(
    segments, allowed, versions, features, pages, weights
):
    """More segments than allowed, several versions, any number of features, any weights."""
    policy = Policy(
        model="m",
        task=Task.BINARY,
        pane="1h",
        features={f"f{i}": FeatureContract(min=0.0) for i in range(features)},
        segments=["k"] if segments else [],
        max_segments=allowed,
        budgets=Budgets(error_rate=0.1, latency=LatencyBudget(limit_ms=100.0)),
        false_alarms=FalseAlarms(pages=pages, per="30d", weights=weights),
    )
    spent = 0.0
    for segment in ["", *(f"k={i}" for i in range(segments))]:
        asked = asked_of(subject_of(policy, None, whole=segment == ""))
        kinds = [(test.metric, test.severity) for test in asked]
        assert not {metric for metric, _ in kinds if weights.get(metric) == 0.0}
        each = shares(policy, kinds, segment=segment, versions=versions, segments=segments)
        assert all(share > 0.0 for share in each)
        spent += versions * sum(each)
    assert spent <= pages / (30 * 24) * (1 + 1e-12)
    if not segments and any(weights.get(metric, 1.0) for metric in METRICS[:3]):
        assert abs(spent - pages / (30 * 24)) < 1e-12


def test_shares_of_a_day_by_weight():
    """One alarm in ten days: half for the page, the other half for two tests of drift."""
    weighted = FalseAlarms(pages=1.0, per="10d", weights={"tv": 0.5})
    policy = Policy(model="m", task=Task.BINARY, pane="1d", false_alarms=weighted)
    found = shares(policy, [("error_rate", PAGE), ("tv", TICKET), ("tv", TICKET)], segment="")
    assert found == pytest.approx([0.05, 0.025, 0.025])


def test_a_heavier_metric_may_spend_as_much_more():
    """Shares stand to each other as weights do."""
    policy = Policy(
        model="m",
        task=Task.BINARY,
        false_alarms=FalseAlarms(weights={"error_rate": 4.0, "tv": 0.5}),
    )
    kinds = [("error_rate", PAGE), ("calibration", PAGE), ("tv", TICKET), ("mean", TICKET)]
    error, calibration, drift, mean = shares(policy, kinds, segment="")
    assert error / calibration == pytest.approx(4.0)
    assert drift / mean == pytest.approx(0.5)


def test_a_model_with_many_features_is_no_slower_to_page():
    """Tickets share a half of their own; what one alone does not need, the other has."""
    policy = Policy(model="m", task=Task.BINARY)
    few, many = (
        shares(policy, [("error_rate", PAGE), *[("tv", TICKET)] * count], segment="")
        for count in (2, 200)
    )
    assert few[0] == many[0] == pytest.approx(of_stream(policy, segment="") / 2)
    assert sum(many) == pytest.approx(sum(few))
    assert shares(policy, [("tv", TICKET)], segment="") == [of_stream(policy, segment="")]


def test_no_test_may_spend_so_much_that_it_alarms_on_nothing():
    """Twenty pages a day and one window a day: the share stays below one."""
    policy = Policy(
        model="m",
        task=Task.CHAT,
        pane="1d",
        false_alarms=FalseAlarms(pages=20.0, per="1d"),
    )
    assert of_stream(policy, segment="") == 20.0
    assert shares(policy, [("error_rate", PAGE)], segment="") == [offered(20.0, 1.0)] == [HIGHEST]


def test_a_metric_without_weight_is_not_tested(world):
    """Half of the answers are wrong and nothing pages; another metric still does."""
    changes = {"budgets": {"error_rate": 0.1, "service_errors": 0.02}}
    weights = {"error_rate": 0, "calibration": 0}
    story = world(**changes, false_alarms={"per": "1d", "weights": weights}).story()
    for minute in range(20):
        story.at(minute).push(n=500, errors=250, failed=100)
    story.clock(60)
    (alert,) = story.turns
    assert alert.metric == "service_errors"
    assert alert.share == pytest.approx(1.0 / (24 * 60))


def test_two_policies_of_one_window_share_its_budget(world):
    """A window read by two policies has the budget of one window, not of two."""
    first, second = world(), world(budgets={"error_rate": 0.2})
    first.control.apply("policies", record_of(second.policy))
    story = first.story()
    for minute in range(3):
        story.decide.apply(first.batch([*first.deltas(minute, n=300, errors=10)], **story.marks))
        if minute == 2:
            panes = second.deltas(minute, n=300, errors=10, version="v2")
            story.decide.apply(first.batch(panes, **story.marks))
    story.clock(20)
    tests = dict(story.decide._state.tests.items())
    last = [known for known in tests.values() if known.start_ms == 2 * 60_000]
    assert sum(known.share for known in last) == pytest.approx(1.0 / (24 * 60))


def record_of(policy):
    """The control record of a policy."""
    return PolicyRecord(hash=policy.hash, policy=policy).model_dump_json().encode()

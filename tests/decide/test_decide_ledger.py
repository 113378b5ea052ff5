"""The ledger: what was spent stays, what may be spent follows the policy, and nothing starts anew
that is asked the same."""

from __future__ import annotations

import pytest

from schemas.alerts import STORY, AlertAction
from schemas.policy import PolicyRecord
from streams.decide.detect import Evidence
from streams.decide.detect import tests_of as asked_of
from streams.decide.keys import BucketKey
from streams.decide.ledger import BUCKETS

MINUTE = 60_000
BOTH = {"error_rate": 0.1, "service_errors": 0.02}
HEALTHY = {"n": 400, "errors": 20, "failed": 4}


class Change:
    """A stream under one policy, then under others."""

    def __init__(self, first):
        self.first = self.now = first
        self.story = first.story()

    def to(self, other):
        """Another policy holds from the next minute on."""
        record = PolicyRecord(hash=other.policy.hash, policy=other.policy)
        self.first.control.apply("policies", record.model_dump_json().encode())
        if other.profile is not None:
            self.first.control.apply("references", other.profile.model_dump_json().encode())
        self.now = other

    def minute(self, number, **rows):
        """A pane of a minute, judged at once, labels and all."""
        self.push(number, **rows)
        self.story.clock(number + 20)

    def push(self, number, **rows):
        """A pane of a minute, not judged yet."""
        panes = self.now.deltas(number, **rows)
        self.story.decide.apply(self.first.batch(panes, **self.story.marks))

    def minutes(self, numbers, **rows):
        """The same pane in every minute, then judged."""
        for number in numbers:
            self.push(number, **rows)
        self.story.clock(numbers[-1] + 20)

    def tests(self):
        """What is remembered of each test, by metric and feature."""
        items = self.story.decide._state.tests.items()
        return {
            (key.segment, key.metric, key.feature): known
            for key, known in items
            if key.detector != "contract"
        }

    def bet(self, metric, minute, memory, share, **rows):
        """What a test would remember after a window, from a memory and with a share."""
        subject = self.now.whole
        (test,) = (t for t in asked_of(subject) if (t.metric, t.feature) == metric[1:])
        deltas = self.now.deltas(minute, **rows)
        (delta,) = (d for d in deltas if d.part is test.part)
        vector = subject.layout(test.part).zeros()
        vector[delta.index] = delta.values
        return test.bet(memory, Evidence(subject, vector, minute * MINUTE), share=share)


CHANGES = {
    "a feature more": {"features": {"x": {}}},
    "segments": {"segments": ["k"]},
    "the budget of another test": {"budgets": BOTH | {"service_errors": 0.05}},
    "a test more": {"budgets": BOTH | {"brier": 0.4}},
    "other weights": {"false_alarms": {"per": "1d", "weights": {"calibration": 9}}},
    "a larger budget": {"false_alarms": {"pages": 3.0, "per": "1d"}},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_another_policy_shares_the_budget_anew_and_what_runs_goes_on(world, changes):
    """The memory of a test whose question stays is the same to the bit, with another share."""
    change = Change(world(budgets=BOTH))
    change.minutes(range(10), **HEALTHY)
    before = change.tests()
    change.to(world(**({"budgets": BOTH} | changes)))
    assert change.tests() == before
    error = ("", "error_rate", "")
    change.minute(10, **HEALTHY)
    after = change.tests()[error]
    assert after.share != before[error].share or "brier" not in changes.get("budgets", {})
    step = change.bet(error, 10, before[error].memory, after.share, **HEALTHY)
    assert after.memory == step.memory
    assert after.memory != change.bet(error, 10, b"", after.share, **HEALTHY).memory
    assert after.spent == before[error].spent + after.share


def test_shares_under_a_new_policy_are_those_of_its_tests(world):
    """Three tests share what four share after, by weight."""
    change = Change(world(budgets=BOTH))
    change.minutes(range(3), **HEALTHY)
    assert [known.share * 1_440 for known in change.tests().values()] == [pytest.approx(1 / 3)] * 3
    weights = {"per": "1d", "weights": {"brier": 2}}
    change.to(world(budgets=BOTH | {"brier": 0.4}, false_alarms=weights))
    change.minutes(range(3, 5), **HEALTHY)
    shares = {metric: known.share * 1_440 for (_, metric, _), known in change.tests().items()}
    assert shares == pytest.approx(
        {"error_rate": 0.2, "service_errors": 0.2, "calibration": 0.2, "brier": 0.4}
    )


def test_another_level_starts_that_test_anew_and_its_spending_stays(world):
    """Evidence against one budget says nothing of another."""
    change = Change(world(budgets=BOTH))
    change.minutes(range(10), **HEALTHY)
    before = change.tests()
    change.to(world(budgets=BOTH | {"error_rate": 0.2}))
    change.minute(10, **HEALTHY)
    after = change.tests()
    error, service = ("", "error_rate", ""), ("", "service_errors", "")
    fresh = change.bet(error, 10, b"", after[error].share, **HEALTHY)
    assert after[error].memory == fresh.memory
    assert after[error].spent == before[error].spent + after[error].share
    going_on = change.bet(service, 10, before[service].memory, after[service].share, **HEALTHY)
    assert after[service].memory == going_on.memory


def test_an_alert_that_nobody_asks_about_any_more_is_closed(world):
    """At the first window under the policy without the test, and not before."""
    change = Change(world(budgets=BOTH))
    change.minutes(range(5), n=400, errors=20, failed=200)
    change.to(world(budgets={"error_rate": 0.1}))
    assert [alert.action for alert in change.story.turns] == [AlertAction.OPENED]
    change.minute(5, **HEALTHY)
    opened, closed = change.story.turns
    assert (closed.alert_id, closed.action) == (opened.alert_id, AlertAction.RESOLVED)
    assert closed.window_start_ms == 5 * MINUTE
    assert closed.metric == "service_errors"
    assert closed.policy == change.first.policy.hash
    assert "judged by another policy" in closed.summary
    known = change.tests()["", "service_errors", ""]
    assert (known.alert, known.memory, known.share) == (None, b"", 0.0)
    assert known.spent > 0.0
    change.minute(6, **HEALTHY)
    assert len(change.story.turns) == 2
    assert change.story.decide.open_alerts() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"budgets": {"service_errors": 0.02}},
        {"budgets": BOTH, "false_alarms": {"per": "1d", "weights": {"error_rate": 0}}},
    ],
    ids=["no budget", "no weight"],
)
def test_an_alert_on_labels_is_closed_when_labels_of_the_new_policy_are_due(world, changes):
    """Until then labels of windows before may still resolve it."""
    change = Change(world(budgets=BOTH))
    for number in range(5):
        change.push(number, n=400, errors=200)
    change.story.clock(16)
    change.to(world(**changes))
    change.push(5, **HEALTHY)
    change.story.clock(16.5)
    assert [alert.action for alert in change.story.turns] == [AlertAction.OPENED]
    change.story.clock(17)
    closed = change.story.turns[-1]
    assert (closed.metric, closed.action) == ("error_rate", AlertAction.RESOLVED)
    assert closed.window_start_ms == 5 * MINUTE


def test_alerts_of_segments_that_a_policy_does_not_know_are_closed(world):
    """No window of theirs will ever come; the stream of all says so."""
    change = Change(world(budgets=BOTH, segments=["k"]))
    for number in range(8):
        change.push(number, n=1_000, failed=5, labelled=0)
        change.push(number, n=400, failed=200, labelled=0, segment="k=v")
    change.story.clock(11, labels=0)
    (opened,) = change.story.turns
    assert opened.segment == "k=v"
    change.to(world(budgets=BOTH))
    change.push(8, n=1_000, failed=5, labelled=0)
    change.story.clock(12, labels=0)
    closed = change.story.turns[-1]
    assert (closed.alert_id, closed.segment) == (opened.alert_id, "k=v")
    assert closed.action is AlertAction.RESOLVED
    assert "m v1, k=v" in closed.summary


def test_an_alert_that_is_still_asked_about_stays_open(world):
    """Another policy with the same question closes nothing."""
    change = Change(world(budgets=BOTH))
    change.minutes(range(5), n=400, errors=20, failed=200)
    change.to(world(budgets=BOTH, owner="somebody else"))
    change.minutes(range(5, 8), n=400, errors=20, failed=200)
    assert [alert.action for alert in change.story.turns] == [AlertAction.OPENED]
    assert len(change.story.decide.open_alerts()) == 1


def test_the_ledger_says_what_is_promised_spent_and_left(world):
    """Every window has its share; three tests of one stream divide it."""
    change = Change(world(budgets=BOTH, false_alarms={"pages": 2.0, "per": "1d"}))
    change.minutes(range(30), **HEALTHY)
    (ledger,) = change.story.decide.ledger()
    assert (ledger.model, ledger.policy) == ("m", change.first.policy.hash)
    assert (ledger.budget, ledger.period_ms, ledger.window_ms) == (2.0, 86_400_000, MINUTE)
    assert ledger.promised == pytest.approx(2.0)
    assert ledger.spent == pytest.approx(30 * 2.0 / 1_440)
    assert ledger.spent_in_period == pytest.approx(ledger.spent)
    assert ledger.left == pytest.approx(2.0 - ledger.spent)
    assert [(e.metric, e.alerts, e.last_cost, e.open) for e in ledger.entries] == [
        ("calibration", 0, None, False),
        ("error_rate", 0, None, False),
        ("service_errors", 0, None, False),
    ]
    for entry in ledger.entries:
        assert entry.per_period == pytest.approx(entry.share * 1_440) == pytest.approx(2.0 / 3)
    totals = change.story.decide.budgets()["m"]
    assert (totals.promised, totals.spent) == (ledger.promised, ledger.spent)
    change.story.clock(10_000)
    (idle,) = change.story.decide.ledger()
    assert (idle.spent_in_period, idle.promised) == (ledger.spent_in_period, ledger.promised)


def test_an_alert_costs_what_was_spent_since_the_one_before(world):
    """Opened twice: the costs are those of the windows that led to each, and sum to all."""
    change = Change(world(budgets={"service_errors": 0.02}))
    for number in range(40):
        bad = number in (4, 5, 6, 25, 26, 27)
        change.minute(number, n=400, labelled=0, failed=150 if bad else 0)
    alerts = change.story.turns
    opened = [alert for alert in alerts if alert.action is AlertAction.OPENED]
    resolved = [alert for alert in alerts if alert.action is AlertAction.RESOLVED]
    assert (len(opened), len(resolved)) == (2, 2)
    first, second = opened
    assert first.cost == first.spent > 0.0
    assert second.cost == pytest.approx(second.spent - first.spent)
    assert all(alert.cost == 0.0 for alert in resolved)
    (ledger,) = change.story.decide.ledger()
    (entry,) = (e for e in ledger.entries if e.metric == "service_errors")
    assert (entry.alerts, entry.last_cost, entry.open) == (2, second.cost, False)


def test_a_test_that_is_no_longer_asked_keeps_its_spending_and_gets_nothing(world):
    """What is promised is what the tests of now may spend, and no more than the budget."""
    change = Change(world(budgets=BOTH, segments=["k"]))
    for number in range(4):
        change.push(number, **HEALTHY)
        change.push(number, **HEALTHY, segment="k=v")
    change.story.clock(24)
    change.to(world(budgets={"error_rate": 0.1}))
    change.minutes(range(4, 8), **HEALTHY)
    (ledger,) = change.story.decide.ledger()
    gone = [e for e in ledger.entries if e.segment or e.metric == "service_errors"]
    assert len(gone) == 4
    assert [(e.share, e.per_period) for e in gone] == [(0.0, 0.0)] * 4
    assert all(e.spent > 0.0 for e in gone), gone
    assert ledger.promised == pytest.approx(1.0)
    assert ledger.spent == pytest.approx(sum(e.spent for e in ledger.entries))


def test_spending_of_a_period_is_within_its_budget_and_the_account_stays_small(world):
    """Five periods of an hour: each gives its budget once; buckets of the past are dropped."""
    change = Change(world(budgets=BOTH, false_alarms={"pages": 1.0, "per": "1h"}))
    for number in range(300):
        change.push(number, n=50, errors=2)
        change.story.clock(number + 2)
        (ledger,) = change.story.decide.ledger()
        assert 0.0 < ledger.spent_in_period <= 1.0 + 1e-9
        assert ledger.spent_in_period + ledger.left == pytest.approx(1.0)
    assert ledger.spent == pytest.approx((300 + 2 * 290) / 60 / 3)
    assert ledger.spent_in_period == pytest.approx(1.0, rel=2 / BUCKETS)
    buckets = list(change.story.decide._state.spending)
    assert len(buckets) <= BUCKETS + 12
    assert {type(key) for key in buckets} == {BucketKey}


def test_the_ledger_survives_a_restart(world):
    """From the checkpoint alone, entries, account and open alerts."""
    change = Change(world(budgets=BOTH))
    change.minutes(range(5), n=400, errors=200)
    rows = {k: v for k, v in change.story.decide.changed().items() if v is not None}
    resumed = change.first.decide()
    resumed.load(rows)
    assert resumed.ledger() == change.story.decide.ledger()
    (key,) = resumed._state.tests.open_in(("m", "v1", "baseline"))
    assert key.metric == "error_rate"


def test_the_ledger_does_not_follow_the_order_of_a_checkpoint(world):
    """Rows come in any order, also those of two policies that met in one window."""
    change = Change(world(budgets=BOTH))
    change.push(0, **HEALTHY)
    change.to(world(budgets=BOTH | {"brier": 0.4}))
    change.push(0, **HEALTHY, version="v2")
    change.story.clock(20)
    rows = {k: v for k, v in change.story.decide.changed().items() if v is not None}
    orders = rows, dict(reversed(rows.items())), dict(sorted(rows.items()))
    told = []
    for order in orders:
        resumed = change.first.decide()
        resumed.load(order)
        told.append((resumed.ledger(), resumed.budgets()))
    assert told[0] == told[1] == told[2]
    assert told[0] == (change.story.decide.ledger(), change.story.decide.budgets())


@pytest.mark.parametrize(
    "changes",
    [{"budgets": {"error_rate": 0.1}}, {"budgets": BOTH | {"error_rate": 0.2}, "window": "3m"}],
    ids=["a test less", "longer windows"],
)
def test_a_change_is_judged_alike_minute_by_minute_and_all_at_once(world, changes):
    """Windows close under one policy while labels mature under the other: in as many rounds as
    fall due together, with alerts that end between them."""

    def judged(*, paced):
        change = Change(world(budgets=BOTH))
        other = world(**changes)
        for minute in range(30):
            if minute == 12:
                change.to(other)
            bad = 3 <= minute < 20
            change.push(minute, n=400, errors=200 if bad else 20, failed=100 if bad else 2)
            if paced:
                change.story.clock(minute + 1)
        change.story.clock(60)
        said = {one.id: one.model_dump(exclude=STORY) for one in change.story.turns}
        return said, change.story.decide.ledger()

    said, ledger = judged(paced=True)
    assert judged(paced=False) == (said, ledger)
    kinds = {(one["metric"], one["action"]) for one in said.values()}
    assert {("error_rate", "opened"), ("service_errors", "opened")} <= kinds
    assert any("another policy" in one["summary"] for one in said.values())

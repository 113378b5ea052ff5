"""What is forgotten stays in the base: an alert is revised as if every window were still held."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from detectors.bets.binary import increments
from detectors.sequential.e_sr import BudgetedESR
from schemas.alerts import AlertAction
from schemas.policy import PolicyRecord
from schemas.summaries import Part
from streams.decide.alerts.base import stands
from streams.decide.detect import Step
from streams.decide.state import State

SHORT = {"horizon": "12m", "maturity": "10m", "coverage": 0.8, "lateness": "1m"}
N, MINUTES = 200, 40


class Kept:
    """Everything that a DECIDE has checkpointed."""

    def __init__(self, decide):
        self.decide, self.rows = decide, {}

    def state(self):
        """The state that a restart would begin with."""
        for key, value in self.decide.changed().items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        return State.load(self.rows)

    def test(self):
        """The test on the error rate."""
        [found] = [one for key, one in self.state().tests.items() if key.metric == "error_rate"]
        return found


def corrected(there, minute, errors):
    """A delta that turns so many errors of a minute into right answers, or the other way round."""
    vector = there.whole.labels.zeros()
    vector[there.whole.labels.slices["err"]] -= errors
    return there.delta(minute, Part.LATE_LABEL, vector)


def memory(errors, share):
    """The memory of the test on all windows, from the formula alone."""
    process = BudgetedESR()
    for k in errors:
        process.update(increments(n=N, s=k, m=0.1, side="above"), share=share)
    return process


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    errors=st.lists(st.integers(4, 24), min_size=MINUTES, max_size=MINUTES),
    fewer=st.lists(st.integers(-4, 4), min_size=MINUTES, max_size=MINUTES),
    delays=st.lists(st.integers(0, 10), min_size=MINUTES, max_size=MINUTES),
)
def test_the_base_is_the_test_over_all_windows_as_they_were_in_the_end(
    world, errors, fewer, delays
):
    """Corrections come at any time before a window is forgotten, and the alert in the end."""
    there = world(labels=SHORT)
    story = there.story()
    kept = Kept(story.decide)
    late = {}
    for minute in range(MINUTES):
        for old in late.pop(minute, ()):
            there_now = corrected(there, old, fewer[old])
            story.decide.apply(there.batch([there_now], **story.marks))
        story.at(minute).push(n=N, errors=errors[minute])
        if fewer[minute]:
            late.setdefault(minute + 1 + delays[minute], []).append(minute)
        story.clock(minute + 0.5)
        assume(not story.said.alerts)
    known = kept.test()
    assert known.past.last_ms >= 20 * 60_000
    gone = known.past.last_ms // 60_000 + 1
    final = [k - less for k, less in zip(errors, fewer, strict=True)][:gone]
    base = memory(final, known.share)
    assert np.array_equal(np.frombuffer(known.past.memory), base.state())
    assert np.allclose(
        np.frombuffer(known.memory),
        memory(errors[: known.start_ms // 60_000 + 1], known.share).state(),
    )


def evidence(n, errors, share):
    """Evidence of the test after each window, shape (windows,)."""
    process, found = BudgetedESR(), []
    for rows, k in zip(n, errors, strict=True):
        process.update(increments(n=rows, s=k, m=0.1, side="above"), share=share)
        found.append(process.log_m)
    return np.array(found)


def test_labels_that_trickle_in_take_no_true_alarm_back_by_chance():
    """A rise to 13 per cent, one label in five comes after maturity, and twenty looks at them.

    An alert that stood only as long as it would be opened would be taken back about a third of the
    time; with half of the evidence never in forty runs.
    """
    rng, share = np.random.default_rng(1), 3.5e-4
    taken_back, left = [], []
    for _ in range(40):
        errors = rng.binomial(160, 0.13, 120)
        (over,) = np.nonzero(evidence([160] * 120, errors, share) >= 0.0)
        last = over[0] + 1
        late, place = rng.random((last, 40)) < 0.13, rng.random((last, 40))
        lowest = 0.0
        for seen in (place < look / 20 for look in range(1, 21)):
            now = errors[:last] + (late & seen).sum(axis=1)
            lowest = min(lowest, evidence(160 + seen.sum(axis=1), now, share).max())
        taken_back.append(lowest < 0.0)
        left.append(stands(Step(b"", lowest >= 0.0, lowest, share), share))
    assert 0.15 < np.mean(taken_back) < 0.5
    assert all(left)


def slow_rise(there, *, corrections):
    """A rise that takes longer than the horizon; all corrections come in time."""
    story = there.story()
    for minute in range(60):
        story.at(minute).push(n=N, errors=24)
        if minute >= 8 and corrections:
            correction = corrected(there, minute - 8, corrections)
            story.decide.apply(there.batch([correction], **story.marks))
        story.clock(minute + 0.5)
    return story


def test_an_alert_on_windows_long_forgotten_is_withdrawn_with_them(world):
    """Most of the evidence lies behind the horizon: corrected then, it counts as corrected now."""
    said = slow_rise(world(labels=SHORT), corrections=0).said.alerts
    assert [alert.action for alert in said] == [AlertAction.OPENED]
    assert said[0].window_start_ms >= 15 * 60_000
    short = slow_rise(world(labels=SHORT), corrections=6).said.alerts
    long = slow_rise(world(), corrections=6).said.alerts
    assert [alert.action for alert in short[:2]] == [AlertAction.OPENED, AlertAction.WITHDRAWN]
    told = [(one.action, one.window_start_ms, one.n, one.value) for one in short]
    assert told == [(one.action, one.window_start_ms, one.n, one.value) for one in long]


def test_a_shorter_horizon_of_a_new_policy_loses_no_evidence(world):
    """Its windows are forgotten first; what lies before them is final by then, and still counts."""
    first, second = world(), world(labels=SHORT)
    record = PolicyRecord(hash=second.policy.hash, policy=second.policy)
    first.control.apply("policies", record.model_dump_json().encode())
    story = first.story()
    kept = Kept(story.decide)
    for minute in range(50):
        there = first if minute < 15 else second
        panes = there.deltas(minute, n=N, errors=15)
        story.decide.apply(first.batch(panes, **story.marks))
        story.clock(minute + 0.5)
    known = kept.test()
    assert known.past.last_ms >= 20 * 60_000
    gone = known.past.last_ms // 60_000 + 1
    expected = memory([15] * gone, known.share).state()
    assert np.allclose(np.frombuffer(known.past.memory), expected)


def test_a_restart_at_any_point_revises_alike(world):
    """Alerts, amendments and withdrawals are equal to the byte on a freshly loaded state."""
    there = world(labels=SHORT)
    steady, rows = there.decide(), {}
    marks, said = {}, []
    for minute in range(45):
        trouble = 20 <= minute < 24 or minute >= 36
        panes = there.deltas(minute, n=N, errors=50 if trouble else 10)
        if minute >= 12:
            old = minute - 12
            panes.append(corrected(there, old, 46 if 20 <= old < 24 else 3))
        marks = {"predictions": minute + 0.5, "labels": minute + 0.5}
        batch = there.batch(panes, **marks)
        resumed = there.decide()
        resumed.load(rows)
        for decide in (steady, resumed):
            decide.apply(batch)
        out = resumed.advance()
        assert out == steady.advance()
        said += out.alerts
        for key, value in resumed.changed().items():
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        steady.changed()
    assert {one.action for one in said} >= {AlertAction.OPENED, AlertAction.WITHDRAWN}


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.booleans(), min_size=24, max_size=24), moved=st.permutations(range(24)))
def test_however_corrections_are_cut_an_open_alert_ends_with_the_same_numbers(world, cuts, moved):
    """Twenty-four corrections in any order, looked at between any two: one story in the end."""
    there = world()
    story = there.story()
    for minute in range(6):
        story.at(minute).push(n=N, errors=50 if minute == 5 else 10)
    story.clock(17)
    kept, clock = Kept(story.decide), 17
    changes = [(5, 1)] * 12 + [(5, -1)] * 4 + [(minute, 1) for minute in range(4)] * 2
    for place, look in zip(moved, cuts, strict=True):
        minute, fewer = changes[place]
        story.decide.apply(there.batch([corrected(there, minute, fewer)], **story.marks))
        if look:
            clock += 1
            story.clock(clock)
    story.clock(clock + 1)
    known = kept.test()
    assert known.alert is not None
    last = story.said.alerts[-1]
    assert (last.n, round(last.value, 2)) == (N, 0.21)
    assert last.action is AlertAction.AMENDED

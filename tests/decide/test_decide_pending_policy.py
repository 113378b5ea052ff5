"""A policy that changes while an alarm is pending."""

from __future__ import annotations

import pytest

from schemas.alerts import AlertAction
from schemas.policy import Activation, Policy, PolicyRecord

MINUTE = 60_000
CHANGE = 7
LABELS = {"horizon": "2h", "maturity": "0s", "coverage": 0.8, "lateness": "0s"}


def told(world, **changes):
    """Ends of the windows in which alerts opened; from minute seven on the policy is another."""
    place = world(labels=LABELS, lateness="0s", alerting={"pending": 3})
    story = place.story()
    for minute in range(30):
        if minute == CHANGE and changes:
            before = place.policy.model_dump(mode="json")
            place.policy = Policy.model_validate({**before, **changes}, strict=False)
            hash_ = place.policy.hash
            start = Activation(
                model="m", policy=hash_, reference=None, effective_at_ms=CHANGE * MINUTE
            )
            for one in (PolicyRecord(hash=hash_, policy=place.policy), start):
                place.control.apply("policies", one.model_dump_json().encode())
            place.whole = place.subject("")
        story.at(minute).push(n=200, errors=60 if minute >= 5 else 5)
        story.clock(minute + 1)
    opened = [one for one in story.said.alerts if one.action is AlertAction.OPENED]
    return [(one.metric, one.window_end_ms // MINUTE) for one in opened]


def test_windows_it_waits_for_are_those_of_the_policy_it_alarmed_under(world):
    """The same question under another policy goes on waiting, and fires once."""
    as_before = [one for one in told(world) if one[0] == "error_rate"]
    changed = told(world, alerting={"pending": 0})
    assert len(as_before) == 1
    assert as_before[0][1] > CHANGE + 1
    assert [one for one in changed if one[0] == "error_rate"] == as_before


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_an_alarm_about_another_level_is_forgotten_untold(world, level):
    """Nobody heard of it, so nobody hears of its end."""
    found = told(world, budgets={"error_rate": level})
    assert [one for one in found if one[0] == "error_rate"] == []

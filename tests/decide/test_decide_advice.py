"""Advice to services: the fallback while a page on its metrics is open, and the model again."""

from __future__ import annotations

import pytest

from schemas.alerts import AlertAction, Severity
from schemas.deployments import DeploymentAction
from schemas.fallback import FallbackKind

PROMPT = {"horizon": "4h", "maturity": "0s", "coverage": 0.8, "lateness": "0s"}


def served(story, minutes, **rows):
    """One pane a minute, and the clock with it; advice on the way."""
    said = []
    for minute in minutes:
        story.at(minute).push(**{"n": 200, "errors": 10, **rows})
        said += story.clock(minute + 1).advice
    return said


@pytest.fixture
def build(world):
    """A world whose labels mature at once."""

    def make(*, use="rule", metrics=("error_rate",), **changes):
        fallback = {"use": use, "metrics": list(metrics)}
        return world(labels=PROMPT, lateness="0s", fallback=fallback, **changes)

    return make


def test_while_a_page_is_open_services_use_the_fallback(build):
    """Said when the page opens, and when it is over; nothing between."""
    story = build().story()
    assert served(story, range(5)) == []
    [bad] = served(story, range(5, 15), errors=60)
    [page] = [a for a in story.said.alerts if a.action is AlertAction.OPENED]
    assert (page.metric, page.severity) == ("error_rate", Severity.PAGE)
    assert (bad.degraded, bad.use, bad.version) == (True, FallbackKind.RULE, None)
    assert bad.evidence == [page.alert_id]
    assert bad.since_ms == page.window_end_ms
    assert bad.summary == (
        "Do not rely on m v1: use the rule instead, until the error rate is back within budget"
    )
    [good] = served(story, range(15, 40))
    [end] = [a for a in story.said.alerts if a.action is AlertAction.RESOLVED]
    assert (good.degraded, good.evidence) == (False, [page.alert_id])
    assert good.since_ms == end.window_end_ms
    assert good.id != bad.id
    [again] = served(story, range(40, 50), errors=60)
    assert again.degraded
    assert len({bad.id, good.id, again.id}) == 3


def test_other_metrics_segments_and_severities_advise_nothing(build):
    """Only pages of all predictions, on the metrics that the policy names."""
    story = build(metrics=["service_errors"]).story()
    assert served(story, range(15), errors=60) == []
    assert story.said.alerts
    parts = build(segments=["k"]).story()
    assert served(parts, range(15), errors=60, segment="k=v") == []
    assert [alert.segment for alert in parts.said.alerts][:1] == ["k=v"]


def test_without_a_fallback_in_the_policy_nothing_is_advised(world):
    """However bad it is."""
    story = world(labels=PROMPT, lateness="0s").story()
    assert served(story, range(15), errors=60) == []
    assert story.said.alerts


def test_the_previous_version_is_that_of_the_deployments(build):
    """One that was rolled back is none to go back to."""
    there = build(use="previous_version")
    there.deploy(0.0, "v0", DeploymentAction.DEPLOYED)
    there.deploy(0.1, "vX", DeploymentAction.PROMOTED)
    there.deploy(0.2, "vX", DeploymentAction.ROLLED_BACK)
    there.deploy(0.3, "v1", DeploymentAction.PROMOTED)
    story = there.story()
    served(story, range(5))
    [bad] = served(story, range(5, 15), errors=60)
    assert (bad.use, bad.version) == (FallbackKind.PREVIOUS_VERSION, "v0")
    assert "use v0 instead" in bad.summary


def test_another_version_that_serves_well_ends_the_advice(build):
    """The page of the version before stays open: nobody can see it recover."""
    story = build().story()
    served(story, range(5))
    assert [one.degraded for one in served(story, range(5, 15), errors=60)] == [True]
    [good] = served(story, range(15, 25), version="v2")
    assert not good.degraded
    assert good.summary.startswith("Use m v2 again")
    assert good.since_ms == 18 * 60_000


def test_evidence_that_is_withdrawn_ends_the_advice(build):
    """Labels were wrong, and are corrected."""
    story = build().story()
    served(story, range(5))
    assert [one.degraded for one in served(story, range(5, 9), errors=60)] == [True]
    for minute in range(5, 9):
        right = story.world.deltas(minute, labelled=200, errors=10, late=True)
        wrong = story.world.deltas(minute, labelled=200, errors=60, late=True)
        negated = [
            type(one)(
                **{
                    **{f: getattr(one, f) for f in one.__struct_fields__},
                    "values": [-value for value in one.values],
                }
            )
            for one in wrong
        ]
        story.decide.apply(story.world.batch([*right, *negated], **story.marks))
    [good] = story.advance().advice
    assert not good.degraded
    assert story.turns[-1].action is AlertAction.WITHDRAWN


def test_a_restart_says_nothing_twice(build):
    """What was advised is part of the state."""
    there = build()
    story = there.story()
    served(story, range(5))
    assert len(served(story, range(5, 15), errors=60)) == 1
    again = there.decide()
    again.load({k: v for k, v in story.decide.changed().items() if v is not None})
    story.decide = again
    assert served(story, range(15, 18), errors=60) == []
    assert [one.degraded for one in served(story, range(18, 40))] == [False]

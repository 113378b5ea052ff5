"""What DECIDE remembers of alerts, stories and commands stays bounded, and survives a restart."""

from __future__ import annotations

import json

import msgspec
import pytest

from schemas.alerting import Alerting
from schemas.alerts import ENDS, Alert, AlertAction, AlertState, Layer, Severity
from schemas.commands import read_command
from schemas.predictions import Arm
from streams.decide import clock
from streams.decide.heeded import KEPT_MS, is_first
from streams.decide.incidents import story as stories
from streams.decide.incidents.layers import FAMILIES
from streams.decide.incidents.records import IncidentKey
from streams.decide.incidents.settle import Desk, Watched
from streams.decide.measure.interval import Reading
from streams.decide.state import State

MINUTE, DAY = 60_000, 86_400_000
WALL_MS = 1_790_000_000_000
RULES = Alerting(flap="10m", memory="1d", persistent_after="30d")


def alert(name, start_ms, action=AlertAction.OPENED, **changes):
    """An event of a test on the error rate, in a window of one minute."""
    known = {
        "id": f"{name}-{action}",
        "alert_id": name,
        "action": action,
        "model": "m",
        "version": "v1",
        "arm": Arm.BASELINE,
        "segment": "",
        "metric": "error_rate",
        "feature": "",
        "detector": "budget",
        "severity": Severity.PAGE,
        "opened_at_ms": start_ms,
        "window_start_ms": start_ms,
        "window_end_ms": start_ms + MINUTE,
        "n": 100,
        "value": 0.3,
        "low": 0.2,
        "high": 0.4,
        "budget": 0.1,
        "worse": "above",
        "log_e": 1.0,
        "share": 0.0,
        "spent": 0.0,
        "summary": "",
        "owner": "",
        "runbook": "",
        "dashboard": "",
        "policy": "p",
        "reference": "",
        "cut": {},
    }
    return Alert.model_validate({**known, **changes})


def desk(state, now_ms=0):
    """The stage between tests and readers, at a time."""
    return Desk(state, lambda policy: RULES, now_ms, {})


def settle(state, *found):
    """What is published of what tests said."""
    return desk(state).settle(found)


def command(kind, **fields):
    """A command of model m."""
    body = {"kind": kind, "id": kind, "model": "m", "time": 0, "by": "ada", **fields}
    return read_command(json.dumps(body).encode())


def test_ids_of_commands_are_forgotten_in_time():
    """Within thirty days a command counts once; of older ones nothing is left."""
    state = State()
    for day in range(100):
        clock.tick(state, WALL_MS + day * DAY)
        assert is_first(state, command("pin", id=f"p{day}"))
        assert not is_first(state, command("pin", id=f"p{max(day - 29, 0)}"))
    assert len(state.commands) == KEPT_MS // DAY


def test_openings_of_versions_long_gone_are_forgotten():
    """Each version brings its own tests; only those of the last day can be recurring."""
    state = State()
    for hour in range(24 * 10):
        name, start_ms = f"a{hour}", hour * 60 * MINUTE
        settle(state, alert(name, start_ms, version=f"v{hour}"))
        settle(state, alert(name, start_ms + MINUTE, AlertAction.RESOLVED, version=f"v{hour}"))
    assert len(state.opened) <= 25
    assert len(state.standing) == 0


def test_a_story_that_never_ends_forgets_its_oldest_alerts_but_not_its_cause():
    """One alert stays open for ever while others come and go."""
    state = State()
    settle(state, alert("cause", 0, metric="missing_rate", feature="age"))
    for turn in range(1, stories.REMEMBERED + 200):
        start_ms, version = turn * 2 * MINUTE, f"v{turn}"
        settle(state, alert(f"a{turn}", start_ms, version=version))
        settle(state, alert(f"a{turn}", start_ms + MINUTE, AlertAction.RESOLVED, version=version))
        if turn == 1:
            over = alert("cause", MINUTE, AlertAction.RESOLVED, metric="missing_rate")
            settle(state, alert("stays", start_ms, metric="tv", severity=Severity.TICKET))
            settle(state, over.model_copy(update={"feature": "age"}))
    incident = state.incidents.get(IncidentKey("m", "quality"))
    assert stories.REMEMBERED <= len(incident.members) <= stories.REMEMBERED + 4
    assert incident.ended_ms is None
    assert stories.cause_of(incident, slack_ms=10 * MINUTE).alert_id == "cause"


def test_what_was_withdrawn_causes_nothing():
    """Its effects name the next cause, and inhibition by it ends."""
    state = State()
    settle(state, alert("drift", 0, metric="missing_rate", feature="age"))
    (opened,) = settle(state, alert("error", MINUTE))
    assert (opened.cause, opened.inhibited_by) == ("drift", "drift")
    gone = alert("drift", 0, AlertAction.WITHDRAWN, metric="missing_rate", feature="age")
    withdrawn, freed = settle(state, gone)
    assert withdrawn.state is AlertState.RESOLVED
    assert (freed.alert_id, freed.reason) == ("error", "inhibition_ended")
    assert (freed.cause, freed.inhibited_by) == ("error", "")


def test_what_is_found_together_is_told_together():
    """The effect came first to hand; it is hidden from the start, and nobody hears of it twice."""
    state = State()
    error, segment = alert("error", 0), alert("a-segment", 0, segment="k=v")
    cause = alert("missing", 0, metric="missing_rate", feature="age")
    said = settle(state, error, segment, cause)
    assert [one.action for one in said] == [AlertAction.OPENED] * 3
    assert [one.cause for one in said] == ["missing"] * 3
    assert [one.inhibited_by for one in said] == ["missing", "missing", ""]
    assert [standing.alert for _, standing in state.standing.items()] == said


def test_what_was_withdrawn_and_comes_again_is_no_flap():
    """It had not been there."""
    state = State()
    settle(state, alert("a", 0))
    settle(state, alert("a", 0, AlertAction.WITHDRAWN))
    (again,) = settle(state, alert("b", 3 * MINUTE))
    assert again.flaps == 0
    settle(state, alert("b", 4 * MINUTE, AlertAction.RESOLVED))
    (third,) = settle(state, alert("c", 6 * MINUTE))
    assert third.flaps == 1


def test_a_story_ends_with_the_latest_window_though_labels_end_it_earlier():
    """An alert on labels is over an hour later, about a window of long before."""
    state = State()
    settle(state, alert("input", 0, metric="missing_rate"))
    settle(state, alert("label", 0))
    settle(state, alert("input", 60 * MINUTE, AlertAction.RESOLVED, metric="missing_rate"))
    settle(state, alert("label", 5 * MINUTE, AlertAction.RESOLVED))
    assert state.incidents.get(IncidentKey("m", "quality")).ended_ms == 61 * MINUTE


@pytest.mark.parametrize(("rate", "reasons"), [(0.09, []), (0.25, ["relapsed"])])
def test_a_rate_within_its_level_is_never_worse(rate, reasons):
    """While it recovers, only a window beyond the level is trouble; the acknowledgement holds."""
    state = State()
    settle(state, alert("a", 0))
    good = Reading(400, 0.01, 0.0, 0.03, 0.1)
    settle(state, Watched("a", MINUTE, 2 * MINUTE, good, good=True, bad=False))
    (incident,) = [one for _, one in state.incidents.items()]
    desk(state).settle([], [command("acknowledge", incident_id=incident.id)])
    now = Reading(400, rate, rate - 0.03, rate + 0.03, 0.1)
    seen = Watched("a", 2 * MINUTE, 3 * MINUTE, now, good=False, bad=rate > 0.2)
    assert [one.reason for one in settle(state, seen)] == reasons
    assert state.incidents.get(IncidentKey("m", "quality")).acknowledged is not None


def test_two_models_share_a_partition_and_nothing_else():
    """Silences, acknowledgements and stories are of one model."""
    state = State()
    settle(state, alert("a", 0), alert("b", 0, model="other"))
    mine = state.incidents.get(IncidentKey("m", "quality"))
    quiet = command("silence", duration="1h")
    seen = command("acknowledge", incident_id=mine.id)
    said = desk(state).settle([], [quiet, seen])
    assert [(one.alert_id, one.silenced_by, one.acknowledged_by) for one in said] == [
        ("a", "silence", "ada")
    ]
    (over,) = desk(state, now_ms=61 * MINUTE).settle([])
    assert (over.alert_id, over.reason) == ("a", "silence_ended")


def rich(world):
    """A timeline with a bit of everything that is remembered."""
    place = world(
        labels={"horizon": "2h", "maturity": "0s", "coverage": 0.8, "lateness": "0s"},
        lateness="0s",
        budgets={"error_rate": 0.1, "service_errors": 0.05},
        alerting={"flap": "10m", "repeat": "5m", "give_up": "1h", "pending": 1},
    )
    return place, place.story()


def drive(story, minute):
    """One minute of it."""
    if minute == 3:
        story.decide.command(command("tick"), WALL_MS)
        quiet = command("silence", match={"metric": "service_errors"}, duration="6m")
        story.decide.command(quiet, WALL_MS)
        story.decide.command(command("pin", duration="1h"), WALL_MS)
    if minute == 20:
        for number, one in enumerate(story.said.alerts[:1]):
            seen = command("acknowledge", id=f"k{number}", incident_id=one.incident_id)
            story.decide.command(seen, WALL_MS)
    bad = minute % 30 in (6, 7, 8, 9)
    for segment in ("", "k=a", "k=b"):
        rows = {"errors": 150 if bad else 4, "failed": 50 if bad else 0}
        story.at(minute).push(n=200, segment=segment, **rows)
    story.clock(minute + 1)


def test_every_table_survives_a_restart_in_any_order(world):
    """Rows come back in the order of the log, not of the memory; nothing said depends on it."""
    _, once = rich(world)
    place, cut = rich(world)
    rows: dict[str, bytes] = {}
    for minute in range(70):
        drive(once, minute)
        drive(cut, minute)
        if minute % 9 == 0:
            for name, value in cut.decide.changed().items():
                rows.pop(name, None)
                if value is not None:
                    rows[name] = value
            backwards = dict(reversed(rows.items()))
            before, cut.decide = cut.decide, place.decide()
            cut.decide.load(backwards)
            for old, new in zip(before._state._tables(), cut.decide._state._tables(), strict=True):
                assert dict(old.items()) == dict(new.items()), old.name
    plain = [
        [msgspec.json.encode(one.model_dump(mode="json")) for one in kind]
        for story in (once, cut)
        for kind in (story.said.alerts, story.said.again, story.said.audit, story.said.windows)
    ]
    assert plain[:4] == plain[4:]
    assert {one.reason for one in once.said.alerts} >= {"silence_ended", "recovering"}
    assert once.said.again


def test_alerts_that_are_not_looked_at_have_nothing_to_tell(world):
    """Only stories in which something changed are read; in the others nothing would be said."""
    _, story = rich(world)
    stood = 0
    for minute in range(45):
        drive(story, minute)
        state = story.decide._state
        again = Desk(state, story.decide._alerting, clock.decision_ms(state) or 0, {})
        again.touched.update(IncidentKey("m", family) for family in FAMILIES)
        assert again.settle([]) == []
        stood = max(stood, len(state.standing))
    assert stood >= 3


def test_what_is_hidden_is_not_said_again(world):
    """Nobody is sent it, so nobody would ever confirm it."""
    _, story = rich(world)
    for minute in range(12):
        drive(story, minute)
    hidden = {
        one.id
        for one in story.said.alerts
        if (one.silenced_by or one.inhibited_by) and one.action not in ENDS
    }
    seen = {one.id for one in story.said.alerts} - hidden
    story.decide.command(command("tick", id="t2"), WALL_MS + 30 * MINUTE)
    again = {one.id for one in story.advance().again}
    assert hidden
    assert again & seen
    assert not again & hidden


def test_a_person_alone_is_nobody_who_confirms(world):
    """Without ticks nothing is repeated, whatever people command."""
    _, story = rich(world)
    story.decide.command(command("unpin"), WALL_MS)
    for minute in range(4, 40):
        rows = {"n": 200, "errors": 150, "failed": 50}
        story.at(minute).push(**rows)
        story.clock(minute + 1)
    assert story.said.alerts
    assert story.said.again == []


def test_layers_of_both_families_are_reviewed():
    """Every layer belongs to a family that a change of silences looks at."""
    assert {stories.family_of(layer) for layer in Layer} == set(FAMILIES)

"""The life of alerts as timelines: stories, flaps, silences, acknowledgements, grades."""

from __future__ import annotations

import json
from itertools import count

import pytest

from schemas.alerts import AlertAction, AlertState, Layer, Persistence
from schemas.commands import read_command

MINUTE = 60_000
WALL_MS = 1_790_000_000_000
CALM = {"repeat": "5m", "give_up": "1h", "flap": "10m", "persistent_after": "30m"}
NUMBERS = count()


def act(story, kind, *, wall_s=0, **fields):
    """Give a command; the log stamps it so many seconds after the start of the story."""
    body = {
        "kind": kind,
        "id": f"{kind}-{next(NUMBERS)}",
        "model": "m",
        "time": 0,
        "by": "ada",
        **fields,
    }
    command = read_command(json.dumps(body).encode())
    story.decide.command(command, WALL_MS + int(wall_s * 1_000))
    out = story.advance()
    return command, out


def steady(story, minutes, **rows):
    """One pane a minute, and the clock with it."""
    for minute in minutes:
        story.at(minute).push(**{"n": 200, "errors": 10, **rows})
        story.clock(minute + 1)
    return story


def told(story, **match):
    """Action, reason and state of every event of alerts that agree in what is given."""
    return [
        (one.action.value, one.reason, one.state.value)
        for one in story.said.alerts
        if all(getattr(one, name) == value for name, value in match.items())
    ]


@pytest.fixture
def quiet(world):
    """Labels mature at once, so that one clock drives all."""

    def build(**changes):
        labels = {"horizon": "2h", "maturity": "0s", "coverage": 0.8, "lateness": "0s"}
        alerting = {**CALM, **changes.pop("alerting", {})}
        return world(labels=labels, lateness="0s", alerting=alerting, **changes)

    return build


def test_an_alert_fires_recovers_and_resolves(quiet):
    """Good windows show as recovering before recovery is proven."""
    story = quiet().story()
    steady(story, range(5))
    steady(story, range(5, 12), errors=50)
    steady(story, range(12, 24))
    kinds = told(story, metric="error_rate")
    assert kinds[0] == ("opened", "", "firing")
    assert ("updated", "recovering", "recovering") in kinds
    assert kinds[-1] == ("resolved", "", "resolved")
    first, *_, last = story.said.alerts
    assert first.incident_id == last.incident_id != ""
    assert first.cause == first.alert_id


def test_a_relapse_before_recovery_is_proven_is_the_same_alert(quiet):
    """Firing, recovering, firing again, and only then the end."""
    story = quiet().story()
    steady(story, range(5))
    steady(story, range(5, 10), errors=60)
    steady(story, range(10, 11), n=80, errors=2)
    steady(story, range(11, 16), errors=60)
    steady(story, range(16, 36))
    reasons = [one.reason for one in story.said.alerts]
    assert reasons.index("recovering") < reasons.index("relapsed")
    assert len({one.alert_id for one in story.said.alerts}) == 1
    assert story.said.alerts[-1].action is AlertAction.RESOLVED


def test_pending_waits_for_windows_and_a_good_one_takes_it_back(quiet):
    """One bad burst is never told; trouble that lasts is told so many windows later."""
    burst = quiet(alerting={"pending": 3}).story()
    steady(burst, range(5))
    steady(burst, range(5, 6), errors=120)
    steady(burst, range(6, 20), errors=0)
    assert burst.said.alerts == []
    at_once, later = quiet().story(), quiet(alerting={"pending": 3}).story()
    for story in (at_once, later):
        steady(story, range(5))
        steady(story, range(5, 15), errors=60)
    first, second = (story.turns[0].window_end_ms for story in (at_once, later))
    assert second == first + 3 * MINUTE


def test_flapping_is_one_incident_with_a_count(quiet):
    """The same test that comes again soon after its end joins the old incident."""
    story = quiet().story()
    steady(story, range(5))
    for start in (5, 45, 85):
        steady(story, range(start, start + 3), errors=80)
        steady(story, range(start + 3, start + 40), errors=2)
    opened = [one for one in story.turns if one.action is AlertAction.OPENED]
    assert len(opened) >= 2
    apart = [
        (b.window_start_ms - a.window_end_ms)
        for a, b in zip(
            [one for one in story.turns if one.action is AlertAction.RESOLVED],
            opened[1:],
            strict=False,
        )
    ]
    incidents = {one.incident_id for one in opened}
    assert len(incidents) == 1 + sum(gap > 10 * MINUTE for gap in apart)


def test_flaps_are_counted_and_recurring_is_graded(quiet):
    """Within the flap time the third opening is recurring, in one incident."""
    story = quiet(alerting={"flap": "2h", "recurring": 3, "memory": "1d"}).story()
    steady(story, range(5))
    for start in (5, 45, 85):
        steady(story, range(start, start + 3), errors=80)
        steady(story, range(start + 3, start + 40), errors=2)
    opened = [one for one in story.turns if one.action is AlertAction.OPENED]
    assert [one.flaps for one in opened] == [0, 1, 2]
    assert len({one.incident_id for one in opened}) == 1
    assert [one.persistence for one in opened] == [
        Persistence.TRANSIENT,
        Persistence.TRANSIENT,
        Persistence.RECURRING,
    ]


def test_what_stays_is_persistent(quiet):
    """Said once, when it has lasted so long."""
    story = quiet().story()
    steady(story, range(5))
    steady(story, range(5, 60), errors=40)
    grades = [one for one in story.said.alerts if one.reason == "persistent"]
    assert [one.persistence for one in grades] == [Persistence.PERSISTENT]
    assert grades[0].window_end_ms >= story.turns[0].window_end_ms + 30 * MINUTE


def test_contract_drift_and_errors_are_one_story_with_the_earliest_cause(quiet):
    """A feature goes missing and drifts, scores and answers follow: one incident, one cause."""
    place = quiet(profile=True, features={"x": {"missing": 0.05}}, alerting={"flap": "1h"})
    story = place.story()
    good = [i / 100 for i in range(100)]
    bad = [0.99] * 60
    for minute in range(40):
        broken = minute >= 5
        story.at(minute).push(
            n=200,
            errors=60 if broken else 10,
            missing=40 if broken else 0,
            values=bad if broken else good,
        )
        story.clock(minute + 1)
    layers = {one.layer for one in story.turns}
    assert {Layer.CONTRACT, Layer.DRIFT, Layer.OUTCOME} <= layers
    assert len({one.incident_id for one in story.turns}) == 1
    latest = {one.alert_id: one for one in story.said.alerts}
    (cause,) = {one.cause for one in latest.values()}
    assert latest[cause].layer is Layer.CONTRACT
    drift = next(one for one in latest.values() if one.layer is Layer.DRIFT)
    assert drift.inhibited_by != ""
    page = next(one for one in latest.values() if one.metric == "error_rate")
    assert page.inhibited_by == "", "a ticket never hides a page"


def test_service_trouble_is_a_story_of_its_own(quiet):
    """Failing requests and wrong answers at one time are two incidents."""
    story = quiet(budgets={"error_rate": 0.1, "service_errors": 0.05}).story()
    steady(story, range(5))
    steady(story, range(5, 15), errors=60, failed=50)
    kinds = {one.metric: one.incident_id for one in story.turns}
    assert kinds["service_errors"] != kinds["error_rate"]


def test_a_silence_hides_and_its_end_is_told(quiet):
    """Alerts under a silence say so; when it ends they are told anew."""
    story = quiet().story()
    steady(story, range(5))
    silence, _ = act(story, "silence", match={"metric": "error_rate"}, duration="20m")
    steady(story, range(5, 15), errors=60)
    (opened,) = story.turns
    assert opened.silenced_by == silence.id
    steady(story, range(15, 40), errors=60)
    (ended,) = (one for one in story.said.alerts if one.reason == "silence_ended")
    assert (ended.silenced_by, ended.state) == ("", AlertState.FIRING)


def test_a_silence_ends_early_on_command(quiet):
    """Unsilence is told at once, though no row comes."""
    story = quiet().story()
    steady(story, range(5))
    silence, _ = act(story, "silence", duration="1d")
    steady(story, range(5, 15), errors=60)
    _, out = act(story, "unsilence", silence_id=silence.id)
    assert [one.reason for one in out.alerts] == ["silence_ended"]


def test_a_silence_of_something_else_hides_nothing(quiet):
    """Every given field must agree."""
    story = quiet().story()
    act(story, "silence", match={"metric": "error_rate", "version": "v9"}, duration="1d")
    steady(story, range(5))
    steady(story, range(5, 15), errors=60)
    assert story.turns[0].silenced_by == ""


def test_an_acknowledgement_holds_until_it_gets_worse(quiet):
    """Who looks after it is told; when the rate rises beyond chance it lapses."""
    story = quiet().story()
    steady(story, range(5))
    steady(story, range(5, 12), errors=40)
    (opened,) = story.turns
    _, out = act(story, "acknowledge", incident_id=opened.incident_id)
    assert [(one.reason, one.acknowledged_by) for one in out.alerts] == [("acknowledged", "ada")]
    steady(story, range(12, 16), errors=40)
    assert "acknowledgement_lapsed" not in {one.reason for one in story.said.alerts}
    steady(story, range(16, 20), errors=150)
    worse = [one for one in story.said.alerts if one.reason == "worse"]
    assert worse
    assert worse[0].acknowledged_by == ""


def test_an_acknowledgement_lapses_when_something_new_joins(quiet):
    """A second alert of the incident was not there when somebody looked."""
    place = quiet(profile=True, features={"x": {"missing": 0.05}}, alerting={"flap": "1h"})
    story = place.story()
    good = [i / 100 for i in range(100)]
    for minute in range(12):
        story.at(minute).push(n=200, errors=60 if minute >= 5 else 10, values=good)
        story.clock(minute + 1)
    act(story, "acknowledge", incident_id=story.turns[0].incident_id)
    for minute in range(12, 24):
        story.at(minute).push(n=200, errors=60, values=good, missing=60)
        story.clock(minute + 1)
    assert any(one.metric == "missing_rate" for one in story.turns)
    lapsed = [one for one in story.said.alerts if one.reason == "acknowledgement_lapsed"]
    assert lapsed
    assert lapsed[0].metric in {"error_rate", "calibration"}


def test_a_command_read_twice_counts_once(quiet):
    """The log may repeat; a silence that was ended stays ended."""
    story = quiet().story()
    steady(story, range(5))
    silence, _ = act(story, "silence", duration="1d")
    act(story, "unsilence", silence_id=silence.id)
    story.decide.command(silence, WALL_MS)
    steady(story, range(5, 15), errors=60)
    assert story.turns[0].silenced_by == ""


def test_what_nobody_confirms_is_said_again_with_the_same_bytes(quiet):
    """Every five minutes of logged wall time, until every target has it."""
    story = quiet().story()
    act(story, "tick", wall_s=0)
    steady(story, range(5))
    steady(story, range(5, 7), errors=120)
    (opened,) = story.turns
    _, soon = act(story, "tick", wall_s=60)
    assert soon.again == []
    _, later = act(story, "tick", wall_s=301)
    assert [one.model_dump_json() for one in later.again if one.id == opened.id] == [
        opened.model_dump_json()
    ]
    act(story, "delivered", wall_s=310, event_id=opened.id, target="pager", settled=False)
    _, still = act(story, "tick", wall_s=620)
    assert opened.id in {one.id for one in still.again}, "one target is not all"
    act(story, "delivered", wall_s=630, event_id=opened.id, target="chat")
    _, quiet_now = act(story, "tick", wall_s=1_000)
    assert opened.id not in {one.id for one in quiet_now.again}


def test_what_nobody_confirms_is_given_up_in_the_end(quiet):
    """After ``give_up`` it is not said again."""
    story = quiet().story()
    act(story, "tick", wall_s=0)
    steady(story, range(5))
    steady(story, range(5, 15), errors=60)
    said = [len(act(story, "tick", wall_s=60 * minute)[1].again) for minute in range(1, 90)]
    assert sum(said[:60]) >= 10
    assert sum(said[62:]) == 0


def test_without_ticks_nothing_is_repeated(quiet):
    """Nobody is there who could confirm."""
    story = quiet().story()
    steady(story, range(5))
    steady(story, range(5, 60), errors=60)
    assert story.turns
    assert story.said.again == []


def test_stories_survive_a_restart(quiet):
    """A checkpoint in the middle changes nothing of what is said."""
    place = quiet(alerting={"flap": "2h"})
    once, cut = place.story(), place.story()
    rows: dict[str, bytes] = {}
    for story in (once, cut):
        act(story, "silence", id="s1", match={"metric": "nothing"}, duration="1d")
        for minute in range(60):
            errors = 150 if minute % 30 in (6, 7, 8) else 4
            steady(story, [minute], errors=errors)
            if story is cut and minute % 7 == 0:
                for name, value in story.decide.changed().items():
                    if value is None:
                        rows.pop(name, None)
                    else:
                        rows[name] = value
                story.decide = place.decide()
                story.decide.load(rows)
    said = [[one.model_dump(exclude={"cut"}) for one in story.said.alerts] for story in (once, cut)]
    assert said[0] == said[1] != []


def test_the_audit_has_every_alert_and_every_command(quiet):
    """In the order in which they were decided, one chain for the model."""
    story = quiet().story()
    steady(story, range(5))
    act(story, "pin", id="p1")
    steady(story, range(5, 15), errors=60)
    kinds = [record.kind for record in story.said.audit]
    assert "command.pin" in kinds
    assert "alert.opened" in kinds
    assert [record.sequence for record in story.said.audit] == list(range(len(kinds)))

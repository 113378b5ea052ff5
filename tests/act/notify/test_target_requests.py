"""What each kind of target gets: the exact bytes, against the documented shapes of their APIs."""

from __future__ import annotations

import asyncio
import json
from collections import deque

import pytest
from acting import NOW_MS, Site
from kittiwake_client import InvalidSignature, verify
from published import an_alert
from receiver import Posted, Receiver
from rollback_requests import requested

from schemas import topics
from schemas.alerts import Alert, AlertAction, Severity
from schemas.base import iso
from schemas.retraining import RetrainReason, RetrainRequest
from schemas.rollouts import RolloutAction
from streams.act.routes import audience

SECRET = {"KEY": "s3cret-key"}
DASHBOARD = "https://grafana.example/d/kittiwake"


def _alert(**changes: object) -> Alert:
    told = {
        "id": "s1",
        "alert_id": "a1",
        "incident_id": "i1",
        "segment": "country=DE",
        "summary": "error rate rose from 2.1 % to 3.4 % & more",
        "owner": "risk",
        "runbook": "docs/runbooks/model-page.md",
        "dashboard": DASHBOARD,
        "opened_at_ms": NOW_MS - 60_000,
    }
    return an_alert(**{**told, **changes})


def _sent(plan: str, *events: Alert, environ: dict[str, str] | None = None) -> list[Posted]:
    """What a target got of events that were published one after the other."""
    with Receiver() as target:
        found = {name: value.replace("URL", target.url) for name, value in (environ or {}).items()}
        site = Site(plan.replace("URL", target.url), found)
        for event in events:
            site.publish(topics.ALERTS, event.incident_id or event.alert_id, event)
        asyncio.run(site.work())
        assert site.letters() == []
        return target.posted


def test_a_webhook_is_signed_so_that_the_client_believes_it() -> None:
    """The signature is of the very bytes and the time of sending; another secret or body fails."""
    plan = "targets:\n  t: {kind: webhook, url: URL/hook, secret_env: KEY}\ndefault: [t]\n"
    (posted,) = _sent(plan, _alert(), environ=SECRET)
    assert posted.path == "/hook"
    assert posted.headers["Kittiwake-Topic"] == "alerts"
    assert posted.headers["Content-Type"] == "application/json"
    assert posted.headers["Kittiwake-Timestamp"] == str(NOW_MS // 1_000)
    assert Alert.model_validate_json(posted.body) == _alert()
    header = {
        "timestamp": posted.headers["Kittiwake-Timestamp"],
        "signature": posted.headers["Kittiwake-Signature"],
        "now_s": NOW_MS / 1_000,
    }
    verify(posted.body, secret="s3cret-key", **header)
    with pytest.raises(InvalidSignature):
        verify(posted.body + b" ", secret="s3cret-key", **header)
    with pytest.raises(InvalidSignature):
        verify(posted.body, secret="other", **header)


def test_a_webhook_without_a_secret_is_not_signed() -> None:
    """Nothing pretends to be a signature."""
    (posted,) = _sent("targets:\n  t: {kind: webhook, url: URL}\ndefault: [t]\n", _alert())
    assert "Kittiwake-Signature" not in posted.headers
    assert posted.key == "s1"


ALERTMANAGER = (
    "targets:\n  t: {kind: alertmanager, url: URL/, token_env: KEY, lasts: 10d}\ndefault: [t]\n"
)


def test_alertmanager_gets_one_alert_with_labels_that_stay() -> None:
    """Beginning, change and end have equal labels and start; only the end ends now."""
    begin = _alert()
    change = _alert(id="s2", action=AlertAction.AMENDED, reason="corrected_labels", n=11)
    end = _alert(id="s3", action=AlertAction.RESOLVED, n=12)
    posted = _sent(ALERTMANAGER, begin, change, end, environ=SECRET)
    assert [one.path for one in posted] == ["/api/v2/alerts"] * 3
    assert posted[0].headers["Authorization"] == "Bearer s3cret-key"
    assert posted[0].json == [
        {
            "labels": {
                "severity": "page",
                "alertname": "KittiwakeAlert",
                "alert_id": "a1",
                "incident_id": "i1",
                "model": "fraud",
                "version": "v1",
                "arm": "baseline",
                "segment": "country=DE",
                "metric": "error_rate",
                "owner": "risk",
            },
            "annotations": {
                "title": "Page: fraud v1, error_rate in country=DE",
                "summary": "error rate rose from 2.1 % to 3.4 % & more",
                "persistence": "transient",
                "runbook": "docs/runbooks/model-page.md",
                "dashboard": DASHBOARD,
            },
            "startsAt": iso(NOW_MS - 60_000),
            "endsAt": iso(NOW_MS + 10 * 86_400_000),
        }
    ]
    sent = [one.json[0] for one in posted]
    assert sent[0]["labels"] == sent[1]["labels"] == sent[2]["labels"]
    assert {one["startsAt"] for one in sent} == {iso(NOW_MS - 60_000)}
    assert sent[2]["endsAt"] == iso(NOW_MS)
    assert sent[2]["annotations"]["runbook"] == "docs/runbooks/model-page.md"
    assert sent[1]["annotations"]["reason"] == "corrected_labels"


def test_what_is_withdrawn_ends_at_alertmanager() -> None:
    """An alert that should never have been does not stay."""
    end = _alert(id="s2", action=AlertAction.WITHDRAWN, reason="corrected_labels")
    sent = _sent(ALERTMANAGER, _alert(), end, environ=SECRET)[1].json[0]
    assert sent["endsAt"] == iso(NOW_MS)


def test_slack_gets_blocks_in_which_nothing_is_a_command() -> None:
    """Slack's control characters in data are shown, and links are those of the web."""
    plan = "targets:\n  t: {kind: slack, url_env: HOOK}\ndefault: [t]\n"
    hook = {"HOOK": "URL/services/T0/B0/xyz"}
    (posted,) = _sent(plan, _alert(summary="rate <!channel> & 3 > 2"), environ=hook)
    assert posted.path == "/services/T0/B0/xyz"
    assert posted.json == {
        "text": "Page: fraud v1, error_rate in country=DE: rate &lt;!channel&gt; &amp; 3 &gt; 2",
        "blocks": [
            {
                "type": "header",
                "text": {
                    "type": "plain_text",
                    "text": "Page: fraud v1, error_rate in country=DE",
                    "emoji": False,
                },
            },
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": "rate &lt;!channel&gt; &amp; 3 &gt; 2"},
            },
            {
                "type": "context",
                "elements": [
                    {
                        "type": "mrkdwn",
                        "text": "*owner*: risk · *persistence*: transient"
                        f" · <{DASHBOARD}|Dashboard>",
                    }
                ],
            },
        ],
    }


PAGERDUTY = "targets:\n  t: {kind: pagerduty, routing_key_env: KEY, url: URL/v2}\ndefault: [t]\n"


def test_pagerduty_gets_an_incident_with_a_severity() -> None:
    """The routing key, a key for the incident, what happened and where to look."""
    (posted,) = _sent(PAGERDUTY, _alert(), environ=SECRET)
    assert posted.path == "/v2"
    assert posted.json == {
        "routing_key": "s3cret-key",
        "event_action": "trigger",
        "dedup_key": "i1",
        "client": "Kittiwake",
        "payload": {
            "summary": "Page: fraud v1, error_rate in country=DE: "
            "error rate rose from 2.1 % to 3.4 % & more",
            "source": "fraud",
            "severity": "critical",
            "component": "fraud",
            "class": "error_rate",
            "custom_details": {"owner": "risk", "persistence": "transient"},
        },
        "links": [{"href": DASHBOARD, "text": "Dashboard"}],
    }


@pytest.mark.parametrize(
    ("severity", "level"),
    [(Severity.PAGE, "critical"), (Severity.TICKET, "warning"), (Severity.WATCH, "info")],
)
def test_pagerduty_has_its_own_words_for_severity(severity: Severity, level: str) -> None:
    """Every severity has a level there."""
    (posted,) = _sent(PAGERDUTY, _alert(severity=severity), environ=SECRET)
    assert posted.json["payload"]["severity"] == level


def test_pagerduty_hears_of_an_acknowledgement_and_of_the_end() -> None:
    """Neither needs more than the two keys."""
    taken = _alert(id="s2", action=AlertAction.UPDATED, acknowledged_by="ada")
    end = _alert(id="s3", action=AlertAction.RESOLVED)
    posted = _sent(PAGERDUTY, _alert(), taken, end, environ=SECRET)
    assert [one.json["event_action"] for one in posted] == ["trigger", "acknowledge", "resolve"]
    assert posted[2].json == {
        "routing_key": "s3cret-key",
        "event_action": "resolve",
        "dedup_key": "i1",
    }


def test_an_incident_at_pagerduty_ends_with_its_last_alert() -> None:
    """The end of one alert does not close what another still says, in whatever process."""
    first, second = _alert(), _alert(id="s2", alert_id="a2", feature="amount")
    with Receiver() as target:
        site = Site(PAGERDUTY.replace("URL", target.url), SECRET)
        for event in (first, second, _alert(id="s3", action=AlertAction.RESOLVED)):
            site.publish(topics.ALERTS, "i1", event)
        asyncio.run(site.work())
        assert [one.json["event_action"] for one in target.posted] == ["trigger", "trigger"]
        end = _alert(id="s4", alert_id="a2", feature="amount", action=AlertAction.RESOLVED)
        site.publish(topics.ALERTS, "i1", end)
        asyncio.run(site.work())
        assert target.posted[-1].json["event_action"] == "resolve"
        assert len(target.posted) == 3
        assert len(site.commands()) == 4


def test_a_secret_that_is_cut_short_is_masked_as_well(caplog: pytest.LogCaptureFixture) -> None:
    """Of a long answer only the beginning is told, which may end in the middle of the address."""
    plan = "targets:\n  t: {kind: slack, url_env: HOOK}\ndefault: [t]\n"
    with Receiver() as target:
        url = f"{target.url}/services/secret-part"
        target.replies.append((403, {}, "x" * (195 - len(target.url)) + url))
        site = Site(plan, {"HOOK": url})
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))
        asyncio.run(site.work())
        (letter,) = site.letters()
        assert "x***" in letter.message
        assert target.url not in letter.message + caplog.text


def test_secrets_are_in_no_letter_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Not when the target repeats them in its answer, nor as part of an address."""
    plan = "targets:\n  t: {kind: slack, url_env: HOOK}\ndefault: [t]\n"
    with Receiver(replies=deque([(403, {}, "no URL/services/secret-part here")])) as target:
        url = f"{target.url}/services/secret-part"
        target.replies[0] = (403, {}, f"not allowed: {url}")
        site = Site(plan, {"HOOK": url})
        site.publish(topics.ALERTS, "a1", _alert())
        caplog.set_level("DEBUG")
        asyncio.run(site.work())
        (letter,) = site.letters()
        assert "answered 403: not allowed: ***" in letter.message
        assert "secret-part" not in letter.message + json.dumps(
            [command.model_dump(mode="json") for command in site.commands()]
        )
        ours = [record for record in caplog.records if record.name.startswith("kittiwake")]
        assert ours
        assert "secret-part" not in "".join(record.getMessage() for record in ours)
        assert not [record for record in caplog.records if record.name == "httpx"]


KINDS = """
targets:
  hook: {kind: webhook, url: URL}
  am: {kind: alertmanager, url: URL}
  chat: {kind: slack, url_env: HOOK}
  pager: {kind: pagerduty, routing_key_env: HOOK, url: URL}
routes:
- {match: {topic: rollouts, severity: watch}, targets: [hook]}
- {match: {owner: "risk*", severity: page}, targets: [pager, hook, pager]}
- {match: {model: credit}, targets: []}
default: [hook, am, chat, pager]
"""


@pytest.mark.parametrize("action", RolloutAction)
def test_people_hear_what_is_said_of_rollouts(action: RolloutAction) -> None:
    """Every target takes every action that is for people; requests and holds are for machines."""
    quiet = {RolloutAction.HOLD, RolloutAction.ROLLBACK_REQUESTED, RolloutAction.ROLLBACK_APPROVED}
    with Receiver() as target:
        plan = KINDS.replace("URL", target.url)
        site = Site(plan, {"HOOK": target.url})
        site.publish(topics.ROLLOUTS, "fraud", requested(id="r1", action=action))
        asyncio.run(site.work())
        expected = 0 if action in quiet else 1 if action is RolloutAction.REVIEWED else 4
        assert target.keys == ["r1"] * expected
        assert site.letters() == []


def test_a_retraining_request_reaches_people() -> None:
    """In the words of each target."""
    request = RetrainRequest(
        id="t1",
        model="fraud",
        version="v12",
        reasons=[RetrainReason.LABELS],
        summary="10,000 new labels",
        from_ms=0,
        to_ms=1,
        labels=10_000,
        features=[],
        evidence=[],
        decided_at_ms=NOW_MS,
        policy="p",
        cut={},
    )
    with Receiver() as target:
        site = Site(KINDS.replace("URL", target.url), {"HOOK": target.url})
        site.publish(topics.RETRAINING, "fraud", request)
        asyncio.run(site.work())
        assert target.keys == ["t1"] * 4
        said = next(one.json for one in target.posted if "blocks" in one.json)
        assert said["text"] == "Retraining: fraud v12: 10,000 new labels"


def test_the_first_route_that_matches_decides() -> None:
    """In order, by owner and severity; a target named twice is told once; else the default."""
    with Receiver() as target:
        site = Site(KINDS.replace("URL", target.url), {"HOOK": target.url})
        read = site.outgoing
        assert audience(read(_alert(owner="risk-eu")), site.plan) == ("pager", "hook")
        assert audience(read(_alert(owner="ads")), site.plan) == ("hook", "am", "chat", "pager")
        assert audience(read(_alert(owner="ads", model="credit")), site.plan) == ()
        silenced = {"owner": "ads", "silenced_by": "c1"}
        assert audience(read(_alert(**silenced)), site.plan) is None
        end = _alert(**silenced, action=AlertAction.RESOLVED)
        assert audience(read(end), site.plan) == ("hook", "am", "pager")

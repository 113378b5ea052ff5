"""A plan is read with positions: each mistake names its place, and no secret stands anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigurationError, PlanError
from streams.act.settings import Secrets, load, loads

EXAMPLE = Path(__file__).parents[2] / "deploy" / "act" / "act.yaml"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "1:1", "empty; give at least targets and default"),
        ("- a\n", "1:1", "not a mapping; start with targets:"),
        ("target: {}\n", "1:1", "unknown key 'target'; did you mean 'targets'?"),
        ("default: [ops]\n", "1:1", "a route names 'ops', which is none of targets; add it there"),
        (
            "targets:\n  ops: {kind: webhok, url: 'http://x'}\n",
            "2:8",
            "targets.ops.kind is 'webhok'; did you mean 'webhook'?",
        ),
        (
            "targets:\n  ops:\n    kind: webhook\n    url: ops.example\n",
            "4:10",
            "targets.ops.url is 'ops.example'",
        ),
        (
            "targets:\n  ops:\n    kind: slack\n    url: 'http://x'\n    url_env: A\n",
            "4:5",
            "unknown key 'url'; did you mean 'url_env'?",
        ),
        (
            "targets:\n  ops: {kind: webhook, url: 'http://x', timeout: 5}\n",
            "2:50",
            "targets.ops.timeout is the number 5; quote it, or give a duration its unit",
        ),
        (
            "routes:\n- match: {severity: loud}\n  targets: []\n",
            "2:21",
            "routes[0].match.severity is 'loud'; choose one of page, ticket, watch",
        ),
        ("targets:\n  ops: {url: 'http://x'}\n", "2:8", "targets.ops.kind is missing; add it"),
        ("retry: {first: 0s}\n", "1:16", "retry: first 0s is no wait; give at least 1ms"),
    ],
)
def test_a_mistake_names_its_place_and_fix(text: str, place: str, message: str) -> None:
    """Line and column count from 1; also inside a target, whose kind says what it may hold."""
    with pytest.raises(PlanError) as error:
        loads(text, "act.yaml")
    assert message in str(error.value)
    assert str(error.value).startswith(f"act.yaml:{place}: ")


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://ops.example.com", True),
        ("http://127.0.0.1:9093/x?to=a@b.example.com", True),
        ("https://me:s3cret@ops.example.com/", False),
        ("https://s3cret@ops.example.com?x", False),
        ("https://ops.example.com/a b", False),
    ],
)
def test_an_address_holds_no_password(url: str, good: bool) -> None:
    """Addresses are told in logs and acknowledgements; a header takes its value from outside."""
    text = f"targets:\n  ops: {{kind: webhook, url: '{url}'}}\n"
    if good:
        assert loads(text).targets["ops"].url == url
    else:
        with pytest.raises(PlanError, match=r"targets\.ops\.url"):
            loads(text)


def test_the_shipped_plan_reads() -> None:
    """It has a target of each kind, and what it names can come from the environment."""
    plan = load(EXAMPLE)
    assert {target.kind for target in plan.targets.values()} == {
        *("webhook", "alertmanager", "slack", "pagerduty"),
    }
    names = [name for name in EXAMPLE.read_text().split() if name.isupper() and "_" in name]
    Secrets.of(plan, dict.fromkeys(names, "x"))


def test_a_missing_secret_stops_the_start() -> None:
    """All that are missing are named, at any depth of the plan; an empty one is missing, too."""
    plan = loads(
        "targets:\n"
        "  a: {kind: slack, url_env: HOOK}\n"
        "  b: {kind: webhook, url: 'http://b', secret_env: KEY}\n"
        "  c: {kind: pagerduty, routing_key_env: ROUTING}\n"
    )
    with pytest.raises(ConfigurationError, match="no HOOK, ROUTING, which"):
        Secrets.of(plan, {"KEY": "k", "HOOK": ""})


@pytest.mark.parametrize("secret", ["s3cret\n", " s3cret", "s3\r\ncret"])
def test_a_secret_that_no_header_takes_stops_the_start(secret: str) -> None:
    """Such as one read from a file with its last line break; the message does not show it."""
    plan = loads("targets:\n  b: {kind: webhook, url: 'http://b', secret_env: KEY}\n")
    with pytest.raises(ConfigurationError, match="KEY begins or ends with white space") as error:
        Secrets.of(plan, {"KEY": secret})
    assert "cret" not in str(error.value)


def test_secrets_are_masked() -> None:
    """In their own repr, and in any text that holds them, the longest first."""
    secrets = Secrets({"A": "abc", "B": "abcdef"})
    assert "abc" not in repr(secrets)
    assert secrets.mask("x abcdef y abc") == "x *** y ***"

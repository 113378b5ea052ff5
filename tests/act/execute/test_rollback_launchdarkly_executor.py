"""LaunchDarkly, against a small server with the recorded shape of its flags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rollback_requests import execute
from rollback_targets import Call, JsonServer, Reply, recorded

from schemas.commands import Outcome
from schemas.executors import LaunchDarkly

ENVIRON = {"LD": "api-123"}
PATH = "/api/v2/flags/risk/fraud"
SEMANTIC = "application/json; domain-model=launchdarkly.semanticpatch"


class Flags:
    """One flag, with JSON patch and semantic patch as documented."""

    def __init__(self) -> None:
        self.flag: Any = recorded("launchdarkly_flag")

    @property
    def production(self) -> Any:
        """The flag in its environment."""
        return self.flag["environments"]["production"]

    def __call__(self, call: Call) -> Reply:
        """Get and patch."""
        if call.headers.get("Authorization") != "api-123":
            return 401, {}, {"code": "unauthorized"}
        if call.path != PATH:
            return 404, {}, {"code": "not_found"}
        if call.method == "PATCH":
            return self.patch(call)
        return 200, {}, self.flag

    def patch(self, call: Call) -> Reply:
        """Turn off, if all tests pass."""
        if call.headers["Content-Type"] == SEMANTIC:
            if call.body["instructions"] != [{"kind": "turnFlagOff"}]:
                return 400, {}, {"code": "invalid_request"}
        else:
            test, replace = call.body
            if test["value"] != self.production["version"]:
                return 409, {}, {"code": "conflict"}
            if replace["path"] != "/environments/production/on":
                return 400, {}, {"code": "invalid_request"}
        self.change(on=False)
        return 200, {}, self.flag

    def change(self, **settings: Any) -> None:
        """Any change counts the version up."""
        self.production.update(settings, version=self.production["version"] + 1)


@pytest.fixture
def flags() -> Flags:
    """On: v12 for all but the off variation v11."""
    return Flags()


@pytest.fixture
def server(flags: Flags) -> Iterator[JsonServer]:
    """Its server."""
    with JsonServer(flags) as running:
        yield running


def settings(server: JsonServer, **changes: object) -> LaunchDarkly:
    """An executor for the flag."""
    return LaunchDarkly.model_validate(
        {
            "kind": "launchdarkly",
            "name": "flags",
            "models": ["fraud"],
            "url": server.url,
            "authorization_env": "LD",
            "project": "risk",
            "environment": "production",
            **changes,
        }
    )


def test_the_flag_is_turned_off_if_its_version_is_the_one_read(server, flags):
    """Test and replace are one JSON patch."""
    done = execute(settings(server), environ=ENVIRON)
    assert (done.outcome, done.generation) == (Outcome.APPLIED, 8)
    (write,) = server.writes()
    assert write.body == [
        {"op": "test", "path": "/environments/production/version", "value": 7},
        {"op": "replace", "path": "/environments/production/on", "value": False},
    ]
    assert server.calls[0].query == {"env": "production"}


@pytest.mark.parametrize("refusal", [409, 400])
def test_a_failed_test_is_a_conflict_however_it_is_answered(server, flags, refusal):
    """The flag moved on between reading and setting: refused as stale."""
    reply = server.answer

    def overtaken(call: Call) -> Reply:
        if call.method == "PATCH":
            flags.change(fallthrough={"variation": 1})
            return refusal, {}, {"code": "test_failed"}
        return reply(call)

    server.answer = overtaken
    done = execute(settings(server), environ=ENVIRON)
    assert done.outcome is Outcome.REFUSED
    assert "at 8" in done.detail
    assert flags.production["on"] is True


def test_turning_it_on_again_is_another_generation(server, flags):
    """A person disagrees before the acknowledgement was recorded: no second transition."""
    assert execute(settings(server), environ=ENVIRON).outcome is Outcome.APPLIED
    flags.change(on=True)
    assert execute(settings(server), environ=ENVIRON).outcome is Outcome.REFUSED
    assert len(server.writes()) == 1


def test_a_semantic_patch_needs_a_person(server, flags):
    """It has no precondition."""
    semantic = settings(server, update="semantic_patch")
    assert "person must approve" in execute(semantic, environ=ENVIRON).detail
    assert execute(semantic, environ=ENVIRON, approvals=["ada"]).outcome is Outcome.APPLIED
    (write,) = server.writes()
    assert write.headers["Content-Type"] == SEMANTIC
    assert write.body["environmentKey"] == "production"


def test_an_off_variation_that_is_another_version_is_refused(server, flags):
    """Turning the flag off would not lead to the target."""
    done = execute(settings(server), environ=ENVIRON, target_version="v10")
    assert done.outcome is Outcome.REFUSED
    assert "can only go back to v11, not to v10" in done.detail


def test_a_patch_that_is_wrong_fails(server, flags):
    """Refused although nothing changed: people are told."""
    server.faults = [400]
    done = execute(settings(server), environ=ENVIRON)
    assert done.outcome is Outcome.FAILED
    assert "answered 400" in done.detail


def test_an_environment_that_is_not_there_fails(server):
    """With its name."""
    done = execute(settings(server, environment="staging"), environ=ENVIRON)
    assert (done.outcome, "no environment 'staging'" in done.detail) == (Outcome.FAILED, True)


def test_a_boolean_flag_goes_by_the_names_of_its_variations(server, flags):
    """True is called v12, false v11."""
    flags.flag["variations"] = [{"value": True, "name": "v12"}, {"value": False, "name": "v11"}]
    assert execute(settings(server), environ=ENVIRON).outcome is Outcome.APPLIED

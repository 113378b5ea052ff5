"""Requests are said again while they are in force, and by nothing else's doing; models in order."""

from __future__ import annotations

import json

import msgspec
import pytest

from schemas.alerting import Alerting
from schemas.commands import read_command
from schemas.deployments import DeploymentAction
from streams.decide.incidents import repeat
from streams.decide.rollback.book import RollbackBook, Stage, put
from streams.decide.rollback.facts import View
from streams.decide.rollback.run import clock as lapse
from streams.decide.rollback.run import requests
from streams.decide.state import State

MINUTE = 60_000
WALL_MS = 1_790_000_000_000


@pytest.fixture
def asked(world):
    """A story in which a rollback has just been requested, with ticks."""
    place = world(
        canary={"guardrails": [{"metric": "service_errors", "margin": 0.01}]},
        budgets={"error_rate": 0.2, "service_errors": 0.02},
        alerting={"repeat": "5m"},
    )
    place.deploy(0, "v1", DeploymentAction.DEPLOYED)
    place.deploy(10, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=0.25, generation=7)
    story = place.story()
    tick(story, 0)
    for minute in range(10, 20):
        story.at(minute).push(n=750, failed=5, errors=37)
        story.push(n=250, failed=60, errors=12, version="v2", arm="canary")
        story.clock(minute + 1)
    return story


def give(story, kind, wall_s=0, **fields):
    """A command, and what is said again because of it."""
    body = {"kind": kind, "id": f"{kind}{wall_s}", "model": "m", "time": 0, "by": "a", **fields}
    story.decide.command(read_command(json.dumps(body).encode()), WALL_MS + wall_s * 1_000)
    return [one.id for one in story.advance().again]


def tick(story, wall_s):
    """A tick."""
    return give(story, "tick", wall_s)


def request(story):
    """The request in force."""
    (found,) = requests(story.decide._state)
    return found


def test_an_answer_that_the_protocol_ignores_ends_no_request(asked):
    """Of another rollback, of another model, or the delivery of some event: it is said again."""
    one = request(asked)
    key = {"idempotency_key": one.idempotency_key, "executor": "e", "outcome": "applied"}
    give(asked, "executed", 1, rollback_id="another", **key)
    give(asked, "executed", 2, model="other", rollback_id=one.rollback_id, **key)
    assert one.id in tick(asked, 400)
    give(asked, "executed", 401, rollback_id=one.rollback_id, **key)
    assert one.id not in tick(asked, 800)


def test_a_request_that_is_over_as_soon_as_it_is_made_is_not_repeated(asked):
    """The deployment had changed already when the advice came."""
    state, one = asked.decide._state, request(asked)
    book = state.rollbacks.get("m")
    state.unconfirmed.drop(one.idempotency_key)
    repeat.track(state, [one], 0, lambda policy: Alerting())
    assert state.unconfirmed.get(one.idempotency_key) is not None
    state.unconfirmed.drop(one.idempotency_key)
    (case,) = book.cases.values()
    state.rollbacks.put("m", put(book, msgspec.structs.replace(case, stage=Stage.APPLIED)))
    repeat.track(state, [one], 0, lambda policy: Alerting())
    assert state.unconfirmed.get(one.idempotency_key) is None


def test_models_are_told_in_order_whatever_the_order_in_memory(asked):
    """A checkpoint comes back in the order of the log, and the bytes must not depend on it."""
    one = request(asked)
    (case,) = asked.decide._state.rollbacks.get("m").cases.values()
    told = []
    for models in (["a", "b", "c"], ["c", "a", "b"]):
        state = State()
        for model in models:
            own = one.model_copy(update={"model": model}).model_dump_json().encode()
            known = msgspec.structs.replace(case, advice=own, request=own)
            state.rollbacks.put(model, put(RollbackBook(), known))
        decide = asked.decide
        view = View(state, decide._control, decide._subjects, {}, case.deadline_ms)
        assert [known.model for known in requests(state)] == ["a", "b", "c"]
        told.append([(event.model, event.action.value) for event in lapse(view, ())])
    assert told[0] == told[1] == [(model, "rollback.expired") for model in "abc"]

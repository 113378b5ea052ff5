"""The interlocks at the target, the choice of an executor, and its settings."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import TypeAdapter, ValidationError
from rollback_requests import NOW_MS, Book, requested

from schemas.commands import Executed, Outcome
from schemas.errors import ConfigurationError
from schemas.executors import ExecutorSettings
from schemas.rollouts import RolloutAction
from streams.act.execute import build, handle
from streams.act.execute.contract import Observed, Request, request_of
from streams.act.execute.rules import CLAIM_MS, Reason, judge

READ: TypeAdapter[ExecutorSettings] = TypeAdapter(ExecutorSettings)


def request(**changes: object) -> Request:
    """The request as an attempt sees it."""
    made = request_of(requested(**changes), at_ms=NOW_MS)
    assert isinstance(made, Request)
    return made


def seen(version: str | None = "v12", generation: int | None = 7, **more: object) -> Observed:
    """What a target says."""
    return Observed(version=version, generation=generation, token="t", **more)


@pytest.mark.parametrize(
    ("asked", "observed", "guarded", "reason"),
    [
        ({}, seen(), True, Reason.GO),
        ({}, seen(None), True, Reason.GO),
        ({}, seen("v11", 8), True, Reason.SERVED),
        ({"expires_at_ms": NOW_MS}, seen("v11", 8), True, Reason.SERVED),
        ({"expires_at_ms": NOW_MS}, seen(), True, Reason.EXPIRED),
        ({}, seen("v12", 8), True, Reason.STALE),
        ({}, seen("v12", 6), True, Reason.STALE),
        ({"approvals": ["ada"]}, seen("v13", None), False, Reason.STALE),
        ({"approvals": ["ada"]}, seen(None, None), False, Reason.STALE),
        ({}, seen(back_to="v10"), True, Reason.OTHER_TARGET),
        ({}, seen(back_to="v11"), True, Reason.GO),
        ({}, seen(), False, Reason.NEEDS_APPROVAL),
        ({}, seen("v12", None), True, Reason.NEEDS_APPROVAL),
        ({"approvals": ["ada"]}, seen("v12", None), False, Reason.GO),
        ({}, seen(claimed_at_ms=NOW_MS - CLAIM_MS + 1), True, Reason.IN_PROGRESS),
        ({}, seen(claimed_at_ms=NOW_MS - CLAIM_MS), True, Reason.CLAIMED),
    ],
)
def test_each_interlock_has_its_reason(asked, observed, guarded, reason):
    """Approval never makes a stale or expired request good."""
    verdict = judge(request(**asked), observed, compare_and_set=guarded)
    assert verdict.reason is reason
    assert bool(verdict.detail) == (reason is not Reason.GO)


@pytest.mark.parametrize("approvals", [[], ["ada"]])
def test_approval_does_not_lift_the_interlocks(approvals):
    """It stands in for compare-and-set alone."""
    for observed in (seen("v13", 8), seen(back_to="v10")):
        verdict = judge(request(approvals=approvals), observed, compare_and_set=False)
        assert verdict.outcome is Outcome.REFUSED


def test_only_requests_with_a_key_are_handled():
    """All else that is said of a rollout is passed over, and so is a model nobody serves."""
    executors = build([READ.validate_python(command(models=["churn*"]))], {})

    def handled(**changes: object) -> Executed | None:
        return asyncio.run(handle(requested(**changes), executors, Book(), NOW_MS))

    for action in RolloutAction:
        if action is not RolloutAction.ROLLBACK_REQUESTED:
            assert handled(action=action, model="churn") is None
    assert handled(model="churn", idempotency_key="") is None
    assert handled(model="fraud") is None
    assert handled(model="churn-eu").outcome is Outcome.FAILED


def command(**changes: object) -> dict[str, object]:
    """Settings of a program that is not there."""
    return {"kind": "command", "name": "c", "models": ["*"], "argv": ["/no/such"], **changes}


def test_the_first_executor_that_serves_a_model_acts():
    """In the order of the list."""
    named = [("eu", ["fraud-eu"]), ("fraud", ["fraud*"]), ("all", ["*"])]
    settings = [READ.validate_python(command(name=name, models=models)) for name, models in named]
    executors = build(settings, {})
    names = [executors.of(model).executor.name for model in ("fraud-eu", "fraud-us", "churn")]
    assert names == ["eu", "fraud", "all"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([command(), command()], "two executors are called 'c'"),
        ([command(environment=["NOT_SET"])], "c: the environment variable NOT_SET is not set"),
        (
            [{"kind": "kserve", "name": "k", "models": ["*"], "namespace": "m", "ca_file": "/no"}],
            "k: no file /no",
        ),
        (
            [
                {
                    "kind": "mlflow",
                    "name": "m",
                    "models": ["*"],
                    "url": "http://mlflow",
                    "alias": "a",
                    "authorization_env": "MLFLOW_AUTH",
                }
            ],
            "m: the environment variable MLFLOW_AUTH is not set",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(settings, said):
    """Not when the first rollback comes."""
    with pytest.raises(ConfigurationError, match=said):
        build([READ.validate_python(one) for one in settings], {})


@pytest.mark.parametrize(
    "settings",
    [
        command(kind="lambda"),
        command(models=[]),
        command(argv=[]),
        command(timeout="soon"),
        {"kind": "http", "name": "h", "models": ["*"], "url": "ftp://x"},
        {"kind": "http", "name": "h", "models": ["*"], "url": "http://x", "secret": "abc"},
    ],
)
def test_settings_of_a_wrong_shape_are_refused(settings):
    """By their schema."""
    with pytest.raises(ValidationError):
        READ.validate_python(settings)

"""Rollbacks as timelines: from advice through people, executors and clocks to an end."""

from __future__ import annotations

from itertools import count

import pytest

from schemas.commands import Approve, Command, Executed, Outcome, Pin, Reject, Tick, Unpin
from schemas.deployments import DeploymentAction
from schemas.rollouts import RolloutAction, RolloutEvent
from streams.decide.rollback.run import requests

MINUTE = 60_000
WALL_MS = 1_790_000_000_000
START, WORSE_UNTIL = 10, 60
ASKED = ["rollback.advised", "rollback.approved", "rollback.requested"]
FAILING = [{"metric": "service_errors", "margin": 0.01}]
WRONG = [{"metric": "error_rate", "margin": 0.01}]
SERIAL = count(1)


class Tale:
    """A canary that fails requests from minute ten on, and what is done about it.

    Everything is told minute by minute; the early track needs no labels, so the advice comes a
    minute or two later.
    """

    def __init__(self, world, guardrails=FAILING, **changes):
        self.world = world(
            canary={"guardrails": guardrails},
            budgets={"error_rate": 0.2, "service_errors": 0.02},
            **changes,
        )
        self.world.deploy(0, "v1", DeploymentAction.DEPLOYED)
        self.world.deploy(
            START, "v2", DeploymentAction.CANARY_STARTED, role="canary", share=0.25, generation=7
        )
        self.story = self.world.story()
        self.minute = START

    def run(self, until, *, failed=60, canary=250, baseline=5, n=750, **rows):
        """Both arms serve until a minute; of their requests ``failed`` and ``baseline`` fail."""
        said = []
        for minute in range(self.minute, until):
            at = self.story.at(minute)
            at.push(n=n, failed=baseline, errors=n // 20, **rows)
            if canary:
                at.push(n=canary, failed=failed, version="v2", arm="canary", errors=12, **rows)
            said += self.story.clock(minute + 1).rollouts
        self.minute = until
        return named(said)

    def do(self, kind, **fields):
        """A command of the model, read now."""
        return self.give(command(kind, **fields))

    def give(self, *given: Command):
        """Commands, read together."""
        for one in given:
            self.story.decide.command(one, WALL_MS)
        return named(self.story.advance().rollouts)

    def person(self, kind, by, **fields):
        """What somebody wants of the rollback."""
        return self.do(kind, by=by, rollback_id=self.last.rollback_id, **fields)

    def ack(self, outcome=Outcome.APPLIED, **fields):
        """An executor's answer to the request."""
        body = {
            "rollback_id": self.last.rollback_id,
            "idempotency_key": self.last.idempotency_key,
            "executor": "alias",
            "outcome": outcome,
        }
        return self.do(Executed, **(body | fields))

    @property
    def last(self) -> RolloutEvent:
        """What was said last of the rollback."""
        return self.told[-1]

    @property
    def told(self) -> list[RolloutEvent]:
        """All that was said of rollbacks."""
        return [one for one in self.story.said.rollouts if named([one])]

    def restart(self):
        """Everything is forgotten but the checkpoint."""
        rows = self.story.decide.changed()
        self.kept = getattr(self, "kept", {}) | rows
        self.story.decide = self.world.decide()
        self.story.decide.load({k: v for k, v in self.kept.items() if v is not None})


def command(kind, by="ada", **fields) -> Command:
    """A command with an id of its own."""
    name = kind.__name__.lower()
    return kind(kind=name, id=f"c{next(SERIAL)}", model="m", time=0, by=by, **fields)


def named(said):
    """The actions about rollbacks, in order."""
    return [one.action.value for one in said if one.action.value.startswith("rollback.")]


@pytest.fixture
def tale(world):
    """Begins a tale, with the protocol of the policy as options."""

    def begin(guardrails=FAILING, policy=(), **rollback):
        return Tale(world, guardrails, rollback=rollback, **dict(policy))

    return begin


def test_a_low_risk_is_approved_by_the_policy_and_expires_when_nobody_acts(tale):
    """Advised, approved and requested in one step; after an hour it is over."""
    told = tale()
    assert told.run(20) == ASKED
    asked = told.last
    assert (asked.target_version, asked.generation, asked.approvals) == ("v1", 7, [])
    assert asked.benefit[0].metric == "service_errors"
    assert asked.benefit[0].low > 0.01
    assert len(asked.evidence) == 3
    assert [one.idempotency_key for one in requests(told.story.decide._state)] == [
        asked.idempotency_key
    ]
    assert told.run(71, failed=0) == []
    assert told.run(73, failed=0) == ["rollback.expired"]
    assert told.last.decided_at_ms == asked.expires_at_ms
    assert told.last.reason == "not_executed"
    assert list(requests(told.story.decide._state)) == []
    assert told.run(90, failed=0) == []


def test_a_high_risk_waits_for_one_person(tale):
    """Nothing is requested before; the approval is on the request."""
    told = tale(risk="high")
    assert told.run(20) == ["rollback.advised"]
    assert told.person(Approve, "ada") == ASKED[1:]
    assert told.last.approvals == ["ada"]
    assert told.last.decided_at_ms == 20 * MINUTE
    assert told.last.expires_at_ms == 80 * MINUTE


def test_two_people_are_two_people(tale):
    """The same person twice is one; commands read again change nothing; a restart forgets none."""
    told = tale(risk="critical")
    told.run(20)
    first = command(Approve, "ada", rollback_id=told.last.rollback_id)
    assert told.give(first, first) == []
    assert told.person(Approve, "ada") == []
    told.restart()
    assert told.person(Approve, "bob") == ASKED[1:]
    assert told.last.approvals == ["ada", "bob"]


def test_an_approval_comes_too_late(tale):
    """The advice lapses after `approve_within`, and stays lapsed."""
    told = tale(risk="high", approve_within="30m")
    told.run(20)
    assert told.run(45) == ["rollback.expired"]
    assert told.last.reason == "not_approved"
    assert told.person(Approve, "ada") == []


def test_one_rejection_ends_it(tale):
    """Before a request, and while it is out."""
    told = tale(risk="high")
    told.run(20)
    assert told.person(Reject, "bob") == ["rollback.rejected"]
    assert told.person(Approve, "ada") == []
    out = tale()
    out.run(20)
    assert out.person(Reject, "bob") == ["rollback.rejected"]
    assert "bob" in out.last.summary
    assert list(requests(out.story.decide._state)) == []


def test_a_pin_forbids_until_it_is_lifted(tale):
    """Refused once with its reason, requested when the pin is gone."""
    told = tale()
    told.do(Pin)
    assert told.run(20) == [*ASKED[:2], "rollback.refused"]
    assert told.last.blocked_by == ["pin"]
    assert told.run(30) == []
    assert told.do(Unpin) == ["rollback.requested"]


def test_a_pin_ends_by_itself(tale):
    """Its length counts from when it was read."""
    told = tale()
    told.run(11)
    told.do(Pin, duration="20m")
    assert told.run(20) == [*ASKED[:2], "rollback.refused"]
    assert told.run(30) == []
    assert told.run(32) == ["rollback.requested"]
    assert told.last.decided_at_ms == 31 * MINUTE


def test_a_pin_that_lasts_outlasts_the_advice(tale):
    """What is forbidden for too long expires, and says why."""
    told = tale(approve_within="20m")
    told.do(Pin)
    told.run(20)
    assert told.run(45) == ["rollback.expired"]
    assert told.last.reason == "blocked"
    assert told.do(Unpin) == []


def test_an_unhealthy_target_is_no_target(tale):
    """The baseline fails as well, only less: refused until it is well again."""
    told = tale()
    assert told.run(20, baseline=60, failed=100) == [*ASKED[:2], "rollback.refused"]
    assert told.last.blocked_by == ["target_not_healthy"]
    assert "v1 is not known" not in told.last.summary
    assert told.run(21, baseline=60, failed=100) == []
    assert "rollback.requested" in told.run(60, failed=100)


def test_labels_taken_back_forbid_a_rollback_that_rests_on_them(tale):
    """The error rate was proven on labels that are gone by the time somebody approves."""
    told = tale(WRONG, risk="high")
    for minute in range(START, 40):
        told.story.at(minute).push(n=750, errors=30)
        told.story.at(minute).push(n=250, errors=60, version="v2", arm="canary")
    said = named(told.story.clock(55).rollouts)
    assert said == ["rollback.advised"]
    window = told.last.window_start_ms // MINUTE
    taken = told.world.deltas(window, labelled=200, errors=48, version="v2", arm="canary")
    for delta in taken:
        delta.values[:] = [-value for value in delta.values]
    told.story.decide.apply(told.world.batch(taken, **told.story.marks))
    assert told.person(Approve, "ada") == ["rollback.approved", "rollback.refused"]
    assert told.last.blocked_by == ["labels_not_covered"]


def test_applied_and_the_metric_came_back(tale):
    """Verified on windows after the application, with the numbers that show it."""
    told = tale()
    told.run(20)
    assert told.ack() == ["rollback.applied"]
    assert told.run(80, canary=0, n=1_000) == ["rollback.verified"]
    assert "rate of service errors 0.5" in told.last.summary
    assert told.last.decided_at_ms > 21 * MINUTE
    assert told.run(100, canary=0) == []
    assert told.ack() == []


def test_applied_and_the_metric_did_not_come_back(tale):
    """The target fails as much as the canary did: people are called, once."""
    told = tale(verify_within="30m")
    told.run(20)
    told.ack()
    assert told.run(70, canary=0, baseline=200) == ["rollback.escalated"]
    assert told.last.reason == "not_verified"
    assert "needs people" in told.last.summary
    assert "27 % of" in told.last.summary


def test_a_version_that_still_serves_is_not_rolled_back(tale):
    """The executor says applied, and the canary goes on: nothing is verified."""
    told = tale(verify_within="30m")
    told.run(20)
    told.ack()
    assert told.run(70, failed=0) == ["rollback.escalated"]


def test_silence_after_the_rollback_is_no_proof(tale):
    """No traffic, no verdict: escalated, and it says that nothing was shown."""
    told = tale(verify_within="30m")
    told.run(20)
    told.ack()
    assert named(told.story.clock(70).rollouts) == ["rollback.escalated"]
    assert "v1 has shown nothing since" in told.last.summary


def test_an_executor_that_fails_calls_people(tale):
    """Failed and refused alike; a later answer of the same kind changes nothing."""
    for outcome in (Outcome.FAILED, Outcome.REFUSED):
        told = tale()
        told.run(20)
        assert told.ack(outcome, detail="generation 8") == [
            "rollback.failed",
            "rollback.escalated",
        ]
        assert "generation 8" in told.told[-2].reason
        assert told.ack(outcome) == []


def test_foreign_and_repeated_answers_change_nothing(tale):
    """Another key, another rollback, a second word."""
    told = tale()
    told.run(20)
    assert told.ack(idempotency_key="another") == []
    assert told.ack(rollback_id="another") == []
    assert told.ack() == ["rollback.applied"]
    assert told.ack(Outcome.FAILED) == []


def test_an_answer_after_the_deadline_is_a_fact(tale):
    """The executor was in time, its word was not: the rollback is applied all the same."""
    told = tale(expiry="10m")
    told.run(20)
    assert told.run(40) == ["rollback.expired"]
    assert told.ack() == ["rollback.applied"]
    assert told.last.reason == "applied: alias, after it was expired"
    assert told.run(90, canary=0, n=1_000) == ["rollback.verified"]


def test_a_deployment_event_is_an_answer(tale):
    """Whoever rolled back by hand has carried out the request."""
    told = tale()
    told.run(20)
    told.world.deploy(19, "v2", DeploymentAction.ROLLED_BACK)
    assert told.run(21, canary=0) == ["rollback.applied"]
    assert told.last.decided_at_ms == 19 * MINUTE
    assert told.run(90, canary=0, n=1_000) == ["rollback.verified"]


def test_what_serves_no_more_is_not_rolled_back(tale):
    """Somebody stopped the canary before anybody approved."""
    told = tale(risk="high")
    told.run(20)
    told.world.deploy(20, "v2", DeploymentAction.CANARY_STOPPED)
    assert told.run(22, canary=0) == ["rollback.expired"]
    assert told.last.reason == "superseded"
    assert told.person(Approve, "ada") == []


@pytest.mark.parametrize("applied", [False, True])
def test_evidence_that_is_taken_back_withdraws_the_rollback(tale, applied):
    """Corrections say that the canary was right: said, whether it was applied or not."""
    told = tale(WRONG, expiry="2h")
    for minute in range(START, 40):
        told.story.at(minute).push(n=750, errors=30)
        told.story.at(minute).push(n=250, errors=60, version="v2", arm="canary")
    assert named(told.story.clock(55).rollouts) == ASKED
    if applied:
        assert told.ack() == ["rollback.applied"]
    corrected = []
    for minute in range(START, 40):
        arm = {"version": "v2", "arm": "canary"}
        right = told.world.deltas(minute, labelled=250, errors=10, late=True, **arm)
        wrong = told.world.deltas(minute, labelled=250, errors=60, late=True, **arm)
        for delta in wrong:
            delta.values[:] = [-value for value in delta.values]
        corrected += [*right, *wrong]
    told.story.decide.apply(told.world.batch(corrected, **told.story.marks))
    assert named(told.story.clock(56).rollouts) == ["rollback.withdrawn"]
    assert ("after it was applied" in told.last.summary) == applied
    [rail] = told.last.guardrails
    assert (rail.mean_canary, rail.mean_baseline) == (0.04, 0.04)
    assert rail.log_e_harm < rail.threshold_harm / 2
    assert named(told.story.clock(57).rollouts) == []
    assert told.ack() == ([] if applied else ["rollback.applied"])


def test_cool_down_and_the_number_of_a_day_are_of_the_model(tale):
    """A second canary fails right after the first was rolled back: it has to wait its turn."""
    told = tale(cool_down="30m", max_per_day=2)
    told.run(20)
    told.ack()
    told.world.deploy(20, "v2", DeploymentAction.ROLLED_BACK)
    told.run(22, canary=0)
    told.world.deploy(22, "v2", DeploymentAction.CANARY_STARTED, role="canary", generation=9)
    assert "rollback.refused" in told.run(40)
    assert told.last.blocked_by == ["cool_down"]
    assert told.last.rollback_id != told.told[0].rollback_id
    assert "rollback.requested" in told.run(55)
    assert told.last.decided_at_ms == 50 * MINUTE


def test_time_goes_on_by_ticks_when_no_row_comes(tale):
    """A model that fell silent lets its request expire all the same."""
    told = tale()
    told.run(20)
    tick = {"by": "act"}
    told.story.decide.command(command(Tick, **tick), WALL_MS)
    assert named(told.story.advance().rollouts) == []
    told.story.decide.command(command(Tick, **tick), WALL_MS + 61 * MINUTE)
    assert named(told.story.advance().rollouts) == ["rollback.expired"]


def test_every_step_has_an_id_of_its_own_and_one_key(tale):
    """Consumers know each event, and executors the request."""
    told = tale(risk="high")
    told.run(20)
    told.person(Approve, "ada"), told.ack()
    told.run(80, canary=0, n=1_000)
    said = told.told
    assert len(said) == 5
    assert len({one.id for one in said}) == 5
    assert len({(one.rollback_id, one.idempotency_key, one.generation) for one in said}) == 1
    assert said[-1].action is RolloutAction.ROLLBACK_VERIFIED

"""The rollback protocol under arbitrary interleavings, against an oracle that keeps its own books.

The oracle knows the interlocks by their words in the documentation and nothing of the code. It
demands both that nothing forbidden is requested and that what nothing forbids is requested, and
each rule taken out of the protocol must make it fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from schemas.commands import Approve, Executed, Outcome, Pin, Reject, Unpin
from schemas.rollouts import RolloutAction as Action
from streams.decide.rollback import interlocks, protocol
from streams.decide.rollback.book import (
    DAY_MS,
    KEPT_MS,
    LIVE,
    WAITING,
    Case,
    Facts,
    RollbackBook,
    Rules,
    Stage,
)
from streams.decide.rollback.given import (
    Advised,
    CarriedOut,
    Clock,
    Given,
    Recovered,
    Superseded,
    Withdrawn,
)
from streams.decide.rollback.protocol import Turn, step

MINUTE = 60_000
PEOPLE = ("ada", "bob")
CASES = ("r1", "r2", "r3")
EXECUTORS = ("alias", "mesh")
NEVER = 1 << 60

ENDS = {
    Action.ROLLBACK_REJECTED,
    Action.ROLLBACK_EXPIRED,
    Action.ROLLBACK_VERIFIED,
    Action.ROLLBACK_ESCALATED,
}


def minutes(*of: int) -> st.SearchStrategy[int]:
    """One of some lengths, in milliseconds."""
    return st.sampled_from([one * MINUTE for one in of])


RULES = st.builds(
    Rules,
    approvals=st.sampled_from([0, 0, 1, 2]),
    approve_within_ms=minutes(20, 60),
    expiry_ms=minutes(5, 30),
    cool_down_ms=minutes(0, 10, 40),
    max_per_day=st.integers(1, 2),
    verify_within_ms=minutes(15, 60),
)


@dataclass
class Seen:
    """What the oracle knows of one rollback; times are None until they are."""

    rules: Rules
    advised_ms: int
    facts: Facts
    people: set[str] = field(default_factory=set)
    requested_ms: int | None = None
    applied_ms: int | None = None
    over: bool = False
    said: list[Action] = field(default_factory=list)

    @property
    def approved(self) -> bool:
        """Whether enough different people have approved."""
        return len(self.people) >= self.rules.approvals

    @property
    def in_force(self) -> bool:
        """Whether an executor may act on its request."""
        return self.requested_ms is not None and self.applied_ms is None and not self.over


class Protocol(RuleBasedStateMachine):
    """Evidence, people, executors and the clock in any order, repeated and out of place."""

    def __init__(self) -> None:
        super().__init__()
        self.book = RollbackBook()
        self.now = 1_000 * DAY_MS
        self.seen: dict[str, Seen] = {}
        self.pinned_until = 0
        self.applied: list[int] = []
        self.events: set[tuple[str, Action, str]] = set()
        self.serial = 0

    @initialize(rules=RULES, facts=st.builds(Facts, st.booleans(), st.booleans()))
    def begin(self, rules: Rules, facts: Facts) -> None:
        """Most runs have a rollback from the start."""
        self.advise("r1", rules, facts)

    @rule(
        case=st.sampled_from(CASES),
        rules=RULES,
        facts=st.builds(Facts, st.sampled_from([True, True, False]), st.just(True)),
    )
    def advise(self, case: str, rules: Rules, facts: Facts) -> None:
        """Evidence, also told again in other words."""
        new = case not in self.seen
        if new:
            self.seen[case] = Seen(rules, self.now, facts)
        turn = self.take(Advised(case, f"key of {case}", rules, b"advice"))
        assert (Action.ROLLBACK_ADVISED in said_of(turn, case)) == new
        assert new == (turn.ignored == "")

    @rule(case=st.sampled_from(CASES), by=st.sampled_from(PEOPLE))
    def approve(self, case: str, by: str) -> None:
        """A person, perhaps the same again, perhaps too late."""
        self.lapse()
        if case in self.seen and not self.seen[case].over and not self.seen[case].approved:
            self.seen[case].people.add(by)
        self.take(Approve(**self.command("approve", by), rollback_id=case))

    @rule(case=st.sampled_from(CASES), by=st.sampled_from(PEOPLE))
    def reject(self, case: str, by: str) -> None:
        """One refusal ends it, unless it is applied."""
        self.lapse()
        known = self.seen.get(case)
        open_ = known is not None and not known.over and known.applied_ms is None
        if known is not None and open_:
            known.over = True
        turn = self.take(Reject(**self.command("reject", by), rollback_id=case))
        assert (Action.ROLLBACK_REJECTED in said_of(turn, case)) == open_

    @rule(length=st.sampled_from([5, 30, None]), by=st.sampled_from(PEOPLE))
    def pin(self, length: int | None, by: str) -> None:
        """For a while, or until it is taken away; a pin never shortens another."""
        until = NEVER if length is None else self.now + length * MINUTE
        self.pinned_until = max(self.pinned_until, until)
        duration = None if length is None else f"{length}m"
        self.take(Pin(**self.command("pin", by), duration=duration))

    @rule(by=st.sampled_from(PEOPLE))
    def unpin(self, by: str) -> None:
        """Every pin is taken away."""
        self.pinned_until = 0
        self.take(Unpin(**self.command("unpin", by)))

    @rule(
        case=st.sampled_from(CASES),
        right=st.sampled_from([True, True, False]),
        outcome=st.sampled_from([Outcome.APPLIED, Outcome.APPLIED, *Outcome]),
        by=st.sampled_from(EXECUTORS),
    )
    def hear(self, case: str, right: bool, outcome: Outcome, by: str) -> None:
        """An executor: in time, late, again, or with the key of something else."""
        self.acknowledge(case, right, outcome, by)

    def acknowledge(self, case: str, right: bool, outcome: Outcome, by: str) -> None:
        """An acknowledgement counts where it is the first of its request."""
        self.lapse()
        known = self.seen.get(case)
        first = known is not None and known.requested_ms is not None and known.applied_ms is None
        counts = right and first and (outcome is Outcome.APPLIED or not known.over)
        if known is not None and counts:
            if outcome is Outcome.APPLIED:
                known.applied_ms, known.over = self.now, False
                self.applied.append(self.now)
            else:
                known.over = True
        turn = self.take(
            Executed(
                **self.command("executed", by),
                rollback_id=case,
                idempotency_key=f"key of {case}" if right else "key of another",
                executor=by,
                outcome=outcome,
            )
        )
        assert (turn.ignored == "") == counts
        told = said_of(turn, case)
        assert (Action.ROLLBACK_APPLIED in told) == (counts and outcome is Outcome.APPLIED)
        if counts and outcome is not Outcome.APPLIED:
            failed = told.index(Action.ROLLBACK_FAILED)
            assert told[failed + 1] is Action.ROLLBACK_ESCALATED

    @precondition(lambda self: any(known.in_force for known in self.seen.values()))
    @rule(by=st.sampled_from(EXECUTORS))
    def carry_out(self, by: str) -> None:
        """An executor does as it was asked, so that most runs have applications."""
        [case] = [id_ for id_, known in self.seen.items() if known.in_force]
        self.acknowledge(case, True, Outcome.APPLIED, by)

    @rule(case=st.sampled_from(CASES), ago=minutes(0, 5, 20))
    def deploy(self, case: str, ago: int) -> None:
        """Somebody changed what serves, a while ago: it counts if the request was in force then."""
        known = self.seen.get(case)
        told = False
        if known is not None and known.in_force and known.requested_ms is not None:
            at_ms = max(self.now - ago, known.requested_ms)
            told = at_ms < known.requested_ms + known.rules.expiry_ms
            if told:
                known.applied_ms = at_ms
                self.applied.append(at_ms)
        turn = self.take(CarriedOut(case, self.now - ago))
        assert (Action.ROLLBACK_APPLIED in said_of(turn, case)) == told
        assert (turn.ignored == "") == told

    @rule(case=st.sampled_from(CASES))
    def withdraw(self, case: str) -> None:
        """Later labels take the evidence back; what was applied is told, and stays applied."""
        self.lapse()
        known = self.seen.get(case)
        first = known is not None and Action.ROLLBACK_WITHDRAWN not in known.said
        told = known is not None and first and (not known.over or known.applied_ms is not None)
        if known is not None and known.applied_ms is None:
            known.over = True
        turn = self.take(Withdrawn(case))
        assert (Action.ROLLBACK_WITHDRAWN in said_of(turn, case)) == told

    @rule(case=st.sampled_from(CASES))
    def supersede(self, case: str) -> None:
        """Other versions serve by now."""
        self.lapse()
        known = self.seen.get(case)
        if known is not None and known.requested_ms is None:
            known.over = True
        self.take(Superseded(case))

    @rule(case=st.sampled_from(CASES))
    def recover(self, case: str) -> None:
        """The metric came back; of what was not applied, that means nothing."""
        self.lapse()
        known = self.seen.get(case)
        due = known is not None and known.applied_ms is not None and not known.over
        if known is not None and due:
            known.over = True
        turn = self.take(Recovered(case))
        assert (Action.ROLLBACK_VERIFIED in said_of(turn, case)) == due

    @precondition(lambda self: bool(self.seen))
    @rule(
        case=st.sampled_from(CASES),
        facts=st.builds(Facts, st.booleans(), st.booleans()),
    )
    def learn(self, case: str, facts: Facts) -> None:
        """The target falls ill or gets well, labels come or are taken back."""
        if case in self.seen:
            self.seen[case].facts = facts
        self.take(Clock())

    @rule(ahead=minutes(1, 5, 10, 20, 45, 600, 1_440))
    def wait(self, ahead: int) -> None:
        """Time passes, or jumps."""
        self.now += ahead
        self.take(Clock())

    @rule(ahead=minutes(1, 5, 10, 20, 45, 600))
    def sleep(self, ahead: int) -> None:
        """Time passes, and what comes next finds it passed."""
        self.now += ahead

    def command(self, kind: str, by: str) -> dict[str, object]:
        """The head of a command."""
        self.serial += 1
        return {"kind": kind, "id": f"c{self.serial}", "model": "m", "time": 0, "by": by}

    def lapse(self) -> None:
        """What the deadlines end before anything else is looked at."""
        for known in self.seen.values():
            if known.over:
                continue
            if known.applied_ms is not None:
                deadline = known.applied_ms + known.rules.verify_within_ms
            elif known.requested_ms is not None:
                deadline = known.requested_ms + known.rules.expiry_ms
            else:
                deadline = known.advised_ms + known.rules.approve_within_ms
            known.over = self.now >= deadline

    def forbidden(self, known: Seen) -> set[str]:
        """The interlocks that forbid a request now."""
        since = [self.now - applied for applied in self.applied]
        holds = {
            "pin": self.now < self.pinned_until,
            "in_force": any(other.in_force for other in self.seen.values()),
            "cool_down": any(passed < known.rules.cool_down_ms for passed in since),
            "max_per_day": sum(passed < DAY_MS for passed in since) >= known.rules.max_per_day,
            "target_not_healthy": not known.facts.healthy,
            "labels_not_covered": not known.facts.covered,
        }
        return {name for name, held in holds.items() if held}

    def take(self, given: Given) -> Turn:
        """One step, and what it may and must have said."""
        self.lapse()
        before = self.book
        turn = step(before, given, self.now, lambda case: self.seen[case.id].facts)
        self.book = turn.book
        for said in turn.said:
            known = self.seen[said.case.id]
            event = (said.case.id, said.action, said.reason)
            assert event not in self.events, f"said twice: {event}"
            self.events.add(event)
            assert said.at_ms <= self.now
            assert known.said or said.action is Action.ROLLBACK_ADVISED
            if said.action is Action.ROLLBACK_REQUESTED:
                self.requested(said.case.id, said.case.key)
            elif said.action is Action.ROLLBACK_REFUSED:
                assert set(said.blocked_by) == self.forbidden(known)
                assert known.approved and not known.over
            elif said.action is Action.ROLLBACK_APPROVED:
                assert known.approved
                assert set(said.case.approvals) == known.people
            known.said.append(said.action)
        again = step(self.book, Clock(), self.now, lambda case: self.seen[case.id].facts)
        assert again.said == () and again.book == self.book
        return turn

    def requested(self, case: str, key: str) -> None:
        """A request breaks no interlock, and there is one of each rollback at most."""
        known = self.seen[case]
        assert known.requested_ms is None, "a second request"
        assert not known.over, "a request of what is over"
        assert known.approved, "a request without quorum"
        assert self.forbidden(known) == set(), "a request in spite of an interlock"
        assert key == f"key of {case}"
        known.requested_ms = self.now

    @invariant()
    def books_agree(self) -> None:
        """Stage by stage both say the same; what is approved and not forbidden does not wait."""
        if not self.book_is_current():
            return
        for known in self.seen.values():
            if known.approved and not known.over and known.requested_ms is None:
                assert self.forbidden(known)
        in_force = [case for case in self.book.cases.values() if case.stage is Stage.REQUESTED]
        assert len(in_force) <= 1
        for id_, known in self.seen.items():
            case = self.book.cases.get(id_)
            if case is None:
                assert known.over
                continue
            assert (case.stage in LIVE) == (not known.over), id_
            assert (case.stage is Stage.REQUESTED) == known.in_force, id_
            assert case.requested_ms == known.requested_ms
            assert case.applied_ms == known.applied_ms

    @invariant()
    def the_book_survives_a_checkpoint(self) -> None:
        """What is written is read back equal."""
        raw = msgspec.msgpack.encode(self.book)
        assert msgspec.msgpack.decode(raw, type=RollbackBook) == self.book

    def book_is_current(self) -> bool:
        """Whether a step was made at the present time."""
        over = {id_: known.over for id_, known in self.seen.items()}
        self.lapse()
        same = over == {id_: known.over for id_, known in self.seen.items()}
        for id_, known in self.seen.items():
            known.over = over[id_]
        return same and step(self.book, Clock(), self.now, self.facts_of).said == ()

    def facts_of(self, case: Case) -> Facts:
        """What is known of a rollback."""
        return self.seen[case.id].facts

    def teardown(self) -> None:
        """Every rollback ends, and each request ends in a word about it."""
        for ahead in (60 * MINUTE, 60 * MINUTE, 60 * MINUTE):
            self.now += ahead
            self.take(Clock())
        assert not [case for case in self.book.cases.values() if case.stage in LIVE]
        for known in self.seen.values():
            assert known.said.count(Action.ROLLBACK_REQUESTED) <= 1
            assert known.said.count(Action.ROLLBACK_APPLIED) <= 1
            if known.requested_ms is not None:
                after = known.said[known.said.index(Action.ROLLBACK_REQUESTED) + 1 :]
                assert ENDS & set(after) or Action.ROLLBACK_WITHDRAWN in after
        self.now += KEPT_MS + DAY_MS
        self.take(Clock())


def said_of(turn: Turn, case: str) -> list[Action]:
    """What a step said of one rollback."""
    return [said.action for said in turn.said if said.case.id == case]


GENTLE = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
Protocol.TestCase.settings = GENTLE
TestInterlocks = Protocol.TestCase


def without(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    """The protocol without one interlock."""
    return lambda patch: patch.delitem(interlocks.INTERLOCKS, name)


def instead(place: object, name: str, value: object) -> Callable[[pytest.MonkeyPatch], None]:
    """The protocol with another rule in one place."""
    return lambda patch: patch.setattr(place, name, value)


def twice(case: Case, by: str) -> Case:
    """Counts each approval, whoever gives it."""
    return msgspec.structs.replace(case, approvals=(*case.approvals, by))


BROKEN = {
    **{f"no {name}": without(name) for name in interlocks.INTERLOCKS},
    "no quorum": instead(interlocks, "quorate", lambda case: True),
    "one person counts twice": instead(interlocks, "consented", twice),
    "no expiry": instead(interlocks, "overdue", lambda case, now_ms: False),
    "late by one": instead(interlocks, "overdue", lambda case, now_ms: now_ms > case.deadline_ms),
    "any key": instead(interlocks, "acknowledges", lambda case, key: True),
    "a request cannot be stopped": instead(protocol, "OPEN", WAITING),
    "applications are forgotten": instead(
        protocol,
        "forget",
        lambda book, now_ms: msgspec.structs.replace(book, applied_ms=()),
    ),
    "other rollbacks are lost": instead(
        protocol, "put", lambda book, case: msgspec.structs.replace(book, cases={case.id: case})
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_protocol_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same machine fails on every protocol that lacks one rule."""
    BROKEN[name](monkeypatch)
    searching = settings(
        GENTLE,
        max_examples=1_500,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Protocol, settings=searching)

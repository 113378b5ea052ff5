"""Rollbacks of all models: advice, commands and time in, events to publish out.

The protocol decides; here it is told what is known, and its steps become events.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import cast

import msgspec

from schemas.base import milliseconds
from schemas.commands import Approve, Command, Executed, Pin, Reject, Unpin
from schemas.deployments import DeploymentAction
from schemas.durations import duration_ms
from schemas.policy import Policy
from schemas.rollouts import RolloutAction, RolloutEvent
from streams.decide.keys import WindowKey
from streams.decide.rollback import events, evidence, verify
from streams.decide.rollback.book import LIVE, WAITING, Case, Facts, RollbackBook, Stage, in_order
from streams.decide.rollback.facts import View, at, facts, harmed, rollout_of
from streams.decide.rollback.given import (
    Advised,
    CarriedOut,
    Clock,
    Given,
    Recovered,
    Superseded,
    Withdrawn,
)
from streams.decide.rollback.protocol import Said, step
from streams.decide.state import State

_STOPS = frozenset({DeploymentAction.ROLLED_BACK, DeploymentAction.CANARY_STOPPED})
"""What in the log of deployments carries a rollback out."""


def follow(view: View, said: Sequence[RolloutEvent]) -> list[RolloutEvent]:
    """Events of rollouts, and after each advice to roll back what the protocol makes of it."""
    found: list[RolloutEvent] = []
    for event in said:
        if event.action is RolloutAction.ROLLBACK_ADVISED:
            found += _advise(view, event)
        else:
            found.append(event)
    return found


def command(view: View, given: Command) -> list[RolloutEvent]:
    """What follows from a command of a person or an executor; others change nothing here."""
    if not isinstance(given, Approve | Reject | Pin | Unpin | Executed):
        return []
    return _step(view, given.model, given)


def clock(view: View, revised: Collection[WindowKey]) -> list[RolloutEvent]:
    """What follows from time, from deployments, and from windows that were revised or are new."""
    found: list[RolloutEvent] = []
    for model, book in sorted(view.state.rollbacks.items()):
        if not book.cases:
            continue
        for case in in_order(book):
            if case.stage in LIVE or _may_be_withdrawn(case):
                found += _observe(view, model, case, revised)
        found += _step(view, model, Clock())
    return found


def requests(state: State) -> Iterator[RolloutEvent]:
    """Every request in force, as it was said."""
    for model in sorted(state.rollbacks):
        for case in in_order(state.rollbacks.get(model) or RollbackBook()):
            if case.stage is Stage.REQUESTED:
                yield RolloutEvent.model_validate_json(case.request)


def _advise(view: View, advice: RolloutEvent) -> list[RolloutEvent]:
    policy = view.control.policy(advice.policy)
    if policy is None:
        return [advice]
    rules = events.rules_of(policy, settle_ms=_settle_ms(view, advice))
    begun = events.advised(advice, now_ms=view.now_ms, rules=rules)
    given = Advised(
        begun.rollback_id, begun.idempotency_key, rules, begun.model_dump_json().encode()
    )
    return _step(view, advice.model, given, at_ms=advice.decided_at_ms)


def _settle_ms(view: View, advice: RolloutEvent) -> int:
    """How long after its end a window shows whether the metric came back."""
    window = at(view, advice.model, advice.canary, advice.arm, advice.window_start_ms)
    if window is None:
        return 0
    subject = window.subject
    delay = subject.label_delay_ms if verify.needs_labels(advice) else subject.input_delay_ms
    return delay + subject.window_ms


def _step(view: View, model: str, given: Given, *, at_ms: int | None = None) -> list[RolloutEvent]:
    """One step of a model's protocol; ``at_ms`` is the time of the evidence that alone decided."""
    before = view.state.rollbacks.get(model) or RollbackBook()
    turn = step(before, given, view.now_ms, lambda case: _facts(view, case))
    book, found = turn.book, []
    for said in turn.said:
        own = at_ms is not None and isinstance(given, Advised) and said.case.id == given.rollback_id
        event = _told(view, said, cast(int, at_ms) if own else said.at_ms)
        if said.action is RolloutAction.ROLLBACK_REQUESTED:
            book = _with_request(book, said.case.id, event)
        found.append(event)
    if book != before:
        view.state.rollbacks.put(model, book)
    for case in before.cases.values():
        # A request that is over is not to be said again, whoever ended it.
        if case.stage is Stage.REQUESTED and _is_over(book, case.id):
            view.state.unconfirmed.drop(case.key)
    return found


def _is_over(book: RollbackBook, id_: str) -> bool:
    return id_ not in book.cases or book.cases[id_].stage is not Stage.REQUESTED


def _told(view: View, said: Said, at_ms: int) -> RolloutEvent:
    shown: list[verify.Shown] = []
    policy = _policy(view, said.case)
    if said.case.applied_ms is not None and policy is not None:
        rails = harmed(events.advice_of(said.case))
        found = [verify.shown(said.case, rail, policy) for rail in rails]
        shown = [one for one in found if one is not None]
    event = events.told(said, view.cut, at_ms=at_ms, shown=shown)
    if said.action is RolloutAction.ROLLBACK_WITHDRAWN:
        now = evidence.revised(view, events.advice_of(said.case))
        return event.model_copy(update={"guardrails": now})
    return event


def _with_request(book: RollbackBook, id_: str, event: RolloutEvent) -> RollbackBook:
    asked = msgspec.structs.replace(book.cases[id_], request=event.model_dump_json().encode())
    return msgspec.structs.replace(book, cases=book.cases | {id_: asked})


def _policy(view: View, case: Case) -> Policy | None:
    return view.control.policy(events.advice_of(case).policy)


def _facts(view: View, case: Case) -> Facts:
    policy = _policy(view, case)
    if policy is None:
        return Facts(healthy=False, covered=False)
    within_ms = duration_ms(policy.rollback.healthy_within)
    return facts(view, events.advice_of(case), healthy_within_ms=within_ms)


def _observe(
    view: View, model: str, case: Case, revised: Collection[WindowKey]
) -> list[RolloutEvent]:
    """What the world has shown of one rollback since the last look."""
    advice = events.advice_of(case)
    found = _deployed(view, model, case, advice)
    known = _current(view, model, case.id)
    if known is not None and _may_be_withdrawn(known):
        found += _check(view, model, known, advice, revised)
        known = _current(view, model, case.id)
    if known is not None and known.stage is Stage.APPLIED:
        found += _verify(view, model, known, advice)
    return found


def _deployed(view: View, model: str, case: Case, advice: RolloutEvent) -> list[RolloutEvent]:
    """The log of deployments says that a request was carried out, or that it has no object."""
    rollout = rollout_of(view, advice)
    if rollout is None or rollout.stop_ms is None or rollout.stop_ms > view.now_ms:
        return []
    if case.stage in WAITING:
        return _step(view, model, Superseded(case.id))
    if case.stage is not Stage.REQUESTED or not _carried_out(view, rollout.stop_ms, advice):
        return []
    return _step(view, model, CarriedOut(case.id, rollout.stop_ms))


def _carried_out(view: View, stop_ms: int, advice: RolloutEvent) -> bool:
    return any(
        milliseconds(event.time) == stop_ms
        and (event.action in _STOPS or event.version == advice.target_version)
        for event in view.control.deployments(advice.model)
    )


def _may_be_withdrawn(case: Case) -> bool:
    return not case.withdrawn and (case.stage in LIVE or case.applied_ms is not None)


def _check(
    view: View, model: str, case: Case, advice: RolloutEvent, revised: Iterable[WindowKey]
) -> list[RolloutEvent]:
    """Evidence is looked at again when its windows have changed, once in a window's time."""
    if case.revised or any(_rests_on(advice, window) for window in revised):
        window = at(view, model, advice.canary, advice.arm, advice.window_start_ms)
        length_ms = 0 if window is None else window.subject.window_ms
        if view.now_ms - case.checked_ms < length_ms:
            _keep(view, model, case, msgspec.structs.replace(case, revised=True))
        elif evidence.stands(view, advice):
            after = msgspec.structs.replace(case, revised=False, checked_ms=view.now_ms)
            _keep(view, model, case, after)
        else:
            return _step(view, model, Withdrawn(case.id))
    return []


def _rests_on(advice: RolloutEvent, window: WindowKey) -> bool:
    return (
        window.model == advice.model
        and window.segment == ""
        and window.version in (advice.canary, advice.baseline)
        and window.start_ms < advice.window_end_ms
    )


def _verify(view: View, model: str, case: Case, advice: RolloutEvent) -> list[RolloutEvent]:
    after = verify.observe(view, case, advice)
    _keep(view, model, case, after)
    policy = _policy(view, case)
    if after is case or policy is None or not verify.recovered(after, advice, policy):
        return []
    return _step(view, model, Recovered(case.id))


def _current(view: View, model: str, id_: str) -> Case | None:
    book = view.state.rollbacks.get(model)
    return None if book is None else book.cases.get(id_)


def _keep(view: View, model: str, before: Case, after: Case) -> None:
    book = view.state.rollbacks.get(model)
    if book is not None and after != before:
        view.state.rollbacks.put(
            model, msgspec.structs.replace(book, cases=book.cases | {after.id: after})
        )

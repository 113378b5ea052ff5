"""Say it again until somebody confirms: a delivery, or an executor's acknowledgement.

Only while ticks come: they are the sign that somebody is there who could confirm. What is repeated
has the same id and the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from schemas.alerting import Alerting
from schemas.alerts import ENDS, Alert
from schemas.commands import Command, Delivered
from schemas.durations import duration_ms
from schemas.retraining import RetrainRequest
from schemas.rollouts import FOR_MACHINES, RolloutAction, RolloutEvent
from streams.decide import clock
from streams.decide.incidents.records import Unconfirmed
from streams.decide.rollback.book import RollbackBook, Stage
from streams.decide.state import State

Confirmable: TypeAlias = Alert | RolloutEvent | RetrainRequest

MODELS: dict[str, type[Confirmable]] = {
    "alert": Alert,
    "rollout": RolloutEvent,
    "retrain": RetrainRequest,
}


def confirm(state: State, heeded: Iterable[Command]) -> None:
    """Forget what has reached all its targets.

    A request is forgotten where the protocol takes an answer of an executor: one that it ignores
    ends nothing.
    """
    for command in heeded:
        if isinstance(command, Delivered) and command.settled:
            state.unconfirmed.drop(command.event_id)


def due(state: State, now_ms: int) -> list[Confirmable]:
    """What is to be said again now, in order of id; what nobody confirmed in time is given up."""
    again: list[Confirmable] = []
    for name, one in sorted(state.unconfirmed.items()):
        if one.until_ms <= now_ms:
            state.unconfirmed.drop(name)
        elif one.next_ms <= now_ms:
            again.append(MODELS[one.kind].model_validate_json(one.json))
            missed = (now_ms - one.next_ms) // one.every_ms + 1
            state.unconfirmed.put(name, one.later(missed))
    return again


def track(
    state: State, said: Sequence[Confirmable], now_ms: int, rules: Callable[[str], Alerting]
) -> None:
    """Remember what was said for the first time, if somebody is to confirm it."""
    if not clock.ticking(state):
        return
    for event in said:
        if not _awaited(state, event):
            continue
        own = rules(event.policy)
        every_ms = duration_ms(own.repeat)
        name, until_ms = event.id, now_ms + duration_ms(own.give_up)
        kind = next(kind for kind, model in MODELS.items() if isinstance(event, model))
        if isinstance(event, RolloutEvent) and event.action is RolloutAction.ROLLBACK_REQUESTED:
            name, until_ms = event.idempotency_key, event.expires_at_ms or until_ms
        state.unconfirmed.put(
            name,
            Unconfirmed(
                kind=kind,
                json=event.model_dump_json().encode(),
                next_ms=now_ms + every_ms,
                until_ms=until_ms,
                every_ms=max(every_ms, 1),
            ),
        )


def _awaited(state: State, event: Confirmable) -> bool:
    """Whether somebody is to confirm an event: what is hidden is not delivered, and a request may
    be over as soon as it is made."""
    match event:
        case Alert():
            return event.action in ENDS or not (event.silenced_by or event.inhibited_by)
        case RolloutEvent(action=RolloutAction.ROLLBACK_REQUESTED):
            book = state.rollbacks.get(event.model) or RollbackBook()
            case = book.cases.get(event.rollback_id)
            return case is not None and case.stage is Stage.REQUESTED
        case RolloutEvent():
            return event.action not in FOR_MACHINES
        case RetrainRequest():
            return True

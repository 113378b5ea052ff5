"""The audit chain of each model: every decision and every command, in order.

What is remembered of a chain is its length, the hash of its newest record and the peaks of its
tree: a few hundred bytes however long it gets. It is part of the checkpoint, and the records go
out through the outbox, so that a crash makes neither a gap nor a fork.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from schemas.alerts import Alert
from schemas.audit import AuditRecord
from schemas.commands import Command, Delivered, Tick
from schemas.fallback import Advice
from schemas.retraining import RetrainRequest
from schemas.rollouts import RolloutEvent
from streams.audit import merkle
from streams.audit.link import leaf_of, linked
from streams.decide.state import AuditHead, State

Entry: TypeAlias = tuple[str, str, str, int, Mapping[str, object]]
"""Model, kind, id of the event, when (event time, ms), and the event as JSON."""

Decision: TypeAlias = Alert | RolloutEvent | RetrainRequest | Advice


def chain(state: State, entries: Iterable[Entry]) -> list[AuditRecord]:
    """Records of what was decided or commanded, each linked to the one before it in its model.

    Examples
    --------
    >>> state = State()
    >>> first, second = chain(state, [("m", "k", "e1", 5, {}), ("m", "k", "e2", 6, {"x": 1})])
    >>> first.previous, second.previous == first.hash
    ('', True)
    >>> [record.sequence for record in chain(state, [("m", "k", "e3", 7, {})])]
    [2]
    """
    made = []
    for model, kind, event_id, at_ms, subject in entries:
        head = state.audit.get(model) or AuditHead()
        record = linked(
            model=model,
            sequence=head.length,
            previous=head.hash,
            peaks=head.peaks,
            kind=kind,
            event_id=event_id,
            at_ms=at_ms,
            subject=subject,
        )
        peaks = merkle.push(head.peaks, head.length, leaf_of(record.hash))
        state.audit.put(model, AuditHead(head.length + 1, record.hash, peaks))
        made.append(record)
    return made


def decided(event: Decision) -> Entry:
    """The entry of a decision; a hold is one as well."""
    subject = event.model_dump(mode="json")
    match event:
        case Alert():
            return event.model, f"alert.{event.action}", event.id, event.window_end_ms, subject
        case RolloutEvent():
            return event.model, f"rollout.{event.action}", event.id, event.decided_at_ms, subject
        case RetrainRequest():
            return event.model, "retrain", event.id, event.decided_at_ms, subject
        case Advice():
            return event.model, "advice", event.id, event.since_ms, subject


def commanded(command: Command, at_ms: int) -> list[Entry]:
    """The entry of a command, as DECIDE took it at ``at_ms``; a tick of the clock has none, nor has
    word that an event was delivered.

    Examples
    --------
    >>> from schemas.commands import read_command
    >>> value = b'{"kind":"pin","id":"c1","model":"fraud","time":0,"by":"ada"}'
    >>> ((model, kind, event_id, at_ms, subject),) = commanded(read_command(value), 9)
    >>> model, kind, event_id, at_ms, subject["by"]
    ('fraud', 'command.pin', 'c1', 9, 'ada')
    """
    if isinstance(command, Delivered | Tick):
        return []
    subject = command.model_dump(mode="json")
    return [(command.model, f"command.{command.kind}", command.id, at_ms, subject)]

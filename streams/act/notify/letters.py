"""Dead letters of events that a target never took."""

from __future__ import annotations

import base64

from schemas.dead_letters import DeadLetter, Reason
from schemas.ids import content_id
from streams.act.journal import SOURCE
from streams.act.outgoing import Outgoing
from streams.dead_letters import KEPT_BYTES, TEXT_LENGTH
from streams.records import Message
from streams.runtime.envelope import dead_message
from streams.runtime.settings import Settings


def letter(
    outgoing: Outgoing, target: str, message: str, settings: Settings, *, now_ms: int
) -> Message:
    """The dead letter of an event that was given up at a target; ``field`` names the target."""
    value = DeadLetter(
        id=content_id(outgoing.id, target, "dead"),
        topic=outgoing.topic,
        partition=outgoing.partition,
        offset=outgoing.offset,
        row=0,
        reason=Reason.UNDELIVERED,
        field=target,
        message=f"{target} never took it: {message}"[:TEXT_LENGTH],
        value_base64=base64.b64encode(outgoing.body[:KEPT_BYTES]).decode(),
        time_ms=now_ms,
    )
    return dead_message(value, settings, source=SOURCE)

"""A checkpoint of INGEST as the records of one transaction, and back."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import msgspec

from schemas import cloudevents, topics
from schemas.review import ReviewRequest
from streams.ingest.admit.routes import Route
from streams.ingest.checkpoint import Checkpoint, ShardState
from streams.records import Message
from streams.runtime import checkpoint, join_log, summary_log
from streams.runtime.envelope import dead_message, enveloped
from streams.runtime.settings import Settings
from streams.runtime.store import StoreMark

STATE = "state"
ROUTE = "route/"
"""Before the number of each route among the parts of a checkpoint."""


class Saved(msgspec.Struct):
    """The shard's own part of its state in the checkpoint topic; its store is of that lineage."""

    lineage: str
    shard: ShardState


def messages(
    number: int,
    lineage: str,
    done: Checkpoint,
    *,
    settings: Settings,
    summaries: summary_log.Target,
) -> list[Message]:
    """All that a checkpoint of a shard writes."""
    state: dict[str, bytes | None] = {
        STATE: msgspec.msgpack.encode(Saved(lineage, done.state)),
        **{f"{ROUTE}{i}": msgspec.msgpack.encode(r) for i, r in done.new_routes.items()},
    }
    mark = StoreMark(lineage, done.state.epoch, done.state.sequence, 0)
    return [
        *summary_log.messages(summaries, done),
        *(dead_message(dead, settings, source="ingest") for dead in done.dead),
        *(_review_message(settings.topic(topics.REVIEW), asked) for asked in done.reviews),
        *join_log.messages(settings.topic(topics.JOIN_LOG), number, mark, done.join_changes),
        *checkpoint.messages(settings.topic(topics.CHECKPOINTS), number, f"ingest/{number}", state),
    ]


def saved(parts: Mapping[str, bytes]) -> Saved:
    """The state among the parts of a checkpoint; a new one where there is none."""
    if STATE in parts:
        return msgspec.msgpack.decode(parts[STATE], type=Saved)
    return Saved(uuid.uuid4().hex, ShardState(epoch=0))


def routes(parts: Mapping[str, bytes]) -> dict[int, Route]:
    """The routes among the parts of a checkpoint, by number."""
    return {
        int(part.removeprefix(ROUTE)): msgspec.msgpack.decode(value, type=Route)
        for part, value in parts.items()
        if part.startswith(ROUTE)
    }


def _review_message(topic: str, asked: ReviewRequest) -> Message:
    return enveloped(
        asked,
        topic=topic,
        key=asked.model,
        type=cloudevents.REVIEW,
        source="ingest",
        id=asked.id,
        time_ms=asked.time_ms,
    )

"""What came from Kittiwake: an alert, or a word about a rollout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

ROLLBACK_REQUESTED = "rollback.requested"

_NAMES = ("id", "action", "model")


@dataclass(frozen=True, slots=True)
class Received:
    """One event of the topics ``alerts`` or ``rollouts``.

    ``topic`` is without prefix. ``id`` is the same in every repetition and in every replay;
    ``action`` is what happened, such as ``opened`` or ``rollback.requested``; ``body`` holds all
    fields, those of later versions too.
    """

    topic: str
    id: str
    action: str
    model: str
    body: Mapping[str, object]

    @classmethod
    def parse(cls, topic: str, value: bytes) -> Received:
        """The event of a record's bytes.

        Raises
        ------
        ValueError
            If they are no event of Kittiwake.

        Examples
        --------
        >>> Received.parse("alerts", b'{"id": "a1", "action": "opened", "model": "fraud"}').action
        'opened'
        """
        try:
            body = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{topic}: not JSON: {error}") from error
        if not isinstance(body, dict):
            raise ValueError(f"{topic}: {value[:80]!r} is no JSON object")
        for name in _NAMES:
            if not isinstance(body.get(name), str):
                raise ValueError(f"{topic}: {name} is {body.get(name)!r:.80}, not a text")
        return cls(topic, body["id"], body["action"], body["model"], body)


@dataclass(frozen=True, slots=True)
class RollbackRequest:
    """A request to take a canary out of service.

    Act on an ``idempotency_key`` once, only while it is current, and only while the deployment's
    generation is ``generation``: then a late or repeated request changes nothing.
    ``target_version`` is what should serve instead, None if none is known to be healthy. Tell
    what came of it by `Publisher.executed`.

    Examples
    --------
    >>> request = RollbackRequest("k1", "fraud", "v2", "v1", "v1", 3, 1_000, "harm", "v2 is worse")
    >>> request.is_current(999), request.is_current(1_000)
    (True, False)
    """

    idempotency_key: str
    model: str
    canary: str
    baseline: str
    target_version: str | None
    generation: int
    expires_at_ms: int | None
    reason: str
    summary: str
    rollback_id: str = ""

    @classmethod
    def of(cls, received: Received) -> RollbackRequest | None:
        """The request in an event, None if it is something else.

        Raises
        ------
        ValueError
            If a rollback request lacks what an executor needs.
        """
        if received.action != ROLLBACK_REQUESTED:
            return None
        body = received.body
        return cls(
            idempotency_key=_text(body, "idempotency_key"),
            model=received.model,
            canary=_text(body, "canary"),
            baseline=_text(body, "baseline"),
            target_version=None
            if body.get("target_version") is None
            else _text(body, "target_version"),
            generation=_whole(body, "generation"),
            expires_at_ms=None
            if body.get("expires_at_ms") is None
            else _whole(body, "expires_at_ms"),
            reason=_text(body, "reason"),
            summary=_text(body, "summary"),
            rollback_id=_text(body, "rollback_id"),
        )

    def is_current(self, now_ms: int) -> bool:
        """Whether it may still be acted on at ``now_ms`` (milliseconds since 1970)."""
        return self.expires_at_ms is None or now_ms < self.expires_at_ms


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise ValueError(f"rollback request: {name} is {value!r:.80}, not a text")
    return value


def _whole(body: Mapping[str, object], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"rollback request: {name} is {value!r:.80}, not a whole number")
    return value

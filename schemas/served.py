"""Served: what the log knows of one prediction, as an answer to "who decided this, under what?"."""

from __future__ import annotations

from typing import Any

from schemas.base import Message
from schemas.predictions import Arm


class Place(Message):
    """Where a row stands in the log, and when the log took it; ``row`` is its place in a batch."""

    topic: str
    partition: int
    offset: int
    row: int
    logged_at_ms: int


class Rules(Message):
    """The activation in force at a prediction's event time, with the policy and the reference
    ("" for none) that it names.

    ``later`` says that it came into the log after the prediction: rows that had been read by then
    were judged by what was in force before.
    """

    policy: str
    reference: str
    effective_at_ms: int
    later: bool


class Deployed(Message):
    """The newest deployment event of the version by then."""

    action: str
    role: Arm
    share: float | None
    generation: int
    time_ms: int


class Told(Message):
    """A feedback event, as it was published."""

    place: Place
    time_ms: int
    content: dict[str, Any]


class Decided(Message):
    """A record of the audit chain."""

    sequence: int
    kind: str
    event_id: str
    at_ms: int
    summary: str
    policy: str
    hash: str


class Served(Message):
    """One prediction: which version served it when, in which role, under which policy.

    ``content`` is the event without its features and embeddings; ``repeats`` are later rows of the
    same id, which count as duplicates. ``shadows`` name the version of each shadow of the answer.
    ``feedback`` is in the order of the log. ``decisions`` are those whose window it was in,
    ``advice`` what services were told at its time. ``chain`` says what is wrong with the audit
    chain that they come from, "" where it is whole.
    """

    model: str
    prediction_id: str
    version: str
    arm: Arm
    time_ms: int
    place: Place
    content: dict[str, Any]
    repeats: list[Place]
    shadows: dict[str, str]
    rules: Rules | None
    deployed: Deployed | None
    feedback: list[Told]
    decisions: list[Decided]
    advice: Decided | None
    chain: str

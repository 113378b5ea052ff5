"""Commands: what people, executors and clocks tell DECIDE, one log for all of them.

Durations are relative: they begin at the moment at which DECIDE reads the command, in the time
that it decides by, so that a replay of the log gives the same ends.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, get_args

from pydantic import Field, TypeAdapter

from schemas.alerts import Severity
from schemas.base import Event, EventTime, Identifier, Name
from schemas.durations import Duration


class _Command(Event):
    """What every command says: who wants what for which model, and why.

    ``id`` is unique: a command read twice counts once. ``time`` is when it was given, for people.
    """

    id: Identifier
    model: Name
    time: EventTime
    by: Name
    comment: Annotated[str, Field(max_length=2_000)] = ""


class Acknowledge(_Command):
    """Somebody looks after an incident; it lapses when the evidence changes."""

    kind: Literal["acknowledge"]
    incident_id: Identifier


class Matcher(Event):
    """Which alerts of the model a silence is about: those that agree in all that is given."""

    version: Name | None = None
    segment: str | None = None
    metric: Name | None = None
    feature: str | None = None
    severity: Severity | None = None


class Silence(_Command):
    """Do not deliver alerts like these for a while; its own ``id`` ends it early."""

    kind: Literal["silence"]
    match: Matcher = Matcher()
    duration: Duration


class Unsilence(_Command):
    """End a silence."""

    kind: Literal["unsilence"]
    silence_id: Identifier


class Approve(_Command):
    """Consent to a rollback; each person (``by``) counts once."""

    kind: Literal["approve"]
    rollback_id: Identifier


class Reject(_Command):
    """Refuse a rollback; one refusal ends it."""

    kind: Literal["reject"]
    rollback_id: Identifier


class Pin(_Command):
    """Keep the versions as they are: no rollback is requested meanwhile; None is until `Unpin`."""

    kind: Literal["pin"]
    duration: Duration | None = None


class Unpin(_Command):
    """Let rollbacks be requested again."""

    kind: Literal["unpin"]


class Outcome(StrEnum):
    """What an executor did with a request."""

    APPLIED = "applied"
    FAILED = "failed"
    REFUSED = "refused"


class Executed(_Command):
    """An executor's acknowledgement of a rollback.

    ``generation`` is that of the deployment as read back afterwards, where it has one. A request
    is refused when it is stale: the deployment has moved on, or the request has expired.
    """

    kind: Literal["executed"]
    rollback_id: Identifier
    idempotency_key: Identifier
    executor: Name
    outcome: Outcome
    generation: Annotated[int, Field(ge=0)] | None = None
    detail: Annotated[str, Field(max_length=2_000)] = ""


class Delivered(_Command):
    """An event reached a target, or was given up (``dead``): it is not sent there again.

    ``settled`` is said with the last of its targets: from here on nobody needs the event, and
    DECIDE publishes it no more.
    """

    kind: Literal["delivered"]
    event_id: Identifier
    target: Name
    dead: bool = False
    settled: bool = True


class Tick(_Command):
    """Time goes on, although no event may come; published to every partition of ``ticks``."""

    kind: Literal["tick"]


class RetrainNow(_Command):
    """A schedule, or a person, asks for a retraining."""

    kind: Literal["retrain"]
    reason: Literal["schedule", "person"] = "person"


class Trained(_Command):
    """A retraining that was asked for is done; new labels count from here."""

    kind: Literal["trained"]
    version: Name | None = None


Command = Annotated[
    Acknowledge
    | Silence
    | Unsilence
    | Approve
    | Reject
    | Pin
    | Unpin
    | Executed
    | Delivered
    | Tick
    | RetrainNow
    | Trained,
    Field(discriminator="kind"),
]

KINDS: dict[str, type[_Command]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in _Command.__subclasses__()
}
"""Every command by its kind."""

COMMANDS: TypeAdapter[Command] = TypeAdapter(Command)
"""Reads and writes any command."""


def read_command(value: bytes) -> Command:
    """A command from its JSON.

    Raises
    ------
    ValidationError
        If it is none.

    Examples
    --------
    >>> read_command(b'{"kind":"unpin","id":"c1","model":"fraud","time":0,"by":"ada"}').by
    'ada'
    """
    return COMMANDS.validate_json(value)

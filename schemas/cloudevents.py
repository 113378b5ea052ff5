"""CloudEvents 1.0 in Kafka's binary mode: what a record is stands in its headers.

References
----------
.. [1] CNCF, CloudEvents 1.0.2 and its Kafka Protocol Binding, sections 3.1 and 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.alerts import AlertAction
from schemas.base import iso
from schemas.commands import KINDS
from schemas.rollouts import RolloutAction

Header = tuple[str, bytes]

JSON = "application/json"
SOURCE = "/kittiwake"
"""Source of what Kittiwake itself publishes."""

PREDICTION = "io.kittiwake.prediction.v1"
FEEDBACK = "io.kittiwake.feedback.v1"
HEARTBEAT = "io.kittiwake.heartbeat.v1"
POLICY = "io.kittiwake.policy.v1"
ACTIVATION = "io.kittiwake.activation.v1"
REFERENCE = "io.kittiwake.reference.v1"
DEPLOYMENT = "io.kittiwake.deployment.v1"
WINDOW = "io.kittiwake.window.v1"
DEAD_LETTER = "io.kittiwake.dead_letter.v1"
RETRAIN = "io.kittiwake.retrain.v1"
REVIEW = "io.kittiwake.review.v1"
ADVICE = "io.kittiwake.advice.v1"
AUDIT = "io.kittiwake.audit.v1"


ALERT = {action: f"io.kittiwake.alert.{action.value}.v1" for action in AlertAction}
"""Event type of each step in the life of an alert."""

COMMAND = {kind: f"io.kittiwake.command.{kind}.v1" for kind in KINDS}
"""Event type of each kind of command."""

ROLLOUT = {action: f"io.kittiwake.rollout.{action.value}.v1" for action in RolloutAction}
"""Event type of each thing said of a rollout."""

TYPES: tuple[str, ...] = (
    *(PREDICTION, FEEDBACK, HEARTBEAT, POLICY, ACTIVATION, REFERENCE, DEPLOYMENT, WINDOW),
    *ALERT.values(),
    *ROLLOUT.values(),
    *(RETRAIN, REVIEW, ADVICE, AUDIT),
    *COMMAND.values(),
    DEAD_LETTER,
)
"""Every event type that Kittiwake reads or writes."""


def headers(*, type: str, source: str, id: str, time_ms: int) -> tuple[Header, ...]:  # noqa: A002
    """Headers of a record with a JSON body.

    Parameters
    ----------
    type
        One of `TYPES`.
    source
        Who publishes, as a URI reference.
    id
        Unique within the source; the same in every repetition of the event.
    time_ms
        When it happened, in milliseconds since the epoch.

    Raises
    ------
    ValueError
        If type, source or id is empty: CloudEvents wants all three.

    Examples
    --------
    >>> dict(headers(type=WINDOW, source=SOURCE, id="w1", time_ms=0))["ce_time"]
    b'1970-01-01T00:00:00.000Z'
    """
    for name, value in (("type", type), ("source", source), ("id", id)):
        if not value:
            raise ValueError(f"ce_{name} is empty; CloudEvents needs a {name}")
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", id.encode()),
        ("ce_type", type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", iso(time_ms).encode()),
        ("content-type", JSON.encode()),
    )


def event_type(headers: Sequence[tuple[str, bytes | str | None]] | None) -> str | None:
    """The CloudEvents type in a record's headers, None where there is none.

    Examples
    --------
    >>> event_type([("ce_type", b"io.kittiwake.heartbeat.v1")]) == HEARTBEAT
    True
    >>> event_type(None) is None
    True
    """
    return _value(headers, "ce_type")


def content_type(headers: Sequence[tuple[str, bytes | str | None]] | None) -> str | None:
    """The media type in a record's headers, in lower case and without parameters.

    Examples
    --------
    >>> content_type([("content-type", b"Application/JSON; charset=utf-8")])
    'application/json'
    """
    value = _value(headers, "content-type")
    return None if value is None else value.split(";")[0].strip().lower()


def _value(headers: Sequence[tuple[str, bytes | str | None]] | None, name: str) -> str | None:
    for key, value in headers or ():
        if key == name and value is not None:
            return value if isinstance(value, str) else value.decode("utf-8", "replace")
    return None

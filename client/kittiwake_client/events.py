"""Events as they travel: JSON bodies with CloudEvents headers, checked before they are queued.

The check is light on purpose: field names, required fields, and the types of the fields that
Kittiwake keys and times by. Everything else is checked where the events are read.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kittiwake_client.kinds import SHADOW, Kind

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JSON = "application/json"
MAX_TIME_MS = 4_102_444_800_000
"""2100-01-01, the last time an event may carry."""

Headers = list[tuple[str, str | bytes | None]]


class InvalidEvent(ValueError):
    """An event that Kittiwake could not use; the message says which field, and what to do."""


LONGEST = {"prediction_id": 256, "model": 200, "version": 200}


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event ready to be queued."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


def encode(kind: Kind, fields: Mapping[str, object], *, source: str, now_ms: int) -> Encoded:
    """Check an event and write it.

    Parameters
    ----------
    kind
        What the event is.
    fields
        Its fields. ``time`` may be milliseconds since 1970, an RFC 3339 text or a `datetime` with
        a time zone; left out, it is ``now_ms``. NaN and infinities become null, numpy scalars and
        arrays plain numbers and lists.
    source
        Who publishes, as the CloudEvents source.
    now_ms
        Present time in milliseconds since 1970.

    Raises
    ------
    InvalidEvent
        If a field is unknown, missing or of a type that cannot travel.

    Examples
    --------
    >>> from kittiwake_client.kinds import PREDICTION
    >>> event = {"prediction_id": "p1", "model": "fraud", "version": "v1", "output": {"score": 0.5}}
    >>> encode(PREDICTION, event, source="shop", now_ms=7).key
    b'p1'

    A shadow that names the answer which served is keyed by it, and so meets its label:

    >>> shadow = {**event, "prediction_id": "s1", "arm": "shadow", "pair_id": "p1"}
    >>> encode(PREDICTION, shadow, source="shop", now_ms=7).key
    b'p1'
    """
    _check(kind, fields)
    time = _time(kind, fields.get("time", now_ms))
    body = {**fields, "time": time}
    return Encoded(
        topic=kind.topic,
        key=_key(kind, fields).encode(),
        value=_json(kind, body),
        headers=headers(
            event_type=kind.type,
            event_id="/".join(str(body.get(name, "")) for name in kind.identity),
            source=source,
            time=time if isinstance(time, str) else rfc3339(time),
        ),
    )


def plain_event(kind: Kind, fields: Mapping[str, object], *, now_ms: int) -> dict[str, object]:
    """Check an event, and make it plain: a time in milliseconds, numbers, texts, lists, mappings.

    Raises
    ------
    InvalidEvent
        As by `encode`, and if ``time`` is a text that names no moment.

    Examples
    --------
    >>> from kittiwake_client.kinds import FEEDBACK_EVENT
    >>> event = {"prediction_id": "p1", "model": "m", "value": float("nan")}
    >>> plain_event(FEEDBACK_EVENT, event, now_ms=7)
    {'prediction_id': 'p1', 'model': 'm', 'value': None, 'time': 7}
    """
    _check(kind, fields)
    _key(kind, fields)
    time = _time(kind, fields.get("time", now_ms))
    if isinstance(time, str):
        try:
            time = _time(kind, _time(kind, datetime.fromisoformat(time)))
        except ValueError as error:
            raise InvalidEvent(f"{kind.topic}: time is {time!r:.80}: {error}") from error
    try:
        return {name: _finite(value) for name, value in fields.items()} | {"time": time}
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent(f"{kind.topic}: cannot be written as JSON: {error}") from error


def headers(
    *, event_type: str, event_id: str, source: str, time: str, content: str = JSON
) -> Headers:
    """CloudEvents 1.0 attributes as Kafka headers (binary mode); ``content`` is the media type."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", event_type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", time.encode()),
        ("content-type", content.encode()),
    ]


def rfc3339(time_ms: int) -> str:
    """RFC 3339 of milliseconds since 1970.

    Examples
    --------
    >>> rfc3339(1772319600250)
    '2026-02-28T23:00:00.250Z'
    """
    seconds, rest = divmod(time_ms, 1_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:03d}Z"


def _check(kind: Kind, fields: Mapping[str, object]) -> None:
    if not kind.fields.issuperset(fields):
        unknown = next(name for name in fields if name not in kind.fields)
        near = difflib.get_close_matches(unknown, kind.fields, n=1)
        hint = (
            f"; did you mean {near[0]}?" if near else f"; known: {', '.join(sorted(kind.fields))}"
        )
        raise InvalidEvent(f"{kind.topic}: unknown field {unknown}{hint}")
    for name in kind.required:
        if fields.get(name) is None:
            raise InvalidEvent(f"{kind.topic}: {name} is missing; give it")
    for name in kind.names:
        value = fields[name]
        if not isinstance(value, str) or not 0 < len(value) <= LONGEST[name]:
            raise InvalidEvent(
                f"{kind.topic}: {name} is {value!r:.80}; "
                f"make it a text of 1 to {LONGEST[name]} characters"
            )
        if not _travels(value):
            raise InvalidEvent(f"{kind.topic}: {name} {value!a:.80} is no Unicode text; mend it")
    if "output" in kind.required and not isinstance(fields["output"], Mapping):
        raise InvalidEvent(
            f"{kind.topic}: output is {fields['output']!r:.80}; make it a mapping such as "
            f"{{'score': 0.93, 'label': 'fraud'}}"
        )


def _key(kind: Kind, fields: Mapping[str, object]) -> str:
    """What the record is partitioned by."""
    pair_id = fields.get("pair_id")
    if pair_id is None or fields.get("arm") != SHADOW:
        return str(fields[kind.key])
    if not isinstance(pair_id, str) or not _travels(pair_id):
        raise InvalidEvent(
            f"{kind.topic}: pair_id is {pair_id!a:.80}; give the prediction_id of the answer "
            "that was served"
        )
    return pair_id


def _travels(text: str) -> bool:
    """Whether the text is UTF-8; half of a surrogate pair is not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _time(kind: Kind, time: object) -> int | str:
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise InvalidEvent(
                f"{kind.topic}: time {time} has no time zone; add tzinfo, such as UTC"
            )
        return (time - EPOCH) // timedelta(milliseconds=1)
    if isinstance(time, str):
        return time
    if isinstance(time, int) and not isinstance(time, bool) and 0 <= time <= MAX_TIME_MS:
        return time
    raise InvalidEvent(
        f"{kind.topic}: time is {time!r:.80}; give whole milliseconds since 1970 "
        f"(before 2100), an RFC 3339 text or a datetime with a time zone"
    )


def _json(kind: Kind, body: Mapping[str, object]) -> bytes:
    try:
        try:
            text = json.dumps(body, separators=(",", ":"), allow_nan=False, default=_plain)
        except ValueError:
            text = json.dumps(_finite(body), separators=(",", ":"), allow_nan=False)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent(f"{kind.topic}: cannot be written as JSON: {error}") from error


def _plain(value: object) -> object:
    """What numpy scalars and arrays, dates and sets are in JSON."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    tolist = getattr(value, "tolist", None)
    if callable(tolist):
        return tolist()
    raise TypeError(f"{value!r:.80} is a {type(value).__name__}; give a number, text, bool or None")


def _finite(value: object) -> object:
    """The same value with null for NaN and infinities, which JSON cannot carry."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    return _finite(_plain(value))

"""Dead letters for people: how many for each reason, with the first as an example."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
from rich.markup import escape

from schemas.dead_letters import DeadLetter, Reason

LONGEST = 300
"""Most characters of an example: a message may repeat a whole label."""


class _Letter(msgspec.Struct):
    """What is told of a `DeadLetter`."""

    topic: str
    offset: int
    row: int
    reason: Reason
    field: str
    message: str
    value_base64: str


class _Named(msgspec.Struct):
    """The names in an event that could be read."""

    model: str = ""
    prediction_id: str = ""


_decode = msgspec.json.Decoder(_Letter).decode
_decode_names = msgspec.json.Decoder(_Named).decode


@dataclass(slots=True)
class Refused:
    """Dead letters of one reason; ``models`` counts those for want of a policy by their model."""

    first: _Letter
    count: int = 0
    models: Counter[str] = field(default_factory=Counter)

    @property
    def value(self) -> bytes:
        """The event of the first, or what is kept of it."""
        return base64.b64decode(self.first.value_base64)


def by_reason(letters: Iterable[bytes]) -> list[Refused]:
    """Dead letters, as published, by reason; the most frequent first."""
    found: dict[Reason, Refused] = {}
    for letter in map(_decode, letters):
        refused = found.setdefault(letter.reason, Refused(letter))
        refused.count += 1
        if letter.reason is Reason.NO_POLICY:
            refused.models[_names(letter).model or "unnamed"] += 1
    return sorted(found.values(), key=lambda refused: -refused.count)


def dead_letter_lines(
    refused: Collection[Refused], places: Mapping[bytes, str] | None = None
) -> list[str]:
    """A line for each reason.

    Parameters
    ----------
    places
        Where values stand in files, as of `streams.files.find`; the others are named by topic,
        offset and id.
    """
    lines = []
    for one in refused:
        where = (places or {}).get(one.value) or place_of(one.first)
        example = f"{where}: {told(one.first.field, one.first.message)}"
        if one.models:
            of = ", ".join(f"{name} {n:,}" for name, n in one.models.most_common(5))
            example = f"of models {of}; {example}"
        lines.append(f"  {one.count:>7,} {one.first.reason:<16} {escape(_short(example))}")
    return lines


def told(field: str, message: str) -> str:
    """A message of a dead letter with its field, which most name themselves.

    Examples
    --------
    >>> told("time", "time 'x' is no real time"), told("label", "'x' is neither 0 nor 1")
    ("time 'x' is no real time", "label: 'x' is neither 0 nor 1")
    """
    return message if not field or message.startswith(field) else f"{field}: {message}"


def place_of(letter: _Letter | DeadLetter) -> str:
    """Topic, offset and id, where nothing better is known."""
    row = f" row {letter.row}" if letter.row else ""
    identity = _names(letter).prediction_id
    of = f" (prediction_id {identity!r})" if identity else ""
    return f"{letter.topic} offset {letter.offset}{row}{of}"


def _names(letter: _Letter | DeadLetter) -> _Named:
    try:
        return _decode_names(base64.b64decode(letter.value_base64))
    except (ValueError, RecursionError):  # not JSON, or a long one of which only the start is kept
        return _Named()


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"

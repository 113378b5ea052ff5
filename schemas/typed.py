"""Predictions of known models, the features and segments of each read by types of their own.

A union of msgspec types, told apart by the model's name, reads an event in one pass and at half
the cost: no dicts are made, and a number is checked as it is read. What these types do
not know (a model or feature seen for the first time, a text where a number should be, a signal)
they refuse; `schemas.hot.prediction_decoder` then has the last word, so that the same bytes are
accepted with the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from math import nan
from types import MappingProxyType
from typing import Any, Final, Union, cast

import msgspec

from schemas.base import Scalar
from schemas.hot_events import HotPrediction
from schemas.hot_types import hot_type
from schemas.predictions import Arm, Output, PredictionEvent

MOST_NAMES = 4_000
"""Names of a model that a type is made for; events with more are read without one."""


OPTIONAL: Final = (
    "arm",
    "pair_id",
    "unit_id",
    "groups",
    "embeddings",
    "latency_ms",
    "error",
    "trace",
)
"""Fields of an event that may be missing; features and segments have types of their own."""

ANSWERS: Final = ("score", "label", "scores", "value", "interval", "quantiles", "items")
"""Fields of an answer that a type may have. No signals: one may stand in for a feature that an
event lacks."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a model's events have by name: features, those that should be numbers and all others;
    segments, of which the first ``sliced`` are asked for; the other fields that may be missing, of
    an event and of its answer.
    """

    numeric: tuple[str, ...]
    other: tuple[str, ...]
    segments: tuple[str, ...] = ()
    sliced: int = 0
    fields: tuple[str, ...] = OPTIONAL
    answers: tuple[str, ...] = ANSWERS

    def __len__(self) -> int:
        return len(self.numeric) + len(self.other) + len(self.segments)


class TypedReader:
    """Reads predictions of the models that it has come to know.

    Examples
    --------
    >>> reader = TypedReader()
    >>> reader.know("m", Names(("amount",), ("country",)))
    >>> value = b'{"prediction_id":"p","model":"m","version":"1","time":5,"output":{},'
    >>> event = reader.read()(value + b'"features":{"amount":3,"country":"FR"}}')
    >>> names_of(event).numeric, msgspec.structs.astuple(event.features)
    (('amount',), (3.0, 'FR'))
    >>> reader.read()(value + b'"features":{"amount":"3"}}')
    Traceback (most recent call last):
    msgspec.ValidationError: Expected `float | null`, got `str` - at `$.features.amount`
    """

    def __init__(self) -> None:
        self._known: dict[str, Names] = {}
        self._read: Callable[[bytes], HotPrediction] | None = None

    def know(self, model: str, names: Names) -> None:
        """Read events of a model with these names from now on."""
        if self._known.get(model) != names and len(names) <= MOST_NAMES:
            self._known[model] = names
            self._read = None

    def knows(self, model: str) -> Names | None:
        """What is known of a model."""
        return self._known.get(model)

    def read(self) -> Callable[[bytes], HotPrediction]:
        """What reads one event, or raises msgspec's errors for bytes that it cannot read."""
        if self._read is None:
            kinds = [_event_type(model, names) for model, names in self._known.items()]
            # A union of one is that one; `|` would build one for each type more.
            kind: Any = Union[tuple(kinds)] if kinds else hot_type(PredictionEvent)  # noqa: UP007
            self._read = cast(Callable[[bytes], HotPrediction], msgspec.json.Decoder(kind).decode)
        return self._read


_NAMES: dict[type, Names] = {}

_NOTHING: Final = MappingProxyType[str, Any]({})
"""What stands for every mapping that an event lacks."""

_SHARED: Final = ("groups", "embeddings", "trace")


def names_of(event: HotPrediction) -> Names | None:
    """The names behind an event's type; None where it has plain dicts.

    The features of such an event are a struct of the numeric ones and then the others, its
    segments a struct of fields ``s0``, ``s1`` and so on. What the names do not have, its type has:
    an attribute that is the same for all events.
    """
    return _NAMES.get(type(event))


def used(events: Iterable[HotPrediction]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The optional fields that some events have, of their own and of their answers."""
    every = list(events)
    outputs = [event.output for event in every]
    return (
        tuple(name for name in OPTIONAL if any(_has(event, name) for event in every)),
        tuple(name for name in ANSWERS if any(_has(output, name) for output in outputs)),
    )


def _has(held: object, name: str) -> bool:
    value = getattr(held, name)
    return value is not None and value != {} and value is not Arm.BASELINE


@cache
def _event_type(model: str, names: Names) -> type[msgspec.Struct]:
    numbers: tuple[tuple[Any, object], ...] = ((float | None, nan),) * len(names.numeric)
    others: tuple[tuple[Any, object], ...] = ((Scalar, None),) * len(names.other)
    every = _struct("Features", "f", (*names.numeric, *names.other), (*numbers, *others))
    words = ((str | None, None),) * len(names.segments)
    segments = _struct("Segments", "s", names.segments, words)
    replaced: dict[str, tuple[Any, ...]] = {
        "features": (every, every()),
        "segments": (segments, segments()),
        "output": (_output_type(names.answers),),
    }
    fields = []
    same: dict[str, Any] = {"model": model}
    for name, kind, *default in _fields(hot_type(PredictionEvent)):
        if name in _SHARED:
            default = [_NOTHING]
        if name in OPTIONAL and name not in names.fields:
            (same[name],) = default
        elif name != "model":
            fields.append((name, *replaced.get(name, (kind, *default))))
    event = msgspec.defstruct(
        "PredictionEvent",
        fields,
        namespace=same,
        tag_field="model",
        tag=model,
        kw_only=True,
        frozen=True,
        gc=False,
        forbid_unknown_fields=True,
    )
    _NAMES[event] = names
    return event


@cache
def _struct(
    name: str, letter: str, names: tuple[str, ...], kinds: tuple[tuple[Any, object], ...]
) -> type[msgspec.Struct]:
    """A struct with a field of each name; a name may be no identifier. Models whose names are the
    same share it: types of very many models do not fit into the processor's cache."""
    return msgspec.defstruct(
        name,
        [(f"{letter}{i}", kind, default) for i, (kind, default) in enumerate(kinds)],
        rename={f"{letter}{i}": each for i, each in enumerate(names)},
        frozen=True,
        gc=False,
        forbid_unknown_fields=True,
    )


@cache
def _output_type(answers: tuple[str, ...]) -> type[msgspec.Struct]:
    fields = [each for each in _fields(hot_type(Output)) if each[0] in answers]
    missing = {name: None for name in (*ANSWERS, "signals") if name not in answers}
    return msgspec.defstruct(
        "Output",
        fields,
        namespace=missing,
        kw_only=True,
        frozen=True,
        gc=False,
        forbid_unknown_fields=True,
    )


def _fields(kind: type[msgspec.Struct]) -> list[tuple[Any, ...]]:
    """Name, type and default of the fields of a type."""
    found: list[tuple[Any, ...]] = []
    for field in msgspec.structs.fields(kind):
        if field.default is not msgspec.NODEFAULT:
            found.append((field.name, field.type, field.default))
        elif field.default_factory is not msgspec.NODEFAULT:
            default = msgspec.field(default_factory=field.default_factory)
            found.append((field.name, field.type, default))
        else:
            found.append((field.name, field.type))
    return found

"""The hot decoders: msgspec types derived from the pydantic models, with the same answers.

Two readers answer in turn. msgspec reads first and knows every field; where it says yes, pydantic
would say yes with the same values. What it refuses, pydantic reads again and has the last word,
so that both accept the same bytes by construction and a refusal comes with place and cause.
Between the two, events with unknown fields (which are ignored) get a second msgspec type, because
msgspec jumps over what it ignores without checking it: that path is taken only for bytes in which
nothing could hide there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import GenericAlias
from typing import Any, Generic, TypeVar, cast

import msgspec
from pydantic import BaseModel, ValidationError

from schemas.deployments import DeploymentEvent
from schemas.explain import Undecodable, adapter, bad_record, explain
from schemas.feedback import FeedbackEvent
from schemas.heartbeats import Heartbeat
from schemas.hot_events import (
    HotDeployment,
    HotFeedback,
    HotHeartbeat,
    HotOutput,
    HotPrediction,
)
from schemas.hot_types import hot, hot_type, struct
from schemas.predictions import PredictionEvent

__all__ = [
    "Decoder",
    "HotDeployment",
    "HotFeedback",
    "HotHeartbeat",
    "HotOutput",
    "HotPrediction",
    "ListDecoder",
    "Undecodable",
    "deployment_decoder",
    "explain",
    "feedback_decoder",
    "feedback_list_decoder",
    "heartbeat_decoder",
    "hot_type",
    "prediction_decoder",
    "prediction_list_decoder",
    "rows",
]


H = TypeVar("H")


def _reader(kind: object) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(kind).decode


class Decoder(Generic[H]):
    """Reads one event.

    Parameters
    ----------
    model
        The pydantic model that defines the event.

    Examples
    --------
    >>> event = feedback_decoder.decode(b'{"prediction_id":"p1","model":"m","time":5,"label":1}')
    >>> event.label, event.kind
    (1, <FeedbackKind.TRUTH: 'truth'>)
    >>> feedback_decoder.decode(b'{"prediction_id":"p1","model":7,"time":5}')
    Traceback (most recent call last):
    schemas.explain.Undecodable: model: Input should be a valid string; found 7; send a JSON string
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model
        self._fast: Callable[[bytes], H] = _reader(hot_type(model))
        self._loose: Callable[[bytes], H] = _reader(struct(model, loose=True))

    def decode(self, value: bytes) -> H:
        """The event of the bytes.

        Raises
        ------
        Undecodable
            A `BadRecord`: if the bytes are not JSON or not this event.
        """
        try:
            return self._fast(value)
        except _REFUSALS:
            found = self.skipping(value)
            return self._slow(value) if found is None else found

    def skipping(self, value: bytes) -> H | None:
        """The event of bytes that may have unknown fields; None where pydantic has to decide."""
        if not _hides_nothing(value):
            return None
        try:
            return self._loose(value)
        except _REFUSALS:
            return None

    def _slow(self, value: bytes) -> H:
        try:
            return cast(H, hot(adapter(self._model).validate_json(value)))
        except ValidationError as error:
            raise bad_record(error, self._model, value) from None


class ListDecoder(Generic[H]):
    """Reads a JSON array of events, all or none; `rows` and a `Decoder` read them one by one."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model
        self._row = Decoder[H](model)
        self._fast: Callable[[bytes], list[H]] = _reader(GenericAlias(list, (hot_type(model),)))

    def decode(self, value: bytes) -> list[H]:
        """The events of the bytes.

        Raises
        ------
        Undecodable
            A `BadRecord`: if the bytes are not a JSON array or one row is not this event.
        """
        try:
            return self._fast(value)
        except _REFUSALS:
            found = self._skipping(value)
            return self._slow(value) if found is None else found

    def _skipping(self, value: bytes) -> list[H] | None:
        try:
            parts = rows(value)
        except Undecodable:
            return None
        events = [self._row.skipping(part) for part in parts]
        whole = [event for event in events if event is not None]
        return whole if len(whole) == len(events) else None

    def _slow(self, value: bytes) -> list[H]:
        try:
            return cast(list[H], hot(adapter(self._model, many=True).validate_json(value)))
        except ValidationError as error:
            raise bad_record(error, self._model, value, many=True) from None


_raw_rows = msgspec.json.Decoder(list[msgspec.Raw])


def rows(value: bytes) -> list[bytes]:
    """The bytes of each row of a JSON array, unread.

    Raises
    ------
    Undecodable
        A `BadRecord`: if the bytes are not a JSON array.

    Examples
    --------
    >>> rows(b'[{"a": 1}, 2]')
    [b'{"a": 1}', b'2']
    """
    try:
        return [bytes(row) for row in _raw_rows.decode(value)]
    except msgspec.ValidationError as error:
        raise Undecodable("bad_shape", f"record: {error}; send a JSON array of events") from None
    except _REFUSALS as error:
        raise Undecodable("not_json", f"record: not JSON: {error}; send a JSON array") from None


_REFUSALS = (msgspec.MsgspecError, UnicodeError, RecursionError)
_LONG_NUMBER = re.compile(rb"[0-9]{4300}")
_MAX_BRACKETS = 150


def _hides_nothing(value: bytes) -> bool:
    """Whether the bytes have nothing that pydantic refuses and msgspec jumps over.

    Those are bad UTF-8, more than 200 levels and whole numbers of more than 4300 digits.
    """
    if value.count(b"[") + value.count(b"{") > _MAX_BRACKETS:
        return False
    if len(value) >= 4_300 and _LONG_NUMBER.search(value):
        return False
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


prediction_decoder: Decoder[HotPrediction] = Decoder(PredictionEvent)
"""Reads a PredictionEvent."""

prediction_list_decoder: ListDecoder[HotPrediction] = ListDecoder(PredictionEvent)
"""Reads a JSON array of PredictionEvents."""

feedback_decoder: Decoder[HotFeedback] = Decoder(FeedbackEvent)
"""Reads a FeedbackEvent."""

feedback_list_decoder: ListDecoder[HotFeedback] = ListDecoder(FeedbackEvent)
"""Reads a JSON array of FeedbackEvents."""

deployment_decoder: Decoder[HotDeployment] = Decoder(DeploymentEvent)
"""Reads a DeploymentEvent."""

heartbeat_decoder: Decoder[HotHeartbeat] = Decoder(Heartbeat)
"""Reads a Heartbeat."""

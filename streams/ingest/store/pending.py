"""Pending: a prediction within its label horizon, packed, and feedback that came before it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.outcomes.contract import Tails, portable
from detectors.summary import Ints
from streams.ingest.admit.admitted import AdmittedFeedback
from streams.ingest.columns.ragged import Octets
from streams.ingest.decode.rows import Bools
from streams.ingest.join.label_state import NEVER, NO_LABEL, LabelState

_HEADER = struct.Struct("<BIqdqBBHdqBBH")
_COLUMNS = [
    ("flags", "u1"),
    ("route", "<u4"),
    ("time_ms", "<i8"),
    *(
        (f"{state}_{name}", kind)
        for state in ("mature", "final")
        for name, kind in (
            ("truth", "<f8"),
            ("time_ms", "<i8"),
            ("marks", "u1"),
            ("source", "u1"),
            ("chance", "<u2"),
        )
    ),
]
"""The header as numpy names it."""

HEADER = np.dtype(_COLUMNS)
"""The part of a packed prediction that does not depend on its task."""

STATES = slice(struct.calcsize("<BIq"), HEADER.itemsize)
"""Where a packed prediction has its label states."""

ON_TIME, HAS_MATURE, HAS_FINAL, SHADOWED = 1, 2, 4, 8


@cache
def record_type(tail: np.dtype[Any]) -> np.dtype[Any]:
    """A packed prediction as numpy sees it; ``tail`` is that of its task."""
    return np.dtype([*_COLUMNS, ("tail", tail)])


class Pending(msgspec.Struct, gc=False):
    """One prediction and its label.

    There are two label states: ``mature`` is the one that tests see (feedback on time, up to
    maturity), ``final`` the one that windows show. ``shadowed`` says that shadows have met it.
    """

    on_time: bool
    route: int
    time_ms: int
    tail: bytes
    mature: LabelState = NO_LABEL
    final: LabelState = NO_LABEL
    shadowed: bool = False

    def pack(self) -> bytes:
        """A 53-byte header and the tail of the task."""
        mature, final = self.mature, self.final
        flags = (
            ON_TIME * self.on_time
            | HAS_MATURE * (mature.truth is not None)
            | HAS_FINAL * (final.truth is not None)
            | SHADOWED * self.shadowed
        )
        return (
            _HEADER.pack(
                flags,
                self.route,
                self.time_ms,
                mature.truth or 0.0,
                mature.time_ms,
                mature.marks,
                mature.source,
                mature.chance,
                final.truth or 0.0,
                final.time_ms,
                final.marks,
                final.source,
                final.chance,
            )
            + self.tail
        )

    @classmethod
    def unpack(cls, value: bytes) -> Pending:
        """The record of its bytes."""
        flags, route, time_ms, *states = _HEADER.unpack_from(value)
        truth, final = states[0], states[5]
        return cls(
            on_time=bool(flags & ON_TIME),
            route=route,
            time_ms=time_ms,
            tail=value[_HEADER.size :],
            mature=LabelState(truth if flags & HAS_MATURE else None, *states[1:5]),
            final=LabelState(final if flags & HAS_FINAL else None, *states[6:]),
            shadowed=bool(flags & SHADOWED),
        )


UNLABELLED = Pending(False, 0, 0, b"").pack()[STATES]
"""The label states of a packed prediction that never had a label."""


def pack_new(
    on_time: Sequence[bool] | Bools,
    routes: Sequence[int] | Ints,
    times_ms: Sequence[int] | Ints,
    tails: Tails,
) -> Octets:
    r"""`Pending.pack` of predictions without a label, all of shape (n,); the packed (n, width).

    Examples
    --------
    >>> tails = np.array([(7,)], np.dtype([("known", "u1")]))
    >>> packed = pack_new([True], [3], [60_000], tails)
    >>> packed[0].tobytes() == Pending(True, 3, 60_000, b"\x07").pack()
    True
    """
    records = np.zeros(len(tails), record_type(tails.dtype))
    records["flags"] = np.array(on_time, np.bool_) * ON_TIME
    records["route"] = routes
    records["time_ms"] = times_ms
    records["mature_time_ms"] = records["final_time_ms"] = NEVER
    records["tail"] = tails
    return records.view(np.uint8).reshape(len(records), records.itemsize)


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """Feedback that came before its prediction, with what it takes to apply or refuse it.

    No prediction can come for it once the predictions watermark has passed ``until_ms``.
    """

    time_ms: int
    until_ms: int
    late: bool
    watermark_ms: int
    kind: str
    label: bool | int | str | None
    value: float | None
    signals: dict[str, float | str] | None
    topic: str
    partition: int
    offset: int
    row: int
    timestamp_ms: int
    raw: bytes
    propensity: float | None = None
    source: str | None = None


WAITING_BYTES = 200_000
"""Most that the feedback for one prediction may take while it waits: it is one value of the log."""

_waiting_decoder = msgspec.msgpack.Decoder(list[Waiting])


def pack_waiting(waiting: list[Waiting]) -> bytes:
    """Bytes of a list of feedback."""
    return msgspec.msgpack.encode(waiting)


def unpack_waiting(value: bytes) -> list[Waiting]:
    """The list of its bytes."""
    return _waiting_decoder.decode(value)


def tails_of(pending: list[bytes], dtype: np.dtype[np.void]) -> Tails:
    """The tails of one task as one array, shape (n,)."""
    tails: NDArray[np.void] = np.frombuffer(b"".join(pending), dtype)
    return tails


def waiting_of(item: AdmittedFeedback, skew_ms: int) -> Waiting:
    """Feedback as it waits for its prediction."""
    event, record = item.row.event, item.row.record
    return Waiting(
        time_ms=item.row.time_ms,
        until_ms=item.row.time_ms + item.plan.kept_ms + skew_ms,
        late=item.late,
        watermark_ms=item.watermark_ms,
        kind=str(event.kind),
        label=portable(event.label),
        value=event.value,
        signals=event.signals,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        row=item.row.index,
        timestamp_ms=record.timestamp_ms,
        raw=msgspec.json.encode(event),
        propensity=event.propensity,
        source=event.source,
    )

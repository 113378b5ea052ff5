"""Keys of the join store.

``p`` model prediction_id: a pending prediction. ``w`` model prediction_id: feedback that waits for
its prediction. ``s`` model pair_id: the shadows of an answer. ``x``, ``y`` and ``v`` hour sequence:
the keys of each kind that lapse in that hour.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import msgspec

HOUR_MS = 3_600_000

Listed: TypeAlias = tuple[bytes, int]
"""A key, and the event time of its value when it was listed: a newer value is listed anew."""

PENDING, WAITING, SHADOWS = b"p", b"w", b"s"
LAPSES = {PENDING: b"x", WAITING: b"y", SHADOWS: b"v"}


def key(kind: bytes, model: str, prediction_id: str) -> bytes:
    """Key of a prediction; the model's length keeps two models from meeting.

    Examples
    --------
    >>> key(PENDING, "m", "id-1")
    b'p\\x00\\x01mid-1'
    """
    return kind + name(model, prediction_id)


def name(model: str, prediction_id: str) -> bytes:
    """What the keys of a prediction have after the kind.

    Examples
    --------
    >>> key(WAITING, "m", "id-1") == WAITING + name("m", "id-1")
    True
    """
    return _prefix(model) + prediction_id.encode()


@lru_cache(maxsize=10_000)
def _prefix(model: str) -> bytes:
    encoded = model.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def lapse_key(kind: bytes, hour: int, epoch: int, sequence: int, part: int) -> bytes:
    """Key of a list of keys that lapse in an hour; hours sort."""
    return (
        LAPSES[kind]
        + hour.to_bytes(6, "big")
        + epoch.to_bytes(6, "big")
        + sequence.to_bytes(6, "big")
        + part.to_bytes(4, "big")
    )


def lapse_range(kind: bytes, until_ms: int) -> tuple[bytes, bytes]:
    """First and end of the lapse lists of hours that have ended by ``until_ms``."""
    hour = max(until_ms // HOUR_MS, 0)
    return LAPSES[kind], LAPSES[kind] + hour.to_bytes(6, "big")


def pack_listed(listed: list[Listed]) -> bytes:
    """Bytes of a list."""
    return msgspec.msgpack.encode(listed)


def unpack_listed(value: bytes) -> list[Listed]:
    """The list of its bytes."""
    return _listed_decoder.decode(value)


_listed_decoder = msgspec.msgpack.Decoder(list[Listed])

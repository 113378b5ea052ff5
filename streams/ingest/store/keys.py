"""Keys of the join store.

``w`` model prediction_id: feedback that waits for its prediction. ``s`` model pair_id: the shadows
of an answer. ``y`` and ``v`` hour sequence: the keys of each kind that lapse in that hour. Pending
predictions are in tables of their own (`streams.ingest.store.tables`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import msgspec

HOUR_MS = 3_600_000

Listed: TypeAlias = tuple[bytes, int]
"""A key, and when its value was to lapse when it was listed: a newer value is listed anew."""

WAITING, SHADOWS = b"w", b"s"
KINDS = (WAITING, SHADOWS)
LAPSES = {WAITING: b"y", SHADOWS: b"v"}


def key(kind: bytes, model: str, prediction_id: str) -> bytes:
    """Key of a prediction; the model's length keeps two models from meeting.

    Examples
    --------
    >>> key(WAITING, "m", "id-1")
    b'w\\x00\\x01mid-1'
    """
    return kind + name(model, prediction_id)


def name(model: str, prediction_id: str) -> bytes:
    """What the keys of a prediction have after the kind.

    Examples
    --------
    >>> key(WAITING, "m", "id-1") == WAITING + name("m", "id-1")
    True
    """
    return prefix(model) + prediction_id.encode()


@lru_cache(maxsize=10_000)
def prefix(model: str) -> bytes:
    """What the names of a model's predictions begin with."""
    encoded = model.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def model_of(named: bytes) -> str:
    """The model of a name.

    Examples
    --------
    >>> model_of(name("m", "id-1"))
    'm'
    """
    return named[2 : 2 + int.from_bytes(named[:2], "big")].decode()


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


def every_lapse(kind: bytes) -> tuple[bytes, bytes]:
    """First and end of all lapse lists of a kind."""
    return LAPSES[kind], LAPSES[kind] + b"\xff" * 6


def pack_listed(listed: list[Listed]) -> bytes:
    """Bytes of a list."""
    return msgspec.msgpack.encode(listed)


def unpack_listed(value: bytes) -> list[Listed]:
    """The list of its bytes."""
    return _listed_decoder.decode(value)


_listed_decoder = msgspec.msgpack.Decoder(list[Listed])

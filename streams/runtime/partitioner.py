"""Which partition a key belongs to, as Kafka's Java clients compute it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.ingest.columns.strings import Strings

PARTITIONER: Final = "murmur2_random"
"""librdkafka's name of the same rule; its own default is another hash."""

SEED: Final = 0x9747B28C
MULTIPLIER: Final = 0x5BD1E995
MASK: Final = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """MurmurHash2 of a key, as the signed 32-bit integer that Kafka's Java clients compute.

    Examples
    --------
    >>> murmur2(b"foobar")
    -790332482

    References
    ----------
    .. [1] Apache Kafka, org.apache.kafka.common.utils.Utils.murmur2.
    """
    hashed = SEED ^ len(key)
    whole = len(key) & ~3
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * MULTIPLIER & MASK
        word = (word ^ word >> 24) * MULTIPLIER & MASK
        hashed = hashed * MULTIPLIER & MASK ^ word
    if len(key) > whole:
        hashed = (hashed ^ int.from_bytes(key[whole:], "little")) * MULTIPLIER & MASK
    hashed = (hashed ^ hashed >> 13) * MULTIPLIER & MASK
    hashed ^= hashed >> 15
    return hashed - (1 << 32) if hashed >> 31 else hashed


def partition_of(key: bytes, count: int) -> int:
    """Partition of one key among ``count``.

    Examples
    --------
    >>> partition_of(b"foobar", 4)
    2
    """
    return 0 if count == 1 else (murmur2(key) & 0x7FFFFFFF) % count


def partitions_of(keys: Strings, count: int) -> NDArray[np.int64]:
    """Partition of every key among ``count``: `partition_of`, in columns.

    Parameters
    ----------
    keys
        n keys; keys of one length are hashed together.
    count
        Partition count, at least 1.

    Returns
    -------
    Array of n partitions.

    Examples
    --------
    >>> partitions_of(Strings.of_bytes([b"foobar", b"abc", b"foobar"]), 4)
    array([2, 3, 2])
    """
    partitions = np.empty(len(keys), dtype=np.int64)
    for rows, table in keys.tables():
        partitions[rows] = (_hashes(table) & np.uint32(0x7FFFFFFF)) % count
    return partitions


def _hashes(table: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """MurmurHash2 of every row, unsigned; multiplication of uint32 arrays wraps as it should."""
    rows, length = table.shape
    multiplier = np.uint32(MULTIPLIER)
    hashed = np.full(rows, SEED ^ length, dtype=np.uint32)
    whole = length & ~3
    words = np.ascontiguousarray(table[:, :whole]).view("<u4").T if whole else ()
    for column in words:
        word = column * multiplier
        word = (word ^ (word >> np.uint32(24))) * multiplier
        hashed = (hashed * multiplier) ^ word
    if length > whole:
        tail = np.zeros((rows, 4), dtype=np.uint8)
        tail[:, : length - whole] = table[:, whole:]
        hashed = (hashed ^ tail.view("<u4")[:, 0]) * multiplier
    hashed = (hashed ^ (hashed >> np.uint32(13))) * multiplier
    return hashed ^ (hashed >> np.uint32(15))

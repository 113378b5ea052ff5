"""Which partition each key belongs to, as Kafka's Java clients compute it, for whole columns.

References
----------
.. [1] Apache Kafka, org.apache.kafka.common.utils.Utils.murmur2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SEED = 0x9747B28C
_MULTIPLIER = np.uint32(0x5BD1E995)


def partitions_of(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Partition among ``count`` of each key, shape (n,).

    Parameters
    ----------
    data
        Bytes of all keys.
    offsets
        Where each key begins, and the end of the last, shape (n + 1,).

    Examples
    --------
    >>> data = np.frombuffer(b"foobarabc", np.uint8)
    >>> partitions_of(data, np.array([0, 6, 9]), 4)
    array([2, 3])
    """
    lengths = np.diff(offsets)
    found = np.empty(len(lengths), np.int64)
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        keys = data[offsets[rows, None] + np.arange(length)]
        found[rows] = (_hashes(keys) & np.uint32(0x7FFFFFFF)) % count
    return found


def _hashes(keys: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """MurmurHash2 of keys of one length; products of uint32 arrays wrap as they should."""
    rows, length = keys.shape
    hashed = np.full(rows, _SEED ^ length, np.uint32)
    whole = length & ~3
    for start in range(0, whole, 4):
        word = np.ascontiguousarray(keys[:, start : start + 4]).view("<u4")[:, 0] * _MULTIPLIER
        hashed = hashed * _MULTIPLIER ^ (word ^ word >> np.uint32(24)) * _MULTIPLIER
    if length > whole:
        tail = np.zeros((rows, 4), np.uint8)
        tail[:, : length - whole] = keys[:, whole:]
        hashed = (hashed ^ tail.view("<u4")[:, 0]) * _MULTIPLIER
    hashed = (hashed ^ hashed >> np.uint32(13)) * _MULTIPLIER
    return hashed ^ hashed >> np.uint32(15)

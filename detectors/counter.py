"""Random numbers that stay the same for ever: a hash of a key and a counter.

numpy may change the streams of its generators between versions; a profile written today must
still fit the numbers that are drawn years later.
"""

from __future__ import annotations

from hashlib import blake2b
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import FloatArray, as_floats

_WORDS_PER_DIGEST = 8


def words(key: str, count: int) -> NDArray[np.uint64]:
    """The first `count` 64-bit words of the stream named `key`, shape (count,).

    Examples
    --------
    >>> words("a", 2).tolist()
    [14717213416219597069, 2724528230524262980]
    >>> words("a", 20)[:2].tolist() == words("a", 2).tolist()
    True
    """
    digests = (
        blake2b(f"{key}:{block}".encode(), digest_size=8 * _WORDS_PER_DIGEST).digest()
        for block in range(-(-count // _WORDS_PER_DIGEST))
    )
    return np.frombuffer(b"".join(digests), dtype="<u8")[:count].astype(np.uint64)


def signs(key: str, count: int) -> FloatArray:
    """Fair signs, each -1 or 1, shape (count,).

    Examples
    --------
    >>> sorted(set(signs("a", 64).tolist()))
    [-1.0, 1.0]
    """
    raw = np.frombuffer(words(key, -(-count // 64)).astype("<u8").tobytes(), dtype=np.uint8)
    return as_floats(2.0 * np.unpackbits(raw, bitorder="little")[:count] - 1.0)


def uniforms(key: str, count: int) -> FloatArray:
    """Uniform numbers inside (0, 1), 53 bits each, shape (count,).

    Examples
    --------
    >>> bool(0.4 < uniforms("a", 1_000).mean() < 0.6)
    True
    """
    return as_floats(((words(key, count) >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52)


def normals(key: str, count: int) -> FloatArray:
    """Standard normal numbers by the inverse distribution function, shape (count,).

    Examples
    --------
    >>> bool(0.9 < normals("a", 1_000).std() < 1.1)
    True
    """
    quantile = NormalDist().inv_cdf
    return as_floats([quantile(u) for u in uniforms(key, count).tolist()])

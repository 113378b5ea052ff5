"""Byte strings of different lengths in one array, each from a start to an end."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Ints

Octets: TypeAlias = NDArray[np.uint8]


def gather(data: Octets, starts: Ints, lengths: Ints) -> Octets:
    """n strings one after the other; starts and lengths have shape (n,).

    Examples
    --------
    >>> data = np.frombuffer(b"abcdef", np.uint8)
    >>> gather(data, np.array([3, 0]), np.array([2, 1])).tobytes()
    b'dea'
    >>> gather(data, np.array([1, 1]), np.array([2, 2])).tobytes()
    b'bcbc'
    """
    if not len(starts):
        return data[:0]
    length = int(lengths[0])
    if not (lengths == length).all():
        ragged: Octets = data[spread(starts, lengths)]
        return ragged
    first, steps = int(starts[0]), np.diff(starts)
    if (steps == length).all():
        return data[first : first + length * len(starts)]
    if not steps.any():
        return np.tile(data[first : first + length], len(starts))
    table: Octets = data[starts[:, None] + np.arange(length)]
    return table.reshape(-1)


def equal(a: Octets, a_starts: Ints, b: Octets, b_starts: Ints, lengths: Ints) -> NDArray[np.bool_]:
    """Whether strings of two arrays, pair by pair of one length, are the same; shape (n,).

    Examples
    --------
    >>> data = np.frombuffer(b"abab", np.uint8)
    >>> zeros, lengths = np.zeros(3, np.int64), np.array([2, 1, 0])
    >>> equal(data, zeros, data, np.array([2, 1, 3]), lengths).tolist()
    [True, False, True]
    """
    same = np.ones(len(lengths), np.bool_)
    rows = np.flatnonzero(lengths)
    lengths = lengths[rows]
    left, right = gather(a, a_starts[rows], lengths), gather(b, b_starts[rows], lengths)
    if rows.size:
        same[rows] = np.logical_and.reduceat(left == right, np.cumsum(lengths) - lengths)
    return same


def spread(starts: Ints, lengths: Ints) -> Ints:
    """Where each byte of n strings lies, given where each string starts, shape (n,).

    Examples
    --------
    >>> spread(np.array([3, 0]), np.array([2, 1])).tolist()
    [3, 4, 0]
    """
    before = np.cumsum(lengths) - lengths
    places: Ints = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
    return places

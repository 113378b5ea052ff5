"""Watermarks: the running maximum of event time, in the order of offsets of one partition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

BEFORE_ALL = -(1 << 62)
"""The watermark before the first row."""


def running(previous_ms: int, times_ms: Ints) -> Ints:
    """Watermark before each row.

    Parameters
    ----------
    previous_ms
        Watermark before the first of the rows.
    times_ms
        Event times in order of offset, shape (n,).

    Returns
    -------
    Shape (n + 1,): entry i is the watermark before row i, the last one is it after all rows. A
    row's lateness follows from it alone, so the division into batches changes nothing.

    Examples
    --------
    >>> running(5, np.array([3, 9, 7])).tolist()
    [5, 5, 9, 9]
    """
    return np.maximum.accumulate(np.concatenate((np.array([previous_ms]), times_ms)))

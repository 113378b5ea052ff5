"""Array types shared by the detectors, and the one way in for numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ArrayLike = npt.ArrayLike


def as_floats(values: ArrayLike) -> FloatArray:
    """Return `values` as float64, without a copy where it already is.

    Examples
    --------
    >>> as_floats([1, 2]).tolist()
    [1.0, 2.0]
    """
    return np.asarray(values, dtype=np.float64)

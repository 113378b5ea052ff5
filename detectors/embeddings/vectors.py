"""The vectors of a batch: which can be used, and in which steps they are summed exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from detectors.arrays import FloatArray, IntArray, as_floats
from schemas.errors import ConfigurationError

MAX_DIMENSION = 8_192
"""Up to here the products of quantised numbers are exact in float64, in any order of addition."""

STEP = 2.0**-20
"""Smallest difference between two numbers of a vector."""

_LARGEST = 511.0


class Vectors(NamedTuple):
    """Usable vectors of a batch, and why the others are not.

    ``rows`` (m,) are their places in the batch, ``matrix`` has shape (m, dimension); ``missing``
    counts rows without a vector, ``wrong`` those of another dimension or with a number that is
    not finite.
    """

    rows: IntArray
    matrix: FloatArray
    missing: int
    wrong: int


def collect(vectors: Sequence[Sequence[float] | None], *, dimension: int) -> Vectors:
    """Sort the embeddings of a batch into usable, missing and wrong.

    Parameters
    ----------
    vectors
        One entry for each row, None where the row has no embedding.
    dimension
        Length that the reference knows.

    Raises
    ------
    ConfigurationError
        A dimension outside 1 to 8,192.

    Examples
    --------
    >>> batch = collect([[1.0, 2.0], None, [1.0], [3.0, float("nan")]], dimension=2)
    >>> batch.rows.tolist(), batch.missing, batch.wrong
    ([0], 1, 2)
    """
    require_dimension(dimension)
    fits = [i for i, v in enumerate(vectors) if v is not None and len(v) == dimension]
    matrix = np.array([vectors[i] for i in fits], dtype=np.float64).reshape(len(fits), dimension)
    finite = np.isfinite(matrix).all(axis=1)
    rows = np.asarray(fits, dtype=np.int64)[finite]
    missing = sum(v is None for v in vectors)
    return Vectors(rows, as_floats(matrix[finite]), missing, len(vectors) - missing - rows.size)


def require_dimension(dimension: int) -> None:
    """Refuse a dimension outside 1 to 8,192.

    Raises
    ------
    ConfigurationError
        Names the dimension and the limit.

    Examples
    --------
    >>> require_dimension(768)
    """
    if not 1 <= dimension <= MAX_DIMENSION:
        raise ConfigurationError(
            f"an embedding of dimension {dimension} cannot be watched; use 1 to {MAX_DIMENSION}, "
            "for example by cutting or projecting it at the client"
        )


def steps(matrix: FloatArray) -> FloatArray:
    """Vectors as whole multiples of 2**-20, clipped at 511, so that dot products are exact.

    Examples
    --------
    >>> steps(as_floats([[0.5, 1e9]])).tolist()
    [[524288.0, 535822336.0]]
    """
    return as_floats(np.rint(np.clip(matrix, -_LARGEST, _LARGEST) / STEP))

"""Drift of embeddings: random projections and the norm, as histograms that add."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np

from detectors.arrays import FloatArray, IntArray, as_floats
from detectors.counter import signs
from detectors.distributions import normal_ppf
from detectors.embeddings.vectors import STEP, require_dimension, steps
from schemas.errors import ConfigurationError
from schemas.reference import NORM_BINS, PROJECTION_BINS, PROJECTIONS

_NORM_FLOOR = 0.01
"""Lengths within about one per cent are the same length: float32 and float64 clients agree."""


@lru_cache(maxsize=64)
def directions(encoder: str, dimension: int) -> FloatArray:
    """The signs of the projections, fixed by encoder and dimension, shape (16, dimension).

    Raises
    ------
    ConfigurationError
        A dimension outside 1 to 8,192.

    Examples
    --------
    >>> directions("minilm-6", 4)[0].tolist()
    [-1.0, -1.0, -1.0, -1.0]
    """
    require_dimension(dimension)
    key = f"projection:{dimension}:{encoder}"
    table = signs(key, PROJECTIONS * dimension).reshape(PROJECTIONS, dimension)
    table.flags.writeable = False
    return table


def project(matrix: FloatArray, *, encoder: str) -> FloatArray:
    """Projections of each vector on the 16 fixed directions, each of length 1.

    Bit for bit the same however a batch is split: the sums are exact.

    Parameters
    ----------
    matrix
        Vectors, shape (n, dimension).
    encoder
        Identity and version of the encoder.

    Returns
    -------
    Shape (n, 16).

    Raises
    ------
    ConfigurationError
        A dimension outside 1 to 8,192.

    Examples
    --------
    >>> project(np.ones((2, 4)), encoder="minilm-6").shape
    (2, 16)
    """
    dimension = matrix.shape[1]
    table = directions(encoder, dimension)
    return as_floats(steps(matrix) @ table.T * (STEP / math.sqrt(dimension)))


def log_norms(matrix: FloatArray) -> FloatArray:
    """Natural logs of the Euclidean lengths, shape (n,); a zero vector has the log of 2**-20.

    Examples
    --------
    >>> round(float(log_norms(np.full((1, 4), 0.5))[0]), 9)
    0.0
    """
    squares = np.square(np.ascontiguousarray(matrix)).sum(axis=1)
    return as_floats(0.5 * np.log(np.maximum(squares, STEP**2)))


@dataclass(frozen=True)
class EmbeddingReference:
    """What a profile keeps of the embeddings of one encoder.

    Another version of the encoder is another reference: its vectors differ by construction.

    Parameters
    ----------
    encoder, dimension
        Identity and version of the encoder, and the length of its vectors.
    mean, sd
        Of each projection and, last, of the log norm; shape (17,).
    counts
        Projections, shape (16, 20).
    norm_counts
        Log norms, shape (21,).

    Examples
    --------
    >>> rows = np.random.default_rng(1).normal(size=(500, 8))
    >>> reference = EmbeddingReference.learn(rows, encoder="minilm-6")
    >>> window = reference.count(rows[:50] + 0.5, encoder="minilm-6")
    >>> window.projections.shape, int(window.norms.sum())
    ((16, 20), 50)

    References
    ----------
    .. [1] Achlioptas, Database-friendly random projections: Johnson-Lindenstrauss with binary
       coins, Journal of Computer and System Sciences 66, 2003.
    """

    encoder: str
    dimension: int
    mean: FloatArray
    sd: FloatArray
    counts: IntArray
    norm_counts: IntArray

    @classmethod
    def learn(cls, matrix: FloatArray, *, encoder: str) -> Self:
        """Build the reference from vectors of shape (m, dimension).

        Raises
        ------
        ConfigurationError
            Fewer than 2 rows, or a dimension outside 1 to 8,192.
        """
        if matrix.shape[0] < 2:
            raise ConfigurationError(
                f"{matrix.shape[0]} vectors of encoder {encoder!r} are no reference; give 2 or more"
            )
        values = _coordinates(matrix, encoder)
        sd = values.std(axis=0)
        sd[-1] = max(float(sd[-1]), _NORM_FLOOR)
        sd[sd == 0.0] = 1.0
        mean = as_floats(values.mean(axis=0))
        counts = _counted(_places((values - mean) / sd))
        return cls(encoder, matrix.shape[1], mean, as_floats(sd), counts.projections, counts.norms)

    def count(self, matrix: FloatArray, *, encoder: str) -> EmbeddingCounts:
        """Histograms of a window's vectors, shape (n, dimension); histograms of two windows add.

        Raises
        ------
        ConfigurationError
            Vectors of another encoder or dimension than the reference's.
        """
        return _counted(self.places(matrix, encoder=encoder))

    def places(self, matrix: FloatArray, *, encoder: str) -> IntArray:
        """Bin of each projection and, last, of the norm of each vector; shape (n, 17).

        Raises
        ------
        ConfigurationError
            Vectors of another encoder or dimension than the reference's.
        """
        if encoder != self.encoder or matrix.shape[1] != self.dimension:
            raise ConfigurationError(
                f"vectors of encoder {encoder!r} with dimension {matrix.shape[1]} do not compare "
                f"with a reference of {self.encoder!r} with dimension {self.dimension}; "
                "learn a reference for them"
            )
        return _places((_coordinates(matrix, encoder) - self.mean) / self.sd)


class EmbeddingCounts(NamedTuple):
    """Histograms of the projections, (16, 20), and of the log norm, (21,)."""

    projections: IntArray
    norms: IntArray


def _coordinates(matrix: FloatArray, encoder: str) -> FloatArray:
    """Projections and, last, the log norm, shape (n, 17)."""
    return as_floats(np.column_stack([project(matrix, encoder=encoder), log_norms(matrix)]))


@lru_cache(maxsize=4)
def _edges(bins: int) -> FloatArray:
    """Inner edges that cut a standard normal into equal shares: projections are nearly normal."""
    return as_floats([normal_ppf(k / bins) for k in range(1, bins)])


def _places(z: FloatArray) -> IntArray:
    """Bins of standardised coordinates, shape (n, 17)."""
    projections = np.searchsorted(_edges(PROJECTION_BINS), z[:, :-1], "right")
    norms = np.searchsorted(_edges(NORM_BINS), z[:, -1:], "right")
    return np.hstack([projections, norms]).astype(np.int64)


def _counted(places: IntArray) -> EmbeddingCounts:
    """Histograms of bins, shape (n, 17)."""
    cells = places[:, :-1] + PROJECTION_BINS * np.arange(PROJECTIONS)
    projections = np.bincount(cells.ravel(), minlength=PROJECTION_BINS * PROJECTIONS)
    norms = np.bincount(places[:, -1], minlength=NORM_BINS)
    return EmbeddingCounts(
        projections.reshape(PROJECTIONS, PROJECTION_BINS).astype(np.int64), norms.astype(np.int64)
    )

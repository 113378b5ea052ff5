"""RFF-MMD: one number for the distance between two clouds of embeddings, for one look."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np

from detectors.arrays import FloatArray, as_floats
from detectors.counter import normals, uniforms
from detectors.distributions import chi2_isf, chi2_sf
from detectors.embeddings.vectors import STEP, require_dimension, steps
from schemas.errors import ConfigurationError

FEATURES = 128
"""Random features D."""

_WEIGHT_STEP = 2.0**-8
_PAIRED_ROWS = 500


class Frequencies(NamedTuple):
    """Weights (D, dimension) in steps of 2**-8, and phases (D,) in [0, 2 pi)."""

    weights: FloatArray
    phases: FloatArray


@lru_cache(maxsize=16)
def frequencies(encoder: str, dimension: int) -> Frequencies:
    """Random frequencies fixed by encoder and dimension, for a bandwidth of 1.

    The weights are rounded to steps of 2**-8, so that their products with quantised vectors are
    exact in float64; as directions are random, the rounding costs nothing.

    Raises
    ------
    ConfigurationError
        A dimension outside 1 to 8,192.

    Examples
    --------
    >>> frequencies("minilm-6", 4).weights[0].tolist()
    [-204.0, -274.0, 56.0, 364.0]
    """
    require_dimension(dimension)
    key = f"frequency:{dimension}:{encoder}"
    raw = normals(key, FEATURES * dimension).reshape(FEATURES, dimension)
    weights = as_floats(np.rint(raw / _WEIGHT_STEP))
    phases = as_floats(2.0 * math.pi * uniforms(f"phase:{dimension}:{encoder}", FEATURES))
    weights.flags.writeable = phases.flags.writeable = False
    return Frequencies(weights, phases)


def features(matrix: FloatArray, *, encoder: str, bandwidth: float) -> FloatArray:
    """Random Fourier features ``sqrt(2 / D) cos(W x / bandwidth + b)`` of each vector.

    Their mean over rows approximates the kernel mean embedding of a Gaussian kernel. Each value
    lies within sqrt(2 / D) of 0; a pane adds them as fixed-point numbers.

    Parameters
    ----------
    matrix
        Vectors, shape (n, dimension).
    encoder
        Identity and version of the encoder.
    bandwidth
        Width of the kernel, in the units of the vectors.

    Returns
    -------
    Shape (n, D).

    Raises
    ------
    ConfigurationError
        `bandwidth` not above 0, or a dimension outside 1 to 8,192.

    Examples
    --------
    >>> features(np.zeros((3, 4)), encoder="minilm-6", bandwidth=1.0).shape
    (3, 128)

    References
    ----------
    .. [1] Rahimi, Recht, Random features for large-scale kernel machines, NIPS 2007.
    """
    if not bandwidth > 0.0:
        raise ConfigurationError(f"bandwidth is {bandwidth:g}; a kernel's width must be above 0")
    table = frequencies(encoder, matrix.shape[1])
    scale = _WEIGHT_STEP * STEP / bandwidth
    angles = steps(matrix) @ table.weights.T * scale + table.phases
    return as_floats(math.sqrt(2.0 / FEATURES) * np.cos(angles))


def median_distance(matrix: FloatArray) -> float:
    """Median distance between two of at most 500 evenly spaced rows: the usual bandwidth.

    Raises
    ------
    ConfigurationError
        Fewer than 2 rows, or rows of which most are equal.

    Examples
    --------
    >>> median_distance(as_floats([[0.0, 0.0], [3.0, 4.0]]))
    5.0
    """
    size = matrix.shape[0]
    if size < 2:
        raise ConfigurationError(f"{size} vectors have no distances; give 2 or more")
    chosen = matrix[np.unique(np.linspace(0, size - 1, min(size, _PAIRED_ROWS)).astype(int))]
    squares = np.square(chosen).sum(axis=1)
    gram = squares[:, None] + squares - 2.0 * chosen @ chosen.T
    pairs = gram[np.triu_indices(len(chosen), k=1)]
    median = math.sqrt(max(float(np.median(pairs)), 0.0))
    if not median > 0.0:
        raise ConfigurationError(
            "most reference vectors are equal, so their median distance is 0; "
            "watch such embeddings as categories"
        )
    return median


@dataclass(frozen=True)
class RffReference:
    """What a profile keeps for the comparison: 128 means and three numbers.

    Parameters
    ----------
    encoder, dimension
        Identity and version of the encoder, and the length of its vectors.
    bandwidth
        Width of the kernel.
    m
        Reference rows.
    mean
        Mean feature, shape (D,).
    trace, trace_square
        Traces of the features' covariance matrix and of its square.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> reference = RffReference.learn(rng.normal(size=(2_000, 8)), encoder="minilm-6")
    >>> same, moved = rng.normal(size=(200, 8)), rng.normal(0.5, 1.0, size=(200, 8))
    >>> reference.p_value(200, reference.features(same).sum(axis=0)) > 0.001
    True
    >>> reference.p_value(200, reference.features(moved).sum(axis=0)) < 1e-6
    True

    References
    ----------
    .. [1] Gretton, Borgwardt, Rasch, Schölkopf, Smola, A kernel two-sample test, JMLR 13, 2012.
    .. [2] Bai, Saranadasa, Effect of high dimension: by an example of a two sample problem,
       Statistica Sinica 6, 1996 (the unbiased trace of the squared covariance).
    """

    encoder: str
    dimension: int
    bandwidth: float
    m: int
    mean: FloatArray
    trace: float
    trace_square: float

    @classmethod
    def learn(cls, matrix: FloatArray, *, encoder: str) -> Self:
        """Build the reference from vectors of shape (m, dimension), better some thousands.

        Raises
        ------
        ConfigurationError
            Fewer than 3 rows, equal rows, or a dimension outside 1 to 8,192.
        """
        m = matrix.shape[0]
        if m < 3:
            raise ConfigurationError(f"{m} vectors have no covariance to speak of; give 3 or more")
        width = median_distance(matrix)
        z = features(matrix, encoder=encoder, bandwidth=width)
        covariance = np.cov(z, rowvar=False)
        trace = float(np.trace(covariance))
        raw = float(np.square(covariance).sum())
        square = (m - 1) ** 2 / ((m + 1) * (m - 2)) * (raw - trace**2 / (m - 1))
        return cls(
            encoder,
            matrix.shape[1],
            width,
            m,
            as_floats(z.mean(axis=0)),
            trace,
            max(square, trace**2 / FEATURES),
        )

    def features(self, matrix: FloatArray) -> FloatArray:
        """Features of a window's vectors, shape (n, D).

        Raises
        ------
        ConfigurationError
            Vectors of another dimension than the reference's.
        """
        if matrix.shape[1] != self.dimension:
            raise ConfigurationError(
                f"vectors have dimension {matrix.shape[1]}; the reference of encoder "
                f"{self.encoder!r} has {self.dimension}"
            )
        return features(matrix, encoder=self.encoder, bandwidth=self.bandwidth)

    def statistic(self, n: int, total: FloatArray) -> float:
        """Squared distance of the window's mean feature from the reference's; NaN when empty.

        Parameters
        ----------
        n, total
            Rows of the window and the sum of their features, shape (D,).
        """
        if n <= 0:
            return math.nan
        return float(np.square(as_floats(total) / n - self.mean).sum())

    def corrected(self, n: int, total: FloatArray) -> float:
        """`statistic` less its mean without drift; below 0 by chance."""
        return self.statistic(n, total) - self._scale(n) * self.trace

    def p_value(self, n: int, total: FloatArray) -> float:
        """Approximate chance of a distance this large without drift, for one look.

        Satterthwaite: a chi-square with the first two moments of the null distribution.
        """
        weight, freedom = self._null(n)
        return float(chi2_sf(self.statistic(n, total) / weight, freedom))

    def threshold(self, n: int, alpha: float) -> float:
        """Distance that an unchanged window of `n` rows exceeds with chance `alpha`, about."""
        weight, freedom = self._null(n)
        return weight * chi2_isf(alpha, freedom)

    @property
    def freedom(self) -> float:
        """Effective degrees of freedom of the null distribution."""
        return self.trace**2 / self.trace_square

    def _scale(self, n: int) -> float:
        return 1.0 / n + 1.0 / self.m if n > 0 else math.nan

    def _null(self, n: int) -> tuple[float, float]:
        """Weight and degrees of freedom of the matching chi-square."""
        return self._scale(n) * self.trace_square / self.trace, self.freedom

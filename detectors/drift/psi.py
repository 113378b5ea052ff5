"""Population stability index, with the part that chance alone explains."""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.contract import Comparison
from detectors.distributions import chi2_isf, chi2_sf, normal_ppf
from detectors.drift.histograms import inverse_size, smoothed, variance


def psi(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """PSI of window counts `c` against reference counts `r`.

    A fixed rule such as "above 0.1" is mostly noise on small windows: at 200 events and 20 bins
    it fires on a third of all unchanged windows. Read `corrected` or compare with `threshold`.

    Parameters
    ----------
    c, r
        Counts, shape (..., B).

    Returns
    -------
    Shape (...), at least 0; NaN where a side is empty.

    Examples
    --------
    >>> round(float(psi([50, 30, 20], [400, 400, 200])), 6)
    0.049755

    References
    ----------
    .. [1] Yurdakul, Statistical properties of population stability index, 2018.
    """
    p, q = smoothed(c), smoothed(r)
    value = np.sum((p - q) * np.log(p / q), axis=-1)
    return as_floats(np.where(np.isnan(inverse_size(c, r)), np.nan, value))


def corrected(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """PSI less its mean without drift, ``(B - 1) (1/n + 1/m)``; below 0 by chance.

    Examples
    --------
    >>> round(float(corrected([50, 30, 20], [400, 400, 200])), 6)
    0.027755
    """
    return as_floats(psi(c, r) - (as_floats(c).shape[-1] - 1) * inverse_size(c, r))


def threshold(n: int, m: int, bins: int, alpha: float) -> float:
    """PSI that an unchanged window of `n` events exceeds with chance `alpha`.

    Parameters
    ----------
    n, m
        Events of the window and of the reference.
    bins
        Number of bins B, at least 2.
    alpha
        Chance of exceeding, for one look at one feature.

    Examples
    --------
    >>> round(threshold(100, 1_000, 3, 0.01), 6)
    0.101314
    """
    return (1.0 / n + 1.0 / m) * chi2_isf(alpha, bins - 1)


def p_value(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Chance of a PSI this large without drift, for one look, shape (...).

    Examples
    --------
    >>> round(float(p_value([50, 30, 20], [400, 400, 200])), 3)
    0.104
    """
    return chi2_sf(psi(c, r) / inverse_size(c, r), as_floats(c).shape[-1] - 1)


def interval(c: ArrayLike, r: ArrayLike, alpha: float = 0.05) -> tuple[FloatArray, FloatArray]:
    """Approximate interval for the true PSI, around the corrected value.

    Delta method: variance of the gradient under both histograms, plus the variance
    ``2 (B - 1) (1/n + 1/m)**2`` that remains where there is no drift and the gradient vanishes.

    Parameters
    ----------
    c, r
        Counts, shape (..., B).
    alpha
        One less the nominal coverage.

    Returns
    -------
    Lower and upper ends, each of shape (...), at least 0.

    Examples
    --------
    >>> low, high = interval([500, 300, 200], [4_000, 4_000, 2_000])
    >>> bool(0 < low < 0.049 < high)
    True
    """
    p, q = smoothed(c), smoothed(r)
    n, m = as_floats(c).sum(axis=-1), as_floats(r).sum(axis=-1)
    log_ratio = np.log(p / q)
    scale = inverse_size(c, r)
    spread = variance(as_floats(log_ratio - q / p), p) / np.maximum(n, 1.0)
    spread = spread + variance(as_floats(log_ratio + p / q), q) / np.maximum(m, 1.0)
    spread = spread + 2.0 * (p.shape[-1] - 1) * scale**2
    half = normal_ppf(1.0 - alpha / 2.0) * np.sqrt(spread)
    centre = corrected(c, r)
    return as_floats(np.maximum(centre - half, 0.0)), as_floats(np.maximum(centre + half, 0.0))


PSI = Comparison(
    name="psi",
    value=psi,
    corrected=corrected,
    threshold=threshold,
    p_value=p_value,
    interval=interval,
)
"""Population stability index."""

"""Jensen-Shannon divergence in nats, with the part that chance alone explains."""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.contract import Comparison
from detectors.distributions import chi2_isf, chi2_sf, normal_ppf
from detectors.drift.histograms import inverse_size, smoothed, variance


def js(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Jensen-Shannon divergence of window counts `c` from reference counts `r`.

    Parameters
    ----------
    c, r
        Counts, shape (..., B).

    Returns
    -------
    Shape (...), in [0, log 2]; NaN where a side is empty.

    Examples
    --------
    >>> round(float(js([50, 30, 20], [400, 400, 200])), 6)
    0.006202

    References
    ----------
    .. [1] Lin, Divergence measures based on the Shannon entropy, IEEE Transactions on
       Information Theory 37, 1991.
    """
    p, q = smoothed(c), smoothed(r)
    total = p + q
    value = np.sum(p * np.log(2.0 * p / total) + q * np.log(2.0 * q / total), axis=-1) / 2.0
    return as_floats(np.where(np.isnan(inverse_size(c, r)), np.nan, value))


def distance(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Square root of the divergence, a metric.

    Examples
    --------
    >>> round(float(distance([50, 30, 20], [400, 400, 200])), 6)
    0.078753
    """
    return as_floats(np.sqrt(np.maximum(js(c, r), 0.0)))


def corrected(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Divergence less its mean without drift, ``(B - 1) (1/n + 1/m) / 8``; below 0 by chance.

    Examples
    --------
    >>> round(float(corrected([50, 30, 20], [400, 400, 200])), 6)
    0.003452
    """
    return as_floats(js(c, r) - (as_floats(c).shape[-1] - 1) * inverse_size(c, r) / 8.0)


def threshold(n: int, m: int, bins: int, alpha: float) -> float:
    """Divergence that an unchanged window of `n` events exceeds with chance `alpha`.

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
    0.012664
    """
    return (1.0 / n + 1.0 / m) / 8.0 * chi2_isf(alpha, bins - 1)


def p_value(c: ArrayLike, r: ArrayLike) -> FloatArray:
    """Chance of a divergence this large without drift, for one look, shape (...).

    Examples
    --------
    >>> round(float(p_value([50, 30, 20], [400, 400, 200])), 3)
    0.105
    """
    return chi2_sf(8.0 * js(c, r) / inverse_size(c, r), as_floats(c).shape[-1] - 1)


def interval(c: ArrayLike, r: ArrayLike, alpha: float = 0.05) -> tuple[FloatArray, FloatArray]:
    """Approximate interval for the true divergence, around the corrected value.

    Delta method, plus the variance ``(B - 1) (1/n + 1/m)**2 / 32`` that remains without drift.

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
    >>> bool(0 < low < 0.0061 < high)
    True
    """
    p, q = smoothed(c), smoothed(r)
    n, m = as_floats(c).sum(axis=-1), as_floats(r).sum(axis=-1)
    scale = inverse_size(c, r)
    spread = variance(as_floats(0.5 * np.log(2.0 * p / (p + q))), p) / np.maximum(n, 1.0)
    spread = spread + variance(as_floats(0.5 * np.log(2.0 * q / (p + q))), q) / np.maximum(m, 1.0)
    spread = spread + (p.shape[-1] - 1) * scale**2 / 32.0
    half = normal_ppf(1.0 - alpha / 2.0) * np.sqrt(spread)
    centre = corrected(c, r)
    return as_floats(np.maximum(centre - half, 0.0)), as_floats(np.maximum(centre + half, 0.0))


JS = Comparison(
    name="js",
    value=js,
    corrected=corrected,
    threshold=threshold,
    p_value=p_value,
    interval=interval,
)
"""Jensen-Shannon divergence."""

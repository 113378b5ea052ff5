"""Wasserstein-1 distance: how far, in standard deviations, the average event has moved."""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from detectors.contract import Comparison
from detectors.drift.histograms import shares
from detectors.drift.ks import band
from schemas.errors import ConfigurationError


def wasserstein(c: ArrayLike, r: ArrayLike, *, edges: ArrayLike, sd: ArrayLike = 1.0) -> FloatArray:
    """Distance of window counts `c` from reference counts `r`, in units of `sd`.

    The area between the two cumulative distributions, each taken as uniform inside its bins.
    It is never less than the difference of the means.

    Parameters
    ----------
    c, r
        Counts over ordered bins, shape (..., B).
    edges
        Increasing edges, shape (..., B + 1); the outer ones are the reference's minimum and
        maximum.
    sd
        Standard deviation of the reference, above 0, shape (...).

    Returns
    -------
    Shape (...), at least 0; NaN where a side is empty.

    Raises
    ------
    ConfigurationError
        Edges that do not fit the counts or do not increase, or `sd` not above 0.

    Examples
    --------
    >>> round(float(wasserstein([50, 30, 20], [400, 400, 200], edges=[0, 1, 2, 3])), 6)
    0.1

    References
    ----------
    .. [1] Villani, Optimal Transport: Old and New, Springer, 2009.
    """
    widths = _widths(edges, bins=as_floats(c).shape[-1], sd=as_floats(sd))
    gap = np.cumsum(shares(c) - shares(r), axis=-1)
    left = np.concatenate([np.zeros_like(gap[..., :1]), gap[..., :-1]], axis=-1)
    size = np.abs(left) + np.abs(gap)
    # Where the gap changes sign inside a bin, the area is two triangles instead of a trapezium.
    crossing = left * gap < 0.0
    triangles = (left**2 + gap**2) / np.where(crossing, size, 1.0)
    area = 0.5 * widths * np.where(crossing, triangles, size)
    return as_floats(area.sum(axis=-1) / as_floats(sd))


def interval(
    c: ArrayLike, r: ArrayLike, *, edges: ArrayLike, sd: ArrayLike = 1.0, alpha: float = 0.05
) -> tuple[FloatArray, FloatArray]:
    """Interval for the true distance on the range of the edges, for one look.

    Both cumulative distributions are off by at most the band of `detectors.drift.ks`, over the
    whole range; valid at every sample size, and wide.

    Parameters
    ----------
    c, r, edges, sd
        As in `wasserstein`.
    alpha
        One less the coverage.

    Returns
    -------
    Lower and upper ends, each of shape (...), at least 0.

    Examples
    --------
    >>> low, high = interval([500, 300, 200], [4_000, 4_000, 2_000], edges=[0, 1, 2, 3])
    >>> bool(low < 0.1 < high)
    True
    """
    scale = as_floats(sd)
    span = _widths(edges, bins=as_floats(c).shape[-1], sd=scale).sum(axis=-1) / scale
    value = wasserstein(c, r, edges=edges, sd=scale)
    half = span * band(c, r, alpha)
    return as_floats(np.maximum(value - half, 0.0)), as_floats(value + half)


def _widths(edges: ArrayLike, *, bins: int, sd: FloatArray) -> FloatArray:
    """Widths of the bins, shape (..., B), after the settings are found sound."""
    points = as_floats(edges)
    if points.shape[-1] != bins + 1:
        raise ConfigurationError(
            f"{points.shape[-1]} edges for {bins} bins; there must be {bins + 1}"
        )
    widths = np.diff(points, axis=-1)
    if not np.all(widths >= 0.0):
        raise ConfigurationError("the edges must increase; sort them and drop duplicates")
    if not np.all(sd > 0.0):
        raise ConfigurationError(
            f"sd is {float(np.min(sd)):g}; a constant feature has no distance in sd, use tv"
        )
    return as_floats(widths)


def comparison(edges: ArrayLike | None = None, *, sd: ArrayLike = 1.0) -> Comparison:
    """The distance over given edges as a comparison of two histograms.

    Parameters
    ----------
    edges, sd
        As in `wasserstein`; without edges, every bin has width 1.

    Examples
    --------
    >>> float(comparison([0, 10, 30], sd=4.0).value([3, 1], [1, 3]))
    1.875
    """

    def over(counts: ArrayLike) -> ArrayLike:
        return np.arange(as_floats(counts).shape[-1] + 1.0) if edges is None else edges

    return Comparison(
        name="wasserstein",
        value=lambda c, r: wasserstein(c, r, edges=over(c), sd=sd),
        interval=lambda c, r, alpha: interval(c, r, edges=over(c), sd=sd, alpha=alpha),
        ordered=True,
    )


WASSERSTEIN = comparison()
"""Wasserstein-1 distance in bins."""

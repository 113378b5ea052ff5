"""Benjamini-Hochberg: which features of one window drifted, at a false discovery rate."""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, BoolArray, FloatArray, as_floats


def bh(p: ArrayLike, q: float = 0.01) -> BoolArray:
    """Which hypotheses to reject so that at most a share `q` of rejections is false on average.

    For the p-values of **one** window only (independent or positively dependent, sample size
    fixed); over several looks use `detectors.drift.e_bh`.

    Parameters
    ----------
    p
        P-values, shape (F,); NaN (cannot tell) is never rejected and not counted.
    q
        False discovery rate.

    Returns
    -------
    Shape (F,), true where rejected.

    Examples
    --------
    >>> bh([0.001, 0.6, 0.004, np.nan], q=0.01).tolist()
    [True, False, True, False]

    References
    ----------
    .. [1] Benjamini, Hochberg, Controlling the false discovery rate, JRSS-B 57, 1995.
    """
    values = as_floats(p)
    known = np.sort(values[~np.isnan(values)])
    passing = np.flatnonzero(known <= q * np.arange(1, known.size + 1) / max(known.size, 1))
    if passing.size == 0:
        return np.zeros(values.shape, dtype=np.bool_)
    return np.asarray(values <= known[passing[-1]], dtype=np.bool_)


def e_from_p(p: ArrayLike) -> FloatArray:
    """E-value ``0.5 / sqrt(p)`` of a p-value, for evidence that only comes as a p-value.

    Examples
    --------
    >>> round(float(e_from_p(1e-4)), 6)
    50.0
    """
    return as_floats(0.5 / np.sqrt(as_floats(p)))


def e_from_p_mixture(p: ArrayLike) -> FloatArray:
    """E-value of a p-value, mixed over all powers: larger than `e_from_p` for small ones.

    ``(1 - p + p ln p) / (p (ln p)**2)``, for p in (0, 1).

    Examples
    --------
    >>> round(float(e_from_p_mixture(1e-4)))
    118

    References
    ----------
    .. [1] Vovk, Wang, E-values: calibration, combination and applications, Annals of Statistics
       49, 2021.
    """
    values = as_floats(p)
    log_p = np.log(values)
    return as_floats((1.0 - values + values * log_p) / (values * log_p**2))

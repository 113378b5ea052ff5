"""E-BH: which streams of a family drifted, at a false discovery rate, at any time."""

from __future__ import annotations

import math

import numpy as np

from detectors.arrays import ArrayLike, BoolArray, as_floats


def e_bh(log_e: ArrayLike, alpha: float = 0.1) -> BoolArray:
    """Which hypotheses to reject, whatever the dependence between them.

    With stopped e-processes the share of false rejections is at most `alpha` on average. With
    the wealth of an e-SR detector it is a list for display, without that guarantee.

    Parameters
    ----------
    log_e
        Natural logs of the e-values, shape (F,).
    alpha
        False discovery rate.

    Returns
    -------
    Shape (F,), true where rejected.

    Examples
    --------
    >>> with np.errstate(divide="ignore"):
    ...     log_e = np.log([120, 45, 30, 12, 3, 1, 0.5, 0.2, 0, 0])
    >>> int(e_bh(log_e, alpha=0.1).sum())
    1

    References
    ----------
    .. [1] Wang, Ramdas, False discovery rate control with e-values, JRSS-B 84, 2022.
    """
    values = as_floats(log_e)
    rejected = np.zeros(values.shape, dtype=np.bool_)
    order = np.argsort(-values, kind="stable")
    ranks = np.arange(1, values.size + 1)
    needed = math.log(max(values.size, 1) / alpha) - np.log(ranks)
    passing = np.flatnonzero(values[order] >= needed)
    if passing.size:
        rejected[order[: passing[-1] + 1]] = True
    return rejected

"""Sums behind Brier score, log loss and every calibration measure, for (p, y) pairs."""

from __future__ import annotations

import numpy as np

from detectors.summary import Builder, Field, Floats, Ints, quantise

BINS = 10
CLIP = 1e-6

FIELDS = (
    Field("brier", fixed=True),
    Field("brier_sq", fixed=True),
    Field("log_loss", fixed=True),
    Field("log_loss_sq", fixed=True),
    Field("cal_n", BINS),
    Field("cal_p", BINS, fixed=True),
    Field("cal_y", BINS),
    Field("cal_var", BINS, fixed=True),
    Field("cal_sq", BINS, fixed=True),
    Field("slope_d", fixed=True),
    Field("slope_v", fixed=True),
    Field("z_var", fixed=True),
)
"""With p the score, y the truth, by bin: n, sum p, sum y, sum p(1-p), sum (y-p)^2; and
slope_d = sum (y-p)(2p-1), slope_v = sum ((y-p)(2p-1))^2, z_var = sum (1-2p)^2 p(1-p)."""


def bin_of(p: Floats) -> Ints:
    """Bin of each probability, shape kept; the last one holds 1.

    Examples
    --------
    >>> bin_of(np.array([0.0, 0.1, 0.95, 1.0])).tolist()
    [0, 1, 9, 9]
    """
    return np.minimum((p * BINS).astype(np.int64), BINS - 1)


def add(build: Builder, rows: Ints, p: Floats, y: Floats) -> None:
    """Add the sums of scores ``p`` in [0, 1] and truths ``y`` in {0, 1}; all of shape (m,)."""
    residual = y - p
    square = residual**2
    likelihood = np.clip(np.where(y > 0.5, p, 1 - p), CLIP, 1.0)
    loss = -np.log(likelihood)
    tilt = 2 * p - 1
    variance = p * (1 - p)
    bins = bin_of(p)
    for name, values in (
        ("brier", square),
        ("brier_sq", square**2),
        ("log_loss", loss),
        ("log_loss_sq", loss**2),
        ("slope_d", residual * tilt),
        ("slope_v", (residual * tilt) ** 2),
        ("z_var", tilt**2 * variance),
    ):
        build.add(name, rows, quantise(values))
    build.ones("cal_n", rows, bins)
    for name, values in (("cal_p", p), ("cal_var", variance), ("cal_sq", square)):
        build.add(name, rows, quantise(values), bins)
    build.add("cal_y", rows, y.astype(np.int64), bins)

"""How far rows in order of time depend on those before them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIGNIFICANT = 2.58
"""Standard errors of the first autocorrelation below which rows count as independent (1 %)."""

FEWEST = 50
"""Independent rows that any series is worth, at least."""


def time_of(values: NDArray[np.float64]) -> float:
    """Integrated autocorrelation time of a series: so many rows are worth one independent row.

    Autocorrelations are summed in pairs for as long as the pairs are above 0. A series whose
    first autocorrelation is within chance counts as independent.

    Parameters
    ----------
    values
        Numbers in order of time, shape (n,).

    Returns
    -------
    At least 1, and at most n / 50; about (1 + r) / (1 - r) for a first-order process.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> time_of(rng.normal(size=5_000))
    1.0
    >>> series = np.zeros(20_000)
    >>> for i in range(1, 20_000):
    ...     series[i] = 0.9 * series[i - 1] + rng.normal()
    >>> 15 < time_of(series) < 24
    True

    References
    ----------
    .. [1] Geyer, Practical Markov chain Monte Carlo, Statistical Science 7, 1992 (initial
       positive sequence).
    """
    n = len(values)
    centred = values - values.mean() if n else values
    power = float(centred @ centred)
    if n < 2 * FEWEST or power <= 0.0:
        return 1.0
    if abs(float(centred[1:] @ centred[:-1])) / power <= SIGNIFICANT / np.sqrt(n):
        return 1.0
    spectrum = np.fft.rfft(centred, 2 * n)
    correlation = np.fft.irfft(spectrum * spectrum.conj(), 2 * n)[: n - n % 2] / power
    pairs = correlation.reshape(-1, 2).sum(axis=1)
    end = int(np.argmax(pairs <= 0.0)) if bool(np.any(pairs <= 0.0)) else len(pairs)
    return float(np.clip(2.0 * pairs[:end].sum() - 1.0, 1.0, n / FEWEST))

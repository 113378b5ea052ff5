"""Rows that depend on those before count for less, if they are known to be in order."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.autocorrelation import FEWEST, time_of
from schemas.profiling import build


def process(r: float, n: int, *, seed: int = 2) -> np.ndarray:
    """A first-order autoregressive process."""
    noise = np.random.default_rng(seed).normal(size=n)
    series = np.zeros(n)
    for i in range(1, n):
        series[i] = r * series[i - 1] + noise[i]
    return series


@pytest.mark.parametrize("r", [0.3, 0.6, 0.9])
def test_a_first_order_process_has_its_time(r: float) -> None:
    """(1 + r) / (1 - r), within a fifth, from 50,000 rows."""
    assert time_of(process(r, 50_000)) == pytest.approx((1 + r) / (1 - r), rel=0.2)


def test_independent_rows_count_in_full() -> None:
    """Exactly 1 in about 99 of 100 series, and near 1 in the others."""
    rng = np.random.default_rng(4)
    times = np.array([time_of(rng.normal(size=2_000)) for _ in range(400)])
    assert (times == 1.0).mean() >= 0.97
    assert times.max() < 1.6


def test_a_trend_is_worth_few_rows_but_never_none() -> None:
    """The cap leaves fifty independent rows; constants and short series count in full."""
    assert time_of(np.arange(5_000.0)) == 5_000 / FEWEST
    assert time_of(np.ones(5_000)) == 1.0
    assert time_of(np.array([])) == 1.0


def test_only_rows_in_order_of_time_say_how_they_depend() -> None:
    """Sorted rows of a file say nothing, and must not make a reference worthless."""
    columns: dict[str, list[object]] = {
        "x": process(0.9, 20_000).tolist(),
        "c": ["a" if v > 0 else "b" for v in process(0.9, 20_000, seed=3)],
    }
    score = process(0.6, 20_000).tolist()
    plain, timed = (build("m", columns, score=score, in_order=flag) for flag in (False, True))
    assert plain.numeric["x"].dispersion == plain.categorical["c"].dispersion == 1.0
    assert 12 < timed.numeric["x"].dispersion < 30
    assert 4 < timed.categorical["c"].dispersion < 30
    assert timed.score is not None
    assert 2 < timed.score.dispersion < 8
    assert plain.hash != timed.hash

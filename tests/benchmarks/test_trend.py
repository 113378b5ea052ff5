"""What counts as flat."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.trend import trend

SECONDS = np.arange(0, 3_600, 5.0)


def steady(level: float, per_hour: float, *, seed: int = 1) -> np.ndarray:
    """A quarter of an hour of filling up, then a level with noise and bursts."""
    rng = np.random.default_rng(seed)
    filling = np.clip(SECONDS / 900, 0, 1)
    bursts = np.where(rng.random(len(SECONDS)) < 0.2, 300, 0)
    return level * filling + per_hour * SECONDS / 3_600 + bursts + rng.normal(0, 5, len(SECONDS))


@pytest.mark.parametrize(
    ("level", "per_hour", "flat"),
    [(400, 0, True), (400, 10, True), (1_000, 40, True), (400, 60, False), (1_000, 90, False)],
)
def test_slow_growth_is_found_under_bursts_and_after_the_start(
    level: float, per_hour: float, flat: bool
) -> None:
    found = trend(SECONDS.tolist(), steady(level, per_hour).tolist())
    assert found.flat is flat
    assert found.per_hour == pytest.approx(per_hour, abs=8)

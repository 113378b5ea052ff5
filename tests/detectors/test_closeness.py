"""A drift alarm ends only when the distribution is shown to be back, wherever the mass went."""

from __future__ import annotations

import numpy as np

from detectors.drift.closeness import closeness

REFERENCE = np.array([2_500.0] * 4)


def looks(rng: np.random.Generator, p: list[float], *, windows: int, n: int) -> list[bool]:
    """Whether each look at a growing pool says near."""
    pool = np.zeros(4)
    said = []
    for look in range(1, windows + 1):
        pool = pool + rng.multinomial(n, p)
        found = closeness(pool, REFERENCE, eps=0.10, look=look)
        said.append(found.near)
        if found.far:
            pool = np.zeros(4)
    return said


def test_at_the_tolerated_distance_near_is_rarely_said() -> None:
    """At most 5 % of 1,000 runs, with a look after each of 60 windows."""
    rng = np.random.default_rng(3)
    p = [0.35, 0.25, 0.25, 0.15]
    wrong = sum(any(looks(rng, p, windows=60, n=200)) for _ in range(1_000))
    assert wrong / 1_000 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1_000)


def test_mass_that_moved_on_to_another_bin_is_not_back() -> None:
    """A witness fixed at the alarm would take it for a recovery."""
    rng = np.random.default_rng(4)
    assert not any(looks(rng, [0.0, 0.0, 1.0, 0.0], windows=60, n=200))


def test_back_at_the_reference_near_is_said_soon() -> None:
    """Within 2,000 events."""
    rng = np.random.default_rng(5)
    assert any(looks(rng, [0.25] * 4, windows=10, n=200))


def test_the_evidence_is_never_negative_and_grows_with_the_pool() -> None:
    """In natural logarithms."""
    small = closeness(np.array([50.0] * 4), REFERENCE, eps=0.1, look=1)
    large = closeness(np.array([2_000.0] * 4), REFERENCE, eps=0.1, look=1)
    assert 0 <= small.log_e < large.log_e

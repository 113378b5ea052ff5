"""Intervals of one number are those of arrays, bit for bit: nobody sees which was used."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from detectors.intervals import mean_interval, mean_interval_of_one, wilson, wilson_of_one

SIZES = st.one_of(st.integers(1, 10**9).map(float), st.floats(0.01, 1e9))
SHARES = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(-0.1, 1.1))
"""A little beyond a rate, as sums are that corrections came to before their rows."""


def bits(ends: tuple[float, float]) -> list[bytes]:
    """NaN is NaN, whatever its sign."""
    return [struct.pack("d", end) if end == end else b"nan" for end in map(float, ends)]


@given(n=SIZES, share=SHARES, alpha=st.sampled_from([0.05, 0.01]))
def test_of_a_rate(n: float, share: float, alpha: float) -> None:
    """Corners, rates beyond them and parts of rows among them."""
    expected = wilson(share * n, n, alpha)
    assert bits(wilson_of_one(share * n, n, alpha)) == bits(expected)


@given(n=SIZES, mean=st.floats(-10, 10), spread=st.floats(-1, 10))
def test_of_a_mean(n: float, mean: float, spread: float) -> None:
    """A spread below 0, as rounding leaves it, and fewer than two values among them."""
    s, q = n * mean, n * (mean * mean + spread)
    assert bits(mean_interval_of_one(n, s, q)) == bits(mean_interval(n, s, q))

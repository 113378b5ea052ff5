"""DDSketch: relative error, merging, edges and rank intervals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.latency import ddsketch
from schemas.errors import ConfigurationError


def test_known_answers() -> None:
    """Keys and values at an accuracy of 1 %, and the size of the fixed range."""
    assert int(ddsketch.bucket_key(100.0, accuracy=0.01)) == 231
    assert float(ddsketch.bucket_value(231, accuracy=0.01)) == pytest.approx(100.494568, abs=1e-6)
    assert int(ddsketch.bucket_key(1.0, accuracy=0.01)) == 0
    assert ddsketch.BUCKETS == 391


@given(st.lists(st.floats(0.1, 600_000.0), min_size=1, max_size=200), st.floats(0, 1))
def test_quantiles_are_within_two_percent(values: list[float], q: float) -> None:
    """Any values inside the range, any quantile, against the exact order statistic."""
    exact = float(np.sort(values)[math.floor(q * (len(values) - 1))])
    got = ddsketch.quantile(ddsketch.counts(values), q)
    assert abs(got - exact) <= ddsketch.ACCURACY * exact * (1 + 1e-9)


@given(st.lists(st.floats(0.0, 1e7), max_size=100), st.lists(st.floats(0.0, 1e7), max_size=100))
def test_merging_is_adding(left: list[float], right: list[float]) -> None:
    """The sketch of all values is the sum of the sketches, and subtraction takes back."""
    both = ddsketch.counts(left + right)
    assert (both == ddsketch.counts(left) + ddsketch.counts(right)).all()
    assert (both - ddsketch.counts(right) == ddsketch.counts(left)).all()


def test_values_outside_the_range_are_clamped_and_counted() -> None:
    """Zero and below go first, above goes last, NaN is a bug."""
    assert ddsketch.keys([-1.0, 0.0, 0.05, 1e9, math.inf]).tolist() == [0, 0, 0, 390, 390]
    assert ddsketch.clamped([-1.0, 0.0, 0.1, 600_000.0, 1e9]) == (2, 1)
    with pytest.raises(ValueError, match="NaN"):
        ddsketch.keys([1.0, math.nan])


def test_an_empty_sketch_cannot_tell() -> None:
    """NaN, not an error."""
    empty = ddsketch.counts([])
    assert math.isnan(ddsketch.quantile(empty, 0.5))
    assert all(math.isnan(x) for x in ddsketch.quantile_interval(empty, 0.5))


def test_rank_intervals_cover_the_true_quantile() -> None:
    """95 % of 1,000 lognormal samples of 300, less sampling error, at p50 and p95."""
    rng = np.random.default_rng(81)
    for q, z in ((0.5, 0.0), (0.95, 1.644854)):
        true, hit = 20.0 * math.exp(0.5 * z), 0
        for sample in 20.0 * np.exp(0.5 * rng.standard_normal((1_000, 300))):
            low, high = ddsketch.quantile_interval(ddsketch.counts(sample), q)
            hit += low * (1 - 0.0) / 1.02 <= true <= high / 0.98
        assert hit / 1_000 >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / 1_000)


def test_a_high_quantile_of_few_values_is_open_ended() -> None:
    """Ten values say nothing about an upper end of p99, or a lower end of p01."""
    sketch = ddsketch.counts(np.arange(1.0, 11.0))
    assert ddsketch.quantile_interval(sketch, 0.99).high == math.inf
    assert ddsketch.quantile_interval(sketch, 0.01).low == 0.0


@given(st.lists(st.floats(0.0, 1e6), max_size=100), st.floats(0.1, 1e5))
def test_the_count_over_a_limit_never_overcounts(values: list[float], limit: float) -> None:
    """At most the true count, at least that above the limit by the relative width of a bucket."""
    over = ddsketch.count_over(ddsketch.counts(values), limit)
    assert over <= sum(x > limit for x in values)
    assert over >= sum(x > limit * 1.05 for x in values)


@pytest.mark.parametrize("q", [-0.1, 1.1])
def test_a_quantile_outside_its_range_is_refused(q: float) -> None:
    """The message names it."""
    with pytest.raises(ConfigurationError, match="q is"):
        ddsketch.quantile(ddsketch.counts([1.0]), q)
    with pytest.raises(ConfigurationError, match="q is"):
        ddsketch.quantile_interval(ddsketch.counts([1.0]), q)

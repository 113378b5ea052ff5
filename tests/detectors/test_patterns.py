"""Patterns: stuck outputs, class spikes, repeats, catalogue use, rows out of domain."""

import json
import math

import numpy as np
import pytest

from detectors.bets import binary
from detectors.bets.grid import log_mean_exp
from detectors.patterns import constant, distinct, out_of_domain, repeats
from detectors.patterns.class_mix import class_band, class_rates, class_share_test
from detectors.patterns.constant import ConstantOutputTest
from detectors.sequential.band import Band, BandTest, Rates, around
from schemas.errors import ConfigurationError

RUNS = 1_000


def limit_of(budget: float, runs: int = RUNS) -> float:
    """Most alarms a run that chance explains, where `budget` are expected."""
    return budget + 3 * math.sqrt(budget / runs)


def rates(n: list[float], s: list[float]) -> Rates:
    """A window."""
    return Rates(np.array(n, float), np.array(s, float))


@pytest.mark.parametrize("place", [(0.10, 0.40), (0.20, 0.60), (0.10, 0.60)])
def test_band_test_keeps_its_budget_at_every_corner(place: tuple[float, float]) -> None:
    """Two rates that depend on each other fully, each at an end of its band."""
    rng, windows, share = np.random.default_rng(31), 30, 0.004
    band = Band(np.array([0.10, 0.40]), np.array([0.20, 0.60]))
    u = rng.random((RUNS, windows, 60))
    s = np.stack([(u < p).sum(axis=-1) for p in place], axis=-1).astype(float)
    alarms = 0
    for run in s:
        test = BandTest(band)
        for window in run:
            if test.update(Rates(np.full(2, 60.0), window), share=share):
                alarms += 1
                test.reset()
    assert alarms / RUNS <= limit_of(share * windows)


def test_band_test_equals_the_bets_it_mixes() -> None:
    """One window from a fresh start: the share, split over sides, times the wealth of each."""
    test = BandTest(Band(np.array([0.1, 0.0]), np.array([0.3, 0.2])))
    test.update(rates([100, 50], [35, 20]), share=0.01)
    parts = [
        (1 / 4, binary.increments(n=100, s=35, m=0.3)),
        (1 / 2, binary.increments(n=50, s=20, m=0.2)),
        (1 / 4, binary.increments(n=100, s=35, m=0.1, side="below")),
    ]
    wealth = 0.01 * sum(w * math.exp(float(log_mean_exp(le))) for w, le in parts)
    assert test.log_m == pytest.approx(math.log(wealth), abs=1e-9)


def test_band_test_restarts_and_skips_what_is_empty() -> None:
    """State through JSON continues exactly; a rate without events keeps its wealth."""
    band = Band(np.array([0.1, 0.0]), np.array([0.3, 0.2]))
    whole, cut = BandTest(band, [3, 1]), BandTest(band, [3, 1])
    assert cut.leading is None
    rng = np.random.default_rng(32)
    for n in ([50, 40], [0, 40], [50, 0]):
        window = rates(n, rng.binomial(n, 0.25).tolist())
        cut = BandTest.restore(band, json.loads(json.dumps(cut.state(), allow_nan=False)), [3, 1])
        assert cut.update(window, share=1e-3) == whole.update(window, share=1e-3)
        assert cut.state() == whole.state()
    before = cut.state()
    assert not cut.update(rates([0, 0], [0, 0]), share=1e-3)
    assert cut.state() == before
    only_first = BandTest(band)
    only_first.update(rates([50, 0], [20, 0]), share=1e-3)
    again = BandTest.restore(band, json.loads(json.dumps(only_first.state(), allow_nan=False)))
    assert again.state() == only_first.state()
    assert again.log_m == only_first.log_m
    assert again.update(rates([50, 50], [40, 40]), share=1e-3)
    assert not again.update(rates([0, 0], [0, 0]), share=1e-3)
    again.reset()
    assert again.state() == []
    assert again.log_m == -math.inf


def test_bands_and_windows_that_cannot_be_are_refused() -> None:
    """The message names the rate and the value."""
    one = np.array([0.5])
    with pytest.raises(ConfigurationError, match=r"rate 0 runs from 0\.5 to 0\.5"):
        BandTest(Band(one, one))
    with pytest.raises(ConfigurationError, match="every band holds all"):
        BandTest(Band(np.zeros(1), np.ones(1)))
    with pytest.raises(ConfigurationError, match="one low and one high"):
        BandTest(Band(one, np.ones(2)))
    with pytest.raises(ConfigurationError, match="weights"):
        BandTest(Band(np.zeros(1), one), [0.0])
    with pytest.raises(ConfigurationError, match="tolerance is 1"):
        around([1], [2], tolerance=1.0)
    with pytest.raises(ConfigurationError, match="stream 1 has no reference"):
        around([1, 0], [2, 0], tolerance=0.1)
    test = BandTest(Band(np.zeros(1), one))
    with pytest.raises(ValueError, match="holds 1 rates"):
        test.update(rates([1, 1], [0, 0]), share=0.1)
    with pytest.raises(ValueError, match=r"s\[0\] is nan"):
        test.update(rates([10], [math.nan]), share=0.1)
    with pytest.raises(ValueError, match=r"n\[0\] is inf"):
        test.update(rates([math.inf], [1]), share=0.1)
    for s in (11.0, -1.0):
        with pytest.raises(ValueError, match="rate 0 has"):
            test.update(rates([10], [s]), share=0.1)
    with pytest.raises(ConfigurationError, match="share is 2"):
        test.update(rates([10], [1]), share=2.0)
    with pytest.raises(ValueError, match="state of 3 numbers"):
        BandTest.restore(Band(np.zeros(1), one), [0.0, 1.0, 2.0])


def test_reference_error_is_part_of_the_band() -> None:
    """Bands around sampled references miss any of five true shares in at most 1 % of cases."""
    q = np.array([0.6, 0.25, 0.1, 0.04, 0.01])
    missed, runs = 0, 250
    for counts in np.random.default_rng(33).multinomial(2_000, q, size=runs):
        low, high = class_band(counts, tolerance=0.0)
        missed += bool(((q < low) | (q > high)).any())
    assert missed / runs <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / runs)


def test_class_spike_is_found_and_named_and_a_steady_mix_is_not() -> None:
    """A class of 2 % jumps to 12 %; the class that the reference never saw is watched as well."""
    rng, reference = np.random.default_rng(34), [6_000, 3_200, 200, 600, 0]
    q = np.array(reference) / sum(reference)
    test = class_share_test(reference)
    for counts in rng.multinomial(200, q, size=100):
        assert not test.update(class_rates(counts), share=1e-3)
    spike = q + np.array([-0.10, 0, 0.10, 0, 0])
    found = [
        i
        for i, counts in enumerate(rng.multinomial(200, spike, size=12), 1)
        if test.update(class_rates(counts), share=1e-3)
    ]
    assert found
    assert test.leading == (2, "above")
    test.reset()
    for counts in rng.multinomial(200, 0.8 * q + 0.2 * np.eye(5)[4], size=4):
        test.update(class_rates(counts), share=1e-3)
    assert test.leading == (4, "above")
    with pytest.raises(ConfigurationError, match="at least 2 classes"):
        class_share_test([5])


def test_constant_output_keeps_its_budget_at_the_limit() -> None:
    """One bin holds exactly the limit for ever, the others share the rest."""
    rng, windows, share = np.random.default_rng(35), 25, 0.004
    reference = [40, 30, 20, 10]
    at_limit = ConstantOutputTest(reference).limit
    q = np.array([at_limit, *[(1 - at_limit) / 3] * 3])
    alarms = 0
    for run in rng.multinomial(40, q, size=(RUNS, windows)):
        test = ConstantOutputTest(reference)
        for counts in run:
            if test.update(counts, share=share):
                alarms += 1
                test.reset()
    assert alarms / RUNS <= limit_of(share * windows)


def test_control_own_most_common_bin_of_each_window() -> None:
    """Two bins at the limit: betting on the larger of the same window alarms in most runs."""
    counts = np.random.default_rng(36).multinomial(40, [0.5, 0.5], size=(RUNS, 40))
    le = binary.increments(n=40, s=counts.max(axis=-1), m=0.5)
    assert np.mean(log_mean_exp(np.cumsum(le, axis=1)).max(axis=1) >= math.log(20)) > 0.9


def test_stuck_output_is_found_in_two_windows_and_a_restart_changes_nothing() -> None:
    """Of 20 equal bins one takes all answers; state through JSON continues exactly."""
    rng, reference = np.random.default_rng(37), np.full(20, 500)
    stream = [*rng.multinomial(100, np.full(20, 0.05), size=10), *[np.eye(20)[7] * 100] * 2]
    whole, cut, found = ConstantOutputTest(reference), ConstantOutputTest(reference), []
    for counts in stream:
        state = json.loads(json.dumps(cut.state(), allow_nan=False))
        cut = ConstantOutputTest.restore(reference, state)
        found.append(cut.update(counts, share=1e-4))
        assert found[-1] == whole.update(counts, share=1e-4)
    assert found == [False] * 11 + [True]
    assert cut.suspect == 7
    assert cut.state() == whole.state()
    before = cut.state()
    assert not cut.update(np.zeros(20), share=1e-4)
    assert cut.state() == before
    cut.reset()
    assert (cut.suspect, cut.log_m) == (None, -math.inf)


def test_constant_output_refuses_what_cannot_be_tested() -> None:
    """A constant or empty reference, a way outside (0, 1), other bins."""
    with pytest.raises(ConfigurationError, match="share of 1"):
        ConstantOutputTest([0, 9])
    with pytest.raises(ConfigurationError, match="share of nan"):
        ConstantOutputTest([0, 0])
    with pytest.raises(ConfigurationError, match="way is 1"):
        constant.limit([5, 5], way=1.0)
    with pytest.raises(ValueError, match="2 bins"):
        ConstantOutputTest([5, 5]).update([1, 2, 3], share=0.1)
    with pytest.raises(ValueError, match=r"counts\[1\] is nan"):
        ConstantOutputTest([5, 5]).update([1, math.nan], share=0.1)


def hashed(values: np.ndarray, buckets: int, seed: int) -> np.ndarray:
    """Counts of values in buckets under a random hash of each run, shape (runs, buckets)."""
    rng = np.random.default_rng(seed)
    top = int(values.max()) + 1
    out = np.empty((len(values), buckets), np.int64)
    for i, row in enumerate(values):
        out[i] = np.bincount(rng.integers(0, buckets, top)[row], minlength=buckets)
    return out


@pytest.mark.parametrize(("n", "buckets"), [(60, 256), (500, 256), (2_000, 1_024)])
def test_distinct_rows_show_no_twins_and_the_stated_noise(n: int, buckets: int) -> None:
    """Mean 0, the derived standard deviation, and a p-value that keeps its level."""
    runs = 4_000
    counts = np.random.default_rng(38).multinomial(n, np.full(buckets, 1 / buckets), size=runs)
    found = repeats.repeats(counts)
    assert found.twins.mean() == pytest.approx(0.0, abs=4 * found.sd[0] / math.sqrt(runs))
    assert found.twins.std() == pytest.approx(found.sd[0], rel=0.06)
    for level in (0.05, 0.01):
        error = math.sqrt(level * (1 - level) / runs)
        assert np.mean(found.p_value < level) <= level + 3 * error


def test_control_normal_p_value_of_few_collisions() -> None:
    """With few rows the normal law is wrong in the tail; the gamma law is there for it."""
    counts = np.random.default_rng(39).multinomial(40, np.full(1_024, 1 / 1_024), size=8_000)
    found = repeats.repeats(counts)
    level, error = 0.01, math.sqrt(0.01 * 0.99 / 8_000)
    assert np.mean(found.twins / found.sd > 2.326) > level + 5 * error


def test_a_share_of_twins_is_measured_without_bias() -> None:
    """300 of 1,000 rows come in pairs: 0.3 twins a row, and a chance of 0.3 / 999 for a pair."""
    row = np.concatenate([np.repeat(np.arange(150), 2), np.arange(150, 850)])
    counts = hashed(np.tile(row, (400, 1)), 1_024, seed=40)
    found = repeats.repeats(counts)
    assert found.twins.mean() == pytest.approx(0.3, abs=4 * found.sd[0] / 20)
    assert np.mean(found.p_value < 0.001) > 0.99
    share = repeats.collision_share(counts).mean()
    assert share == pytest.approx(0.3 / 999, abs=4 * found.sd[0] / 20 / 999)


def test_collision_share_does_not_depend_on_the_size_of_the_window() -> None:
    """Draws from ten inputs: any two are the same with chance 0.1, in 50 rows and in 5,000."""
    rng = np.random.default_rng(41)
    for n in (50, 5_000):
        share = repeats.collision_share(hashed(rng.integers(0, 10, (200, n)), 256, seed=42))
        assert share.mean() == pytest.approx(0.1, abs=0.01)


def test_too_few_rows_cannot_tell() -> None:
    """NaN below two rows, and no warning; a single bucket is refused."""
    found = repeats.repeats([[0, 0, 0], [1, 0, 0]])
    assert np.isnan(np.array(found)).all()
    assert np.isnan(repeats.collision_share([[0, 0, 0], [1, 0, 0]])).all()
    with pytest.raises(ConfigurationError, match="1 bucket"):
        repeats.repeats([4])


@pytest.mark.parametrize("items", [100, 900])
def test_linear_counting_is_right_within_its_error(items: int) -> None:
    """Events repeat items; only the number of different ones counts."""
    values = np.tile(np.repeat(np.arange(items), 3), (500, 1))
    found = distinct.distinct(hashed(values, 1_024, seed=43))
    assert found.items.mean() == pytest.approx(items, rel=0.01)
    assert found.items.std() == pytest.approx(found.sd.mean(), rel=0.15)
    share = distinct.coverage(hashed(values, 1_024, seed=43), catalogue=1_000)
    assert share.items.mean() == pytest.approx(items / 1_000, rel=0.01)


def test_full_and_empty_tables() -> None:
    """A full table cannot tell, an empty one holds nothing."""
    assert np.isnan(distinct.distinct(np.ones(8)).items)
    assert np.isnan(distinct.distinct(np.ones(8)).sd)
    assert float(distinct.distinct(np.zeros(8)).items) == 0.0
    assert np.isnan([distinct.gini(np.zeros(4)), distinct.evenness(np.zeros(4))]).all()
    with pytest.raises(ConfigurationError, match="catalogue is 0"):
        distinct.coverage([1, 0], catalogue=0)
    with pytest.raises(ConfigurationError, match="part is 0"):
        distinct.top_share([1, 0], part=0.0)


def test_popularity_measures_by_hand() -> None:
    """Shares .1, .2, .3, .4: Gini .25, entropy 1.279854 over ln 4."""
    counts = [10, 40, 20, 30]
    assert float(distinct.gini(counts)) == pytest.approx(0.25)
    assert float(distinct.evenness(counts)) == pytest.approx(1.2798542 / math.log(4), abs=1e-6)
    assert float(distinct.top_share(counts, part=0.5)) == pytest.approx(0.7)
    assert distinct.most_popular(counts, part=0.5).tolist() == [False, True, False, True]
    assert distinct.most_popular(np.arange(1_024)).sum() == 11


def test_control_fullest_buckets_of_the_window_itself() -> None:
    """Even traffic: the fullest 1 % of a window hold far more than those of the reference."""
    rng, q = np.random.default_rng(44), np.full(1_000, 1e-3)
    fixed = distinct.most_popular(rng.multinomial(50_000, q))
    counts = rng.multinomial(1_000, q, size=200)
    assert counts[:, fixed].sum(axis=1).mean() / 1_000 == pytest.approx(0.01, abs=0.001)
    assert distinct.top_share(counts).mean() > 0.03


def test_singletons_are_the_rows_that_the_others_do_not_support() -> None:
    """Equal to leaving each row out in turn, with ties, missing values and categories."""
    rng = np.random.default_rng(45)
    numeric = rng.integers(0, 12, size=(40, 2)).astype(float)
    numeric[3, 0] = np.nan
    codes = rng.geometric(0.3, size=(40, 1)).astype(np.int64)
    codes[5, 0] = -1
    alone = 0
    for i in range(40):
        rest, others = np.delete(numeric, i, 0), np.delete(codes, i, 0)
        unseen = (codes[[i]] >= 0) & ~np.isin(codes[[i]], others)
        ends = np.nanmin(rest, axis=0), np.nanmax(rest, axis=0)
        alone += bool(out_of_domain.outside(numeric[[i]], *ends, unseen)[0])
    assert out_of_domain.singletons(numeric, codes) == alone
    assert out_of_domain.singletons(np.zeros((4, 0)), np.array([[1], [1], [2], [2]])) == 0


@pytest.mark.parametrize(("features", "most"), [(1, 0.0174), (5, 0.0015)])
def test_the_budget_covers_the_true_mass_outside_of_nearly_every_reference(
    features: int, most: float
) -> None:
    """The true mass over 1,000 references of 2,000 uniform rows exceeds it as seldom as stated."""
    rng, m, above = np.random.default_rng(46), 2_000, 0
    for _ in range(RUNS):
        rows = rng.random((m, features))
        inside = np.prod(rows.max(axis=0) - rows.min(axis=0))
        above += 1 - inside > out_of_domain.limit(out_of_domain.singletons(rows), m)
    assert above / RUNS <= most + 3 * math.sqrt(most / RUNS)


def test_out_of_domain_rows_keep_the_budget_and_are_found() -> None:
    """Fresh references and fresh windows from one law; then a tenth of the rows from elsewhere."""
    rng, windows, share, alarms, found = np.random.default_rng(47), 15, 0.004, 0, 0
    for _ in range(RUNS):
        reference = rng.normal(size=(500, 3))
        ends = reference.min(axis=0), reference.max(axis=0)
        test = out_of_domain.out_of_domain_test(out_of_domain.singletons(reference), 500)
        far = out_of_domain.outside(rng.normal(size=(windows * 100, 3)), *ends)
        for s in far.reshape(windows, 100).sum(axis=1):
            if test.update(rates([100], [float(s)]), share=share):
                alarms += 1
                test.reset()
        hits = rng.binomial(100, 0.10, size=12)
        found += any(test.update(rates([100], [float(s)]), share=share) for s in hits)
    assert alarms / RUNS <= limit_of(share * windows)
    assert found / RUNS > 0.9
    with pytest.raises(ConfigurationError, match="any new row may be"):
        out_of_domain.limit(400, 500)
    with pytest.raises(ConfigurationError, match="cannot be"):
        out_of_domain.limit(501, 500)

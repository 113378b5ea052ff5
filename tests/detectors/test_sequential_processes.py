"""E-processes, budgeted e-SR, recovery and confidence sequences keep what they promise."""

import json
import math

import numpy as np
import pytest

from detectors.bets import binary
from detectors.bets.grid import K, log_mean_exp
from detectors.sequential.confidence_sequence import (
    BinaryConfidenceSequence,
    BoundedConfidenceSequence,
    prefix_end,
)
from detectors.sequential.e_process import EProcess
from detectors.sequential.e_sr import BudgetedESR, step
from detectors.sequential.recovery import CleanWindows, RecoveryProcess
from schemas.errors import ConfigurationError

RUNS = 1_000


def through_json(state: object) -> object:
    """A state as it comes back from a store that knows JSON only."""
    return json.loads(json.dumps(state, allow_nan=False))


def test_shiryaev_roberts_known_answers() -> None:
    """One bet with share 1 is the classic recursion; two windows of the mixture."""
    wealth = np.array([-np.inf])
    for le in (0.5, -0.2, 1.0):
        wealth = step(wealth, [le], log_share=0.0)
    assert math.exp(wealth[0]) == pytest.approx(8.613119, abs=1e-6)
    detector = BudgetedESR()
    for bad in (8, 9):
        detector.update(binary.increments(n=100, s=bad, m=0.05), share=1.0)
    assert detector.log_m == pytest.approx(1.279743, abs=1e-6)


@pytest.mark.parametrize("share", [0.01, 0.002])
def test_expected_false_alarms_are_within_the_sum_of_shares(share: float) -> None:
    """Rate on its limit, restart at each alarm, 300 windows."""
    rng, windows = np.random.default_rng(31), 300
    wealth = np.full((RUNS, K), -np.inf)
    alarms = np.zeros(RUNS)
    for _ in range(windows):
        le = binary.increments(n=50, s=rng.binomial(50, 0.05, size=RUNS), m=0.05)
        wealth = step(wealth, le, log_share=math.log(share))
        alarm = log_mean_exp(wealth) >= 0.0
        alarms += alarm
        wealth[alarm] = -np.inf
    budget = share * windows
    assert alarms.mean() <= budget + 3 * alarms.std() / math.sqrt(RUNS)
    assert alarms.sum() > 0


def test_budget_holds_for_shares_that_change_and_tests_that_depend() -> None:
    """Four tests on the same data spend from one budget, with unequal shares."""
    rng, shares = np.random.default_rng(32), np.array([0.004, 0.002, 0.001, 0.001])
    wealth = np.full((RUNS, 4, K), -np.inf)
    alarms, budget = np.zeros(RUNS), 0.0
    for window in range(150):
        share = shares * (1.0 if window % 2 else 0.2)
        s = rng.binomial(50, 0.05, size=(RUNS, 1))
        le = binary.increments(n=50, s=np.repeat(s, 4, axis=1), m=0.05)
        wealth = step(wealth, le, log_share=np.log(share)[None, :, None])
        alarm = log_mean_exp(wealth) >= 0.0
        alarms += alarm.sum(axis=1)
        wealth[alarm] = -np.inf
        budget += share.sum()
    assert alarms.mean() <= budget + 3 * alarms.std() / math.sqrt(RUNS)


def test_a_long_healthy_past_does_not_hide_a_change() -> None:
    """After 1,000 healthy windows e-SR alarms within 15; an e-process is still in debt."""
    rng = np.random.default_rng(33)
    runs = 50
    healthy = rng.binomial(200, 0.04, size=(runs, 1_000))
    sr, process = np.full((runs, K), -np.inf), np.zeros((runs, K))
    for window in range(1_000):
        le = binary.increments(n=200, s=healthy[:, window], m=0.05)
        sr, process = step(sr, le, log_share=math.log(1e-3)), process + le
        sr[log_mean_exp(sr) >= 0.0] = -np.inf
    sr_found, process_found = np.full(runs, 99), np.full(runs, 99)
    for window in range(1, 61):
        le = binary.increments(n=200, s=rng.binomial(200, 0.075, size=runs), m=0.05)
        sr, process = step(sr, le, log_share=math.log(1e-3)), process + le
        sr_found[(log_mean_exp(sr) >= 0.0) & (sr_found == 99)] = window
        process_found[(log_mean_exp(process) >= math.log(20)) & (process_found == 99)] = window
    assert np.median(sr_found) <= 15
    assert np.median(process_found) == 99


def test_the_detector_object_is_the_vectorised_step() -> None:
    """One object and one row of a batch give the same wealth, also through JSON at any cut."""
    rng = np.random.default_rng(34)
    wealth, detector = np.full(K, -np.inf), BudgetedESR()
    for bad in rng.binomial(100, 0.06, size=30):
        le = binary.increments(n=100, s=bad, m=0.05)
        wealth = step(wealth, le, log_share=math.log(1e-4))
        detector.update(le, share=1e-4)
        detector = BudgetedESR.restore(through_json(detector.state()))
        assert detector.state() == wealth.tolist()


def test_a_reset_detector_is_a_fresh_one() -> None:
    """State, wealth and the next window are those of a new detector."""
    le = binary.increments(n=100, s=40, m=0.05)
    detector = BudgetedESR()
    assert detector.update(le, share=1e-3)
    detector.reset()
    assert detector.state() == []
    assert detector.log_m == -math.inf
    again = BudgetedESR.restore(through_json(detector.state()))
    again.update(le, share=1e-3)
    detector.update(le, share=1e-3)
    assert again.log_m == detector.log_m


def test_a_window_without_budget_cannot_start_an_alarm() -> None:
    """Share 0 from a fresh start leaves no wealth to bet with."""
    detector = BudgetedESR()
    assert not detector.update(binary.increments(n=100, s=100, m=0.05), share=0.0)
    assert detector.log_m == -math.inf


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan])
def test_an_impossible_share_is_refused(share: float) -> None:
    """The message names the share."""
    with pytest.raises(ConfigurationError, match="share is"):
        BudgetedESR().update(np.zeros(K), share=share)


def test_increments_of_another_shape_are_a_bug() -> None:
    """They are refused instead of broadcast."""
    with pytest.raises(ValueError, match="shape"):
        BudgetedESR().update(np.zeros(K + 1), share=0.1)
    with pytest.raises(ValueError, match="shape"):
        EProcess().update(np.zeros((2, K)))


def test_a_nan_never_reaches_the_wealth() -> None:
    """A guess of the baseline from no events is refused, and the process is as before."""
    process, detector = EProcess(), BudgetedESR()
    for update in (process.update, lambda le: detector.update(le, share=0.1)):
        with pytest.raises(ValueError, match="NaN"):
            update(np.full(K, np.nan))
    assert process.log_e == 0.0
    assert detector.log_m == -math.inf


def test_an_e_process_remembers_its_highest_value() -> None:
    """Evidence that crossed stays crossed when the wealth sinks, also through JSON."""
    process = EProcess()
    process.update(binary.increments(n=100, s=30, m=0.05))
    top = process.log_e
    process.update(binary.increments(n=5_000, s=0, m=0.05))
    again = EProcess.restore(through_json(process.state()))
    assert again.log_e == process.log_e < 0 < top
    assert again.crossed(0.05)
    assert again.highest_log_e == top
    assert again.p_value == pytest.approx(math.exp(-top))


def test_late_data_at_a_fixed_limit_give_the_same_e_value() -> None:
    """Order and grouping do not matter for a fixed-limit e-process."""
    on_time, late = EProcess(), EProcess()
    for n, s in ((100, 7), (80, 3), (20, 5)):
        on_time.update(binary.increments(n=n, s=s, m=0.05))
    for n, s in ((20, 5), (180, 10)):
        late.update(binary.increments(n=n, s=s, m=0.05))
    assert late.log_e == pytest.approx(on_time.log_e, abs=1e-12)


def test_recovery_is_rarely_declared_while_still_over_the_limit() -> None:
    """Rate on its limit: at most 5 % of alarms are ever resolved, at any look."""
    rng = np.random.default_rng(35)
    le = binary.increments(n=100, s=rng.binomial(100, 0.06, (RUNS, 200)), m=0.06, side="below")
    ever = log_mean_exp(np.cumsum(le, axis=1)).max(axis=1) >= math.log(20)
    assert ever.mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


def test_recovery_comes_and_survives_a_restart() -> None:
    """A rate well below its limit resolves; a rate above never does."""
    good, bad = RecoveryProcess(), RecoveryProcess()
    for _ in range(10):
        good.update(binary.increments(n=200, s=4, m=0.06, side="below"))
        bad.update(binary.increments(n=200, s=20, m=0.06, side="below"))
        good = RecoveryProcess.restore(through_json(good.state()))
    assert good.recovered
    assert not bad.recovered


def test_clean_windows_start_over_at_a_dirty_one() -> None:
    """Six in a row, not six in all; cannot-tell windows neither help nor hurt."""
    windows = CleanWindows(k=3)
    answers = []
    for clean in (True, True, False, True, None, True, None, True):
        answers.append(windows.update(clean))
        windows = CleanWindows.restore(through_json(windows.state()), k=3)
    assert answers == [False] * 7 + [True]
    with pytest.raises(ConfigurationError, match="k is 0"):
        CleanWindows(k=0)


@pytest.mark.parametrize("p", [0.02, 0.4])
def test_binary_confidence_sequence_covers_at_every_look(p: float) -> None:
    """Fewer than 5 % of 300 runs (plus 3 s.e.) ever miss, and the interval gets short."""
    rng, missed = np.random.default_rng(36), 0
    for s in rng.binomial(100, p, size=(300, 20)):
        sequence, ever = BinaryConfidenceSequence(grid=200), False
        for bad in s:
            sequence.update(n=100, s=float(bad))
            low, high = sequence.interval(0.05)
            ever |= not low <= p <= high
        missed += ever
        assert high - low < 0.17
    assert missed / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_bounded_confidence_sequence_covers_at_every_look() -> None:
    """The same for a mean, small and with little spread, on another range."""
    rng, missed = np.random.default_rng(37), 0
    for run in rng.beta(2, 98, size=(200, 10, 100)):
        sequence, ever = BoundedConfidenceSequence(lo=-1.0, hi=3.0, grid=300), False
        for x in 4.0 * run - 1.0:
            sequence.update(n=100, s=float(x.sum()), q=float((x**2).sum()))
            low, high = sequence.interval(0.05)
            ever |= not low <= 4.0 * 0.02 - 1.0 <= high
        missed += ever
        assert high - low < 0.08
    assert missed / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_confidence_sequence_at_the_corners(rate: float) -> None:
    """A rate of 0 or 1 gives a one-sided interval; no data gives everything."""
    sequence = BinaryConfidenceSequence()
    assert sequence.interval(0.05) == (0.0, 1.0)
    sequence.update(n=500, s=500 * rate)
    low, high = BinaryConfidenceSequence.restore(through_json(sequence.state())).interval(0.05)
    assert low <= rate <= high
    assert high - low < 0.03
    assert BoundedConfidenceSequence().interval(0.05) == (0.0, 1.0)


def test_only_the_first_run_of_rejections_counts() -> None:
    """A gap ends the rejected prefix."""
    assert [prefix_end(x) for x in ([True, True], [False, True], [True, False, True])] == [2, 0, 1]

"""TV-witness: known answer, budget at the tolerated distance, power, freezing, restarts."""

import json
import math

import numpy as np
import pytest

from detectors.bets import binary
from detectors.bets.grid import log_mean_exp
from detectors.drift.witness import WitnessTest, reference_slack
from detectors.sequential.recovery import RecoveryProcess
from schemas.errors import ConfigurationError

QUARTERS = np.full(4, 1_250)


def test_known_answer() -> None:
    """Slack, bound and log e-value of one bet on bins 0 and 2."""
    assert reference_slack(QUARTERS) == pytest.approx(0.031258, abs=1e-6)
    test = WitnessTest(QUARTERS, eps=0.02)
    assert not test.update([30, 20, 30, 20], share=1.0)
    assert math.isnan(test.bound)
    test.update([31, 19, 31, 19], share=1.0)
    assert test.bound == pytest.approx(0.551258, abs=1e-6)
    assert test.witness.tolist() == [True, False, True, False]
    assert test.log_m == pytest.approx(0.221418, abs=1e-6)


@pytest.mark.parametrize(("eps", "m_ref"), [(0.0, 2_000), (0.05, 5_000)])
def test_false_alarms_at_the_tolerated_distance_are_within_budget(eps: float, m_ref: int) -> None:
    """The distribution sits at TV = eps for ever; the reference is a sample."""
    rng, windows, share = np.random.default_rng(51), 40, 0.002
    q = np.full(10, 0.1)
    p = q + eps / 5 * np.array([1, -1] * 5)
    alarms = np.zeros(1_000)
    for run in range(1_000):
        test = WitnessTest(rng.multinomial(m_ref, q), eps=eps)
        for counts in rng.multinomial(200, p, size=windows):
            if test.update(counts, share=share):
                alarms[run] += 1
                test.reset()
    budget = share * windows
    assert alarms.mean() <= budget + 3 * math.sqrt(budget / 1_000)


def test_control_a_witness_chosen_on_its_own_window() -> None:
    """Choosing the bins that grew in the very window bet on alarms in most runs."""
    rng, q = np.random.default_rng(52), np.full(20, 0.05)
    counts = rng.multinomial(200, q, size=(300, 40))
    witness = counts > 200 * q
    s = (counts * witness).sum(axis=-1)
    le = binary.increments(n=200, s=s, m=(q * witness).sum(axis=-1) + 0.02)
    assert np.mean(log_mean_exp(np.cumsum(le, axis=1)).max(axis=1) >= math.log(20)) > 0.9


def test_drift_is_found_within_a_few_windows() -> None:
    """TV 0.15 at 500 events a window, eps 0.02: at most ten windows."""
    rng, q = np.random.default_rng(53), np.full(20, 0.05)
    test = WitnessTest(np.full(20, 1_000), eps=0.02)
    for counts in rng.multinomial(500, q, size=50):
        assert not test.update(counts, share=1e-3)
    p = q + 0.015 * np.array([1, -1] * 10)
    found = [test.update(counts, share=1e-3) for counts in rng.multinomial(500, p, size=10)]
    assert any(found)


def test_an_open_alarm_recovers_on_its_frozen_witness() -> None:
    """While drifted the reverse bet loses; back at the reference it wins; then a fresh start."""
    drifted, healthy = [400, 100, 400, 100], [250, 250, 250, 250]
    test = WitnessTest(np.full(4, 10_000), eps=0.02)
    while not test.update(drifted, share=1e-3):
        pass
    frozen, recovery = test.witness, RecoveryProcess()
    for _ in range(20):
        assert not recovery.update(test.recovery_increment(drifted))
    recovery = RecoveryProcess()
    while not recovery.update(test.recovery_increment(healthy)):
        pass
    assert test.witness.tolist() == frozen.tolist()
    test.reset()
    assert test.state() == WitnessTest(np.full(4, 10_000), eps=0.02).state()
    with pytest.raises(ValueError, match="no witness"):
        test.recovery_increment(healthy)


def test_restart_at_any_window_changes_nothing() -> None:
    """State through JSON continues exactly, a fresh test and an open alarm included."""
    rng = np.random.default_rng(54)
    whole = WitnessTest(QUARTERS, eps=0.02)
    cut = WitnessTest(QUARTERS, eps=0.02)
    for counts in rng.multinomial(100, [0.4, 0.1, 0.3, 0.2], size=8):
        state = json.loads(json.dumps(cut.state(), allow_nan=False))
        cut = WitnessTest.restore(QUARTERS, 0.02, state)
        assert cut.update(counts, share=1e-3) == whole.update(counts, share=1e-3)
        assert cut.state() == whole.state()
    again = WitnessTest.restore(QUARTERS, 0.02, json.loads(json.dumps(cut.state())))
    assert again.recovery_increment([9, 1, 5, 5]).tolist() == (
        whole.recovery_increment([9, 1, 5, 5]).tolist()
    )


def test_windows_without_a_bet_leave_the_wealth_alone() -> None:
    """Empty windows change nothing; a witness that may hold everything is not bet on."""
    test = WitnessTest(QUARTERS, eps=0.02)
    test.update([30, 20, 30, 20], share=1e-3)
    before = test.state()
    assert not test.update([0, 0, 0, 0], share=1e-3)
    assert test.state() == before
    wide = WitnessTest([90, 10], eps=0.5)
    for _ in range(5):
        assert not wide.update([100, 0], share=1.0)
    assert wide.log_m == -math.inf
    assert math.isnan(wide.bound)


@pytest.mark.parametrize(
    ("reference", "eps", "match"),
    [([5], 0.1, "2 bins"), ([0, 0], 0.1, "1 event"), ([5, 5], 1.0, "eps is 1")],
)
def test_a_reference_or_tolerance_that_cannot_work_is_refused(
    reference: list[int], eps: float, match: str
) -> None:
    """The message names what is wrong; counts of another shape are a bug."""
    with pytest.raises(ConfigurationError, match=match):
        WitnessTest(reference, eps=eps)
    with pytest.raises(ValueError, match="shape"):
        WitnessTest([5, 5], eps=0.1).update([1, 2, 3], share=0.1)

"""Canary: the three-way decision, the interval of the difference, and the traffic split."""

import json
import math

import numpy as np
import pytest

from detectors.bets import two_sample
from detectors.bets.grid import K
from detectors.canary import DifferenceSequence, Guardrail, Reason, SampleRatio, Verdict, decide
from detectors.canary.srm import log_e
from schemas.errors import ConfigurationError

RUNS = 1_000
READY = {
    "alpha_rollback": 0.05,
    "alpha_promote": 0.05,
    "srm_ok": True,
    "n_canary": 1_000,
    "n_min": 500,
    "elapsed_ms": 7_200_000,
    "min_elapsed_ms": 3_600_000,
}


def rail(name: str = "error", harm: float = 0.0, benefit: float = 0.0) -> Guardrail:
    """A guardrail with the given log e-values."""
    made = Guardrail(name)
    made.update(harm=np.full(K, harm), benefit=np.full(K, benefit))
    return made


def test_each_verdict_has_its_reason() -> None:
    """Harm rolls back, proof of no harm promotes, anything else holds and says why."""
    proven = [rail(benefit=3.0)]
    cases = [
        (decide([rail(harm=3.0)], **READY), Verdict.ROLLBACK, Reason.HARM),
        (decide(proven, **READY), Verdict.PROMOTE, Reason.NOT_INFERIOR),
        (decide([rail()], **READY), Verdict.HOLD, Reason.INCONCLUSIVE),
        (decide(proven, **READY | {"srm_ok": False}), Verdict.HOLD, Reason.SAMPLE_RATIO),
        (decide(proven, **READY | {"n_canary": 499}), Verdict.HOLD, Reason.TOO_FEW),
        (decide(proven, **READY | {"elapsed_ms": 3_599_999}), Verdict.HOLD, Reason.TOO_EARLY),
    ]
    for decision, verdict, reason in cases:
        assert (decision.verdict, decision.reason) == (verdict, reason)


def test_rollback_wins_ties_and_is_never_blocked() -> None:
    """Harm decides also with proof of the opposite, a bad split, few events and no time."""
    blocked = READY | {"srm_ok": False, "n_canary": 0, "elapsed_ms": 0}
    assert decide([rail(harm=3.0, benefit=9.0)], **blocked).verdict is Verdict.ROLLBACK


def test_one_guardrail_rolls_back_but_all_must_promote() -> None:
    """The decision names the guardrails that made it."""
    weights = {"error": 0.5, "latency": 0.5}
    good, bad = rail("error", benefit=5.0), rail("latency", harm=math.log(2 / 0.05) + 1e-9)
    decision = decide([good, bad], weights=weights, **READY)
    assert (decision.verdict, decision.guardrails) == (Verdict.ROLLBACK, ("latency",))
    decision = decide([good, rail("latency")], weights=weights, **READY)
    assert (decision.verdict, decision.guardrails) == (Verdict.HOLD, ("latency",))
    almost = rail("latency", harm=math.log(2 / 0.05) - 1e-9)
    assert decide([good, almost], weights=weights, **READY).verdict is Verdict.HOLD


def test_the_first_decision_stays() -> None:
    """Later evidence does not overturn a promotion; a hold is no decision."""
    one = rail(benefit=3.0)
    first = decide([one], **READY)
    one.update(harm=np.full(K, 9.0), benefit=np.full(K, -9.0))
    assert decide([one], previous=first, **READY) == first
    held = decide([rail()], **READY)
    assert decide([one], previous=held, **READY).verdict is Verdict.ROLLBACK


def test_evidence_that_crossed_is_kept_through_a_restart() -> None:
    """Benefit proven once counts later, also after state went through JSON."""
    one = rail(benefit=3.0)
    one.update(harm=np.zeros(K), benefit=np.full(K, -2.0))
    again = Guardrail.restore("error", json.loads(json.dumps(one.state(), allow_nan=False)))
    assert decide([again], **READY).verdict is Verdict.PROMOTE


@pytest.mark.parametrize("weights", [{"error": 1.5}, {"error": 0.0}, {"other": 1.0}, {}])
def test_weights_that_do_not_fit_are_refused(weights: dict[str, float]) -> None:
    """The message names the weights."""
    with pytest.raises(ConfigurationError, match="weights are"):
        decide([rail()], weights=weights, **READY)
    with pytest.raises(ConfigurationError, match="at least one"):
        decide([], **READY)


def verdicts(mu_c: float, seed: int, runs: int, windows: int) -> list[Verdict]:
    """Final verdicts of simulated rollouts: baseline rate 0.05, margin 0.01, 100 and 400 events."""
    rng, final = np.random.default_rng(seed), []
    shape = (runs, windows)
    k_c, k_b = rng.binomial(100, mu_c, shape), rng.binomial(400, 0.05, shape)
    before = (np.cumsum(k_b, axis=1) - k_b) / np.maximum(400 * np.arange(windows), 1)
    b0 = np.where(np.arange(windows) > 0, before, 0.05)
    sums = {"n_c": 100, "k_c": k_c, "n_b": 400, "k_b": k_b, "b0": b0, "d": 0.01}
    harm = two_sample.increments_binary(side="harm", **sums)
    benefit = two_sample.increments_binary(side="benefit", **sums)
    for run in range(runs):
        one, decision = Guardrail("error"), None
        for window in range(windows):
            one.update(harm=harm[run, window], benefit=benefit[run, window])
            decision = decide([one], previous=decision, **READY)
        final.append(decision.verdict)
    return final


def test_both_errors_are_rare_at_the_margin_and_clear_cases_are_decided() -> None:
    """Exactly at the margin neither error exceeds 5 %; far from it every rollout is decided."""
    at_margin = verdicts(0.06, seed=71, runs=300, windows=60)
    limit = 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)
    assert at_margin.count(Verdict.PROMOTE) / 300 <= limit
    assert at_margin.count(Verdict.ROLLBACK) / 300 <= limit
    assert verdicts(0.12, seed=72, runs=40, windows=60).count(Verdict.ROLLBACK) == 40
    assert verdicts(0.02, seed=73, runs=40, windows=60).count(Verdict.PROMOTE) >= 38


def test_difference_interval_covers_at_every_look() -> None:
    """Common level swings; fewer than 5 % (plus 3 s.e.) of runs ever miss the difference."""
    rng, runs, missed, d = np.random.default_rng(74), 200, 0, 0.03
    level = 0.06 + 0.04 * np.sin(np.arange(15))
    for _ in range(runs):
        sequence, ever, seen, events = DifferenceSequence(grid=101), False, 3.0, 50.0
        for mu in level:
            k_c, k_b = rng.binomial(200, mu + d), rng.binomial(400, mu)
            sequence.update(n_c=200, k_c=k_c, n_b=400, k_b=k_b, b0=seen / events)
            seen, events = seen + k_b, events + 400
            low, high = sequence.interval(0.05)
            ever |= not low <= d <= high
        missed += ever
        assert high - low < 0.10
    assert missed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_difference_of_losses_and_restart() -> None:
    """A bounded loss gives an interval too, and state through JSON continues exactly."""
    sums = {"n_c": 2_000, "s_c": 440.0, "q_c": 130.0, "n_b": 8_000, "s_b": 1_200.0, "q_b": 380.0}
    whole, cut = DifferenceSequence(), DifferenceSequence()
    for _ in range(3):
        whole.update_bounded(b0=0.15, **sums)
        cut = DifferenceSequence.restore(json.loads(json.dumps(cut.state(), allow_nan=False)))
        cut.update_bounded(b0=0.15, **sums)
    assert cut.interval(0.05) == whole.interval(0.05)
    low, high = whole.interval(0.05)
    assert 0.04 < low < 0.07 < high < 0.10
    with pytest.raises(ConfigurationError, match="odd number"):
        DifferenceSequence(grid=10)


def test_split_known_answer() -> None:
    """Dirichlet-multinomial odds for 130 of 1,000 at a planned tenth."""
    assert float(log_e([130, 870], [0.1, 0.9], concentration=100.0)) == pytest.approx(
        2.909936, abs=1e-6
    )


def test_split_keeps_its_level_and_sticky_users_must_be_counted_once() -> None:
    """1,000 runs, 200 looks: users hold alpha; their ten requests each do not."""
    users = np.random.default_rng(75).binomial(50, 0.1, size=(RUNS, 200)).cumsum(axis=1)
    total = 50 * np.arange(1, 201)
    counts = np.stack([users, total - users], axis=-1)
    limit = 0.01 + 3 * math.sqrt(0.01 * 0.99 / RUNS)
    needed = math.log(1 / 0.01)
    assert np.mean(log_e(counts, [0.1, 0.9]).max(axis=1) >= needed) <= limit
    assert np.mean(log_e(10 * counts, [0.1, 0.9]).max(axis=1) >= needed) > 0.5


def test_split_over_stages_multiplies_and_restarts() -> None:
    """A new plan starts a new stage; state through JSON continues exactly; mismatch stays."""
    whole, cut = SampleRatio(), SampleRatio()
    for counts, planned in (([90, 910], [0.1, 0.9]), ([480, 520], [0.5, 0.5])) * 2:
        cut = SampleRatio.restore(json.loads(json.dumps(cut.state(), allow_nan=False)))
        assert cut.update(counts, planned=planned) == whole.update(counts, planned=planned)
        assert cut.state() == whole.state()
    stages = SampleRatio()
    stages.update([90, 910], planned=[0.1, 0.9])
    stages.update([480, 520], planned=[0.5, 0.5])
    expected = float(log_e([90, 910], [0.1, 0.9])) + float(log_e([480, 520], [0.5, 0.5]))
    assert stages.log_e == pytest.approx(expected, abs=1e-9)
    assert stages.update([900, 100], planned=[0.5, 0.5])
    assert stages.update([100, 900], planned=[0.5, 0.5])
    assert stages.p_value < 0.001


@pytest.mark.parametrize("planned", [[0.5, 0.4], [1.0, 0.0]])
def test_a_plan_that_is_none_is_refused(planned: list[float]) -> None:
    """The message shows the shares; a missing arm is a bug."""
    with pytest.raises(ConfigurationError, match="planned shares"):
        SampleRatio().update([1, 2], planned=planned)
    with pytest.raises(ValueError, match="3 counts"):
        SampleRatio().update([1, 2, 3], planned=planned)

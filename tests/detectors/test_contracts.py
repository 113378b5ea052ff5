"""Every exported detector keeps every law, and a detector that breaks a law is caught."""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from detectors.bets import BinaryBet, BinarySums
from detectors.checks import COMPARISON_CHECKS, SEQUENTIAL_CHECKS, exports
from detectors.checks.specimen import Specimen
from detectors.checks.specimens import SPECIMENS
from detectors.contract import Comparison
from detectors.drift import KS, PSI, TV
from detectors.sequential import BettingBank, BettingTest

COMPARISONS = exports.comparisons()


def named(unit: object) -> str:
    return getattr(unit, "__name__", None) or str(getattr(unit, "name", unit))


@pytest.mark.parametrize("check", SEQUENTIAL_CHECKS, ids=named)
@pytest.mark.parametrize("specimen", SPECIMENS, ids=named)
def test_a_sequential_test_keeps(specimen: Specimen, check: Callable[[Specimen], None]) -> None:
    """One law, for one exported test and null hypothesis."""
    check(specimen)


@pytest.mark.parametrize("check", COMPARISON_CHECKS, ids=named)
@pytest.mark.parametrize("unit", COMPARISONS, ids=named)
def test_a_comparison_keeps(unit: Comparison, check: Callable[[Comparison], None]) -> None:
    """One law, for one exported comparison."""
    check(unit)


def test_every_exported_test_and_bet_is_tried() -> None:
    """A class without a specimen is found; a bank is held to single tests in test_bank."""
    tried = {unit for specimen in SPECIMENS for unit in specimen.covers()}
    found = {*exports.sequential_tests(), *exports.bets()}
    assert found - {BettingBank} == tried
    assert len({specimen.name for specimen in SPECIMENS}) == len(SPECIMENS)
    assert {unit.name for unit in COMPARISONS} >= {"psi", "js", "tv", "ks", "wasserstein"}


class Betting(BettingTest[BinarySums]):
    """The sound test from which each broken one differs in one method."""


class Forgetful(Betting):
    """Writes its wealth down with six digits."""

    def state(self) -> list[float]:
        return [float(f"{x:.6g}") for x in super().state()]


class Moody(Betting):
    """Remembers between objects."""

    calls = 0

    def update(self, sums: BinarySums, *, share: float) -> bool:
        Moody.calls += 1
        return super().update(sums, share=share if Moody.calls % 5 else 0.5 * share)


class Clinging(Betting):
    """A reset keeps a little."""

    def reset(self) -> None:
        self._detector = self.resume([x - 1.0 for x in self.state()])._detector


class Spending(Betting):
    """Spends its share on windows without data."""

    def update(self, sums: BinarySums, *, share: float) -> bool:
        sums.require_shape(())
        return self._detector.update(self.bet.increments(sums), share=share)


class Indebted(Betting):
    """Bets what it was not given."""

    def update(self, sums: BinarySums, *, share: float) -> bool:
        return super().update(sums, share=max(share, 1e-4))


class Peeking(Betting):
    """Bets on the limit that suits the window it has seen."""

    def update(self, sums: BinarySums, *, share: float) -> bool:
        sums.require_shape(())
        if not sums.filled:
            return False
        seen = float(np.clip(sums.s / sums.n, 0.01, 0.05)) * 0.7
        return self._detector.update(BinaryBet(seen).increments(sums), share=share)


class Silent(Betting):
    """Never alarms."""

    def update(self, sums: BinarySums, *, share: float) -> bool:
        super().update(sums, share=share)
        return False


class Trusting(Betting):
    """Takes a NaN for nothing."""

    def update(self, sums: BinarySums, *, share: float) -> bool:
        return super().update(replace(sums, s=np.nan_to_num(sums.s)), share=share)


class Mute(Betting):
    """Refuses without a word."""

    def update(self, sums: BinarySums, *, share: float) -> bool:
        try:
            return super().update(sums, share=share)
        except ValueError:
            raise ValueError("no") from None


class Hoarding(Betting):
    """Keeps a history in its state."""

    def state(self) -> list[float]:
        return [*super().state(), *[0.0] * 100]


BROKEN_TESTS = {
    "deterministic": [Moody],
    "continues_from_its_state": [Forgetful],
    "reset_starts_anew": [Clinging],
    "empty_window_changes_nothing": [Spending],
    "no_alarm_without_budget": [Indebted],
    "false_alarms_within_budget": [Peeking],
    "finds_what_has_shifted": [Silent],
    "refuses_what_it_cannot_use": [Trusting, Mute],
    "state_is_small": [Hoarding],
}

BROKEN_COMPARISONS: dict[str, list[Comparison]] = {
    "nothing_between_equal_shares": [
        replace(PSI, value=lambda c, r: PSI.value(c, r) + 0.1),
        replace(PSI, value=lambda c, r: PSI.corrected(c, r)),
        replace(PSI, value=lambda c, r: 0.0 * PSI.value(c, r)),
    ],
    "window_and_reference_may_be_swapped": [
        replace(TV, value=lambda c, r: TV.value(c, r) * np.asarray(c).sum(axis=-1)),
        replace(TV, symmetric=False),
    ],
    "bin_order_is_irrelevant": [replace(KS, ordered=False), replace(PSI, ordered=True)],
    "computed_alone": [
        replace(TV, value=lambda c, r: TV.value(c, r) - TV.value(c, r).mean() + 1.0),
    ],
    "accepts_empty_bins": [
        replace(TV, value=lambda c, r: 0.5 * np.log(np.asarray(c) / np.asarray(r)).sum(axis=-1)),
        replace(TV, value=lambda c, r: np.nan_to_num(TV.value(c, r))),
    ],
    "level_without_drift": [
        replace(PSI, threshold=lambda n, m, bins, level: 0.9 * PSI.threshold(n, m, bins, level)),
        replace(PSI, threshold=lambda n, m, bins, level: 1.2 * PSI.threshold(n, m, bins, level)),
        replace(PSI, p_value=lambda c, r: 0.8 * PSI.p_value(c, r)),
        replace(KS, conservative=False),
        replace(PSI, corrected=PSI.value),
    ],
    "intervals_are_nested": [
        replace(PSI, interval=lambda c, r, alpha: PSI.interval(c, r, 1.0 - alpha)),
        replace(PSI, interval=lambda c, r, alpha: PSI.interval(c, r, alpha)[::-1]),
    ],
}


def refused(check: Callable[..., None], unit: object) -> bool:
    """Whether the check finds the unit wanting."""
    try:
        check(unit)
    except (AssertionError, FloatingPointError):
        return True
    return False


@pytest.mark.parametrize("check", SEQUENTIAL_CHECKS, ids=named)
def test_control_a_test_that_breaks_a_law_is_caught(check: Callable[[Specimen], None]) -> None:
    """Each check fails on a test that breaks its law, and passes on the one it is made from."""
    sound = next(specimen for specimen in SPECIMENS if specimen.name == "B1 above")
    check(replace(sound, make=lambda: Betting(BinaryBet(0.05))))
    for broken in BROKEN_TESTS[check.__name__]:
        assert refused(check, replace(sound, make=lambda unit=broken: unit(BinaryBet(0.05))))


@pytest.mark.parametrize("check", COMPARISON_CHECKS, ids=named)
def test_control_a_comparison_that_breaks_a_law_is_caught(
    check: Callable[[Comparison], None],
) -> None:
    """Each check fails on every comparison that breaks its law."""
    assert all(refused(check, broken) for broken in BROKEN_COMPARISONS[check.__name__])


def test_a_state_of_another_test_is_refused() -> None:
    """The message says how long it is, and a fresh state is one too."""
    test = BettingTest(BinaryBet(0.05))
    with pytest.raises(ValueError, match="3 numbers"):
        test.resume([0.0, 0.0, 0.0])
    assert test.resume(json.loads("[]")).log_m == -math.inf

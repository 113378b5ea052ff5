"""Laws that every exported detector keeps; one file for each law.

A check takes a unit and asserts one law. `exports` finds the units by walking the exports of
the packages, and `specimens` says on which windows a sequential test is tried, so a new class
is tested the day it is exported, and one without a specimen is found.
"""

from collections.abc import Callable
from typing import Any

from detectors.checks.alone import computed_alone
from detectors.checks.bin_order import bin_order_is_irrelevant
from detectors.checks.continues import continues_from_its_state
from detectors.checks.deterministic import deterministic
from detectors.checks.empty_bins import accepts_empty_bins
from detectors.checks.empty_window import empty_window_changes_nothing
from detectors.checks.equal_shares import nothing_between_equal_shares
from detectors.checks.false_alarms import false_alarms_within_budget
from detectors.checks.finds import finds_what_has_shifted
from detectors.checks.nested import intervals_are_nested
from detectors.checks.no_share import no_alarm_without_budget
from detectors.checks.null_level import level_without_drift
from detectors.checks.refuses import refuses_what_it_cannot_use
from detectors.checks.small_state import state_is_small
from detectors.checks.specimen import Specimen
from detectors.checks.starts_anew import reset_starts_anew
from detectors.checks.symmetric import window_and_reference_may_be_swapped
from detectors.contract import Comparison

__all__ = ["COMPARISON_CHECKS", "SEQUENTIAL_CHECKS"]

SEQUENTIAL_CHECKS: tuple[Callable[[Specimen[Any, Any]], None], ...] = (
    deterministic,
    continues_from_its_state,
    reset_starts_anew,
    empty_window_changes_nothing,
    no_alarm_without_budget,
    false_alarms_within_budget,
    finds_what_has_shifted,
    refuses_what_it_cannot_use,
    state_is_small,
)
"""Checks of a sequential test."""

COMPARISON_CHECKS: tuple[Callable[[Comparison], None], ...] = (
    nothing_between_equal_shares,
    window_and_reference_may_be_swapped,
    bin_order_is_irrelevant,
    computed_alone,
    accepts_empty_bins,
    level_without_drift,
    intervals_are_nested,
)
"""Checks of a comparison."""

"""The cases, one file each."""

from __future__ import annotations

from benchmarks.quality.case import Case
from benchmarks.quality.cases.error_stream import ErrorStream
from benchmarks.quality.cases.g1_null import ExchangeableNull
from benchmarks.quality.cases.g2_dependent_null import DependentNull
from benchmarks.quality.cases.g3_concept import GradualConceptDrift
from benchmarks.quality.cases.g4_input_regime import InputRegime
from benchmarks.quality.cases.g5_late_labels import LateLabels
from benchmarks.quality.cases.g6_canary import CanaryRollback
from benchmarks.quality.cases.g7_calibration import CalibrationOnly

CASES: tuple[Case, ...] = (
    ExchangeableNull(),
    DependentNull(),
    GradualConceptDrift(),
    InputRegime(),
    LateLabels(),
    CanaryRollback(),
    CalibrationOnly(),
    ErrorStream(),
)
"""All of them, in order."""

"""What can be said before the truth is there, or when only part of it ever comes.

Estimates without labels, how complete late labels are, and weights for labels that were chosen.
"""

from detectors.estimation.cbpe import Performance, error_budget, estimate_auc
from detectors.estimation.completeness import RiskSums, maturity, seen_buckets
from detectors.estimation.expected_errors import ExpectedErrors, allowance
from detectors.estimation.positive_only import positive_rate, reported_by
from detectors.estimation.propensity import WeightedBet, WeightSums, hajek_mean
from detectors.estimation.rescore import Rescore
from detectors.estimation.score_map import ScoreMap

__all__ = [
    "ExpectedErrors",
    "Performance",
    "Rescore",
    "RiskSums",
    "ScoreMap",
    "WeightSums",
    "WeightedBet",
    "allowance",
    "error_budget",
    "estimate_auc",
    "hajek_mean",
    "maturity",
    "positive_rate",
    "reported_by",
    "seen_buckets",
]

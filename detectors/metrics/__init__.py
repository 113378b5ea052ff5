"""Metrics that are no mean of rows: from score-binned or confusion counts, with intervals.

Counts add, so a metric of any span is that of the added counts; a metric of a long span is never
the mean of the metrics of its windows.
"""

from detectors.metrics.asymptotic import AsymptoticConfidenceSequence
from detectors.metrics.balanced_accuracy import BALANCED_ACCURACY, BalancedAccuracy
from detectors.metrics.confusion import Confusion, ConfusionMetric
from detectors.metrics.estimate import Estimate
from detectors.metrics.f1 import F1, F1Score
from detectors.metrics.floor import FloorTest
from detectors.metrics.mcc import MCC, MatthewsCorrelation
from detectors.metrics.rates import ACCURACY, ERROR_RATE, PRECISION, RECALL, SPECIFICITY, Share

__all__ = [
    "ACCURACY",
    "BALANCED_ACCURACY",
    "ERROR_RATE",
    "F1",
    "MCC",
    "PRECISION",
    "RECALL",
    "SPECIFICITY",
    "AsymptoticConfidenceSequence",
    "BalancedAccuracy",
    "Confusion",
    "ConfusionMetric",
    "Estimate",
    "F1Score",
    "FloorTest",
    "MatthewsCorrelation",
    "Share",
]

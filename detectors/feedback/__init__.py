"""Anomalies of feedback: labels that stop, flood, change, contradict or turn round."""

from detectors.feedback.disagreement import Disagreement, disagreement_test
from detectors.feedback.flips import FlipTest
from detectors.feedback.label_mix import label_share_test, positive_rate_test
from detectors.feedback.label_rate import arrival_increments, coverage_test

__all__ = [
    "Disagreement",
    "FlipTest",
    "arrival_increments",
    "coverage_test",
    "disagreement_test",
    "label_share_test",
    "positive_rate_test",
]

"""Anomalies of feedback: labels that stop, flood, change, contradict or turn round."""

from detectors.feedback.flips import FlipTest

__all__ = ["FlipTest"]

"""Calibration from sums over bins of the predicted probability, and a test of it at any time."""

from detectors.calibration.anytime import CalibrationSums, CalibrationTest
from detectors.calibration.class_wise import ClassWiseTest

__all__ = ["CalibrationSums", "CalibrationTest", "ClassWiseTest"]

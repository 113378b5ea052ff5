"""Calibration from sums over bins of the predicted probability, and a test of it at any time."""

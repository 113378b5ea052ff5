"""Patterns of inputs and outputs that a distribution alone does not show."""

from detectors.patterns.constant import ConstantOutputTest, ConstantState

__all__ = ["ConstantOutputTest", "ConstantState"]

"""Patterns of inputs and outputs that a distribution alone does not show."""

from detectors.patterns.class_mix import class_band, class_rates, class_share_test
from detectors.patterns.constant import ConstantOutputTest, ConstantState
from detectors.patterns.distinct import Distinct, coverage, evenness, gini, most_popular
from detectors.patterns.out_of_domain import out_of_domain_test, unseen_share
from detectors.patterns.repeats import Repeats, collision_share

__all__ = [
    "ConstantOutputTest",
    "ConstantState",
    "Distinct",
    "Repeats",
    "class_band",
    "class_rates",
    "class_share_test",
    "collision_share",
    "coverage",
    "evenness",
    "gini",
    "most_popular",
    "out_of_domain_test",
    "unseen_share",
]

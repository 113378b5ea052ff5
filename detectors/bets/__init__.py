"""Bets on window sums: how much log-wealth each of K bets wins in one window.

Wealth that cannot grow on average under the null hypothesis is evidence that may be looked at
after every window. `detectors.sequential` says what to do with the increments. The functions
are in a file for each bet; the classes here are the same bets as settings.
"""

from detectors.bets.contract import Bet, WindowSums
from detectors.bets.kinds import (
    ArmCounts,
    ArmSums,
    BinaryBet,
    BinarySums,
    BoundedBet,
    BoundedSums,
    ExpectedCount,
    PairCounts,
    PairedBet,
    PoissonBet,
    TwoSampleBet,
    TwoSampleBoundedBet,
)
from detectors.bets.tempered import (
    TemperedBet,
    design_effect,
    dispersion,
    local_design_effect,
)

__all__ = [
    "ArmCounts",
    "ArmSums",
    "Bet",
    "BinaryBet",
    "BinarySums",
    "BoundedBet",
    "BoundedSums",
    "ExpectedCount",
    "PairCounts",
    "PairedBet",
    "PoissonBet",
    "TemperedBet",
    "TwoSampleBet",
    "TwoSampleBoundedBet",
    "WindowSums",
    "design_effect",
    "dispersion",
    "local_design_effect",
]

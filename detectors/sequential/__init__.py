"""What evidence adds up to: processes that may be looked at after every window.

`e_process` for a comparison with an end (a rollout), `e_sr` for monitoring that never ends,
`betting` for a bet with an e-SR, `bank` for many of them, `band` for rates that must stay between
two levels, `confidence_sequence` and `poisson_sequence` for intervals, `recovery` for the way back.
"""

from detectors.sequential.band import Band, BandTest, Rates
from detectors.sequential.bank import BettingBank
from detectors.sequential.betting import BettingTest
from detectors.sequential.confidence_sequence import (
    BinaryConfidenceSequence,
    BoundedConfidenceSequence,
)
from detectors.sequential.e_process import EProcess
from detectors.sequential.e_sr import BudgetedESR
from detectors.sequential.poisson_sequence import PoissonConfidenceSequence
from detectors.sequential.recovery import CleanWindows, RecoveryProcess

__all__ = [
    "Band",
    "BandTest",
    "BettingBank",
    "BettingTest",
    "BinaryConfidenceSequence",
    "BoundedConfidenceSequence",
    "BudgetedESR",
    "CleanWindows",
    "EProcess",
    "PoissonConfidenceSequence",
    "Rates",
    "RecoveryProcess",
]

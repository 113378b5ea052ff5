"""What each task sums up: one file for each task, one contract (`contract.Outcome`)."""

from __future__ import annotations

from detectors.outcomes.binary import Binary
from detectors.outcomes.chat import Chat
from detectors.outcomes.contract import Outcome, layout
from detectors.outcomes.multiclass import Multiclass
from detectors.outcomes.ranking import Ranking
from detectors.outcomes.regression import Regression
from schemas.policy import Policy, Task

__all__ = [
    "Binary",
    "Chat",
    "Multiclass",
    "Outcome",
    "Ranking",
    "Regression",
    "layout",
    "outcome_of",
]


def outcome_of(policy: Policy) -> Outcome:
    """The task of a policy.

    Examples
    --------
    >>> type(outcome_of(Policy(model="m", task=Task.CHAT))).__name__
    'Chat'
    """
    match policy.task:
        case Task.BINARY:
            return Binary(policy.labels.positive)
        case Task.MULTICLASS:
            return Multiclass()
        case Task.REGRESSION:
            return Regression(policy.labels.scale)
        case Task.RANKING:
            return Ranking()
        case Task.CHAT:
            return Chat()

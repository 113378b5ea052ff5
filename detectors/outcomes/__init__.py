"""What each task sums up: one file for each task, one contract (`contract.Outcome`)."""

from __future__ import annotations

from detectors.outcomes.binary import Binary
from detectors.outcomes.chat import Chat
from detectors.outcomes.classes import classes_of
from detectors.outcomes.contract import Outcome, layout
from detectors.outcomes.multiclass import Multiclass
from detectors.outcomes.ranking import Ranking
from detectors.outcomes.regression import Regression
from schemas.policy import Policy, Task
from schemas.reference import ReferenceProfile

__all__ = [
    "Binary",
    "Chat",
    "Multiclass",
    "Outcome",
    "Ranking",
    "Regression",
    "classes_of",
    "layout",
    "outcome_of",
]


def outcome_of(policy: Policy, reference: ReferenceProfile | None = None) -> Outcome:
    """The task of a policy, with what it takes from the reference.

    Examples
    --------
    >>> type(outcome_of(Policy(model="m", task=Task.CHAT))).__name__
    'Chat'
    """
    match policy.task:
        case Task.BINARY:
            score = None if reference is None else reference.score
            return Binary(policy.labels.positive, () if score is None else score.edges)
        case Task.MULTICLASS:
            return Multiclass(classes_of(policy, reference))
        case Task.REGRESSION:
            levels = () if reference is None else reference.quantiles
            return Regression(policy.labels.scale, levels)
        case Task.RANKING:
            return Ranking()
        case Task.CHAT:
            return Chat()

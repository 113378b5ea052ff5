"""What an estimate said against what the labels showed: the sign of a concept shift."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from detectors.metrics.estimate import Estimate
from schemas.errors import ConfigurationError

Verdict: TypeAlias = Literal["inside", "above", "below", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Rescore:
    """One estimate, once its labels are there.

    Examples
    --------
    >>> result = Rescore("accuracy", estimated=0.83, low=0.81, high=0.85, realised=0.79)
    >>> result.sentence
    'accuracy: estimated 0.83 (0.81 to 0.85), was 0.79, below the interval'
    >>> result.outside
    True
    """

    metric: str
    """Name of the metric."""
    estimated: float
    low: float
    high: float
    realised: float
    """Value that the labels gave."""

    @property
    def verdict(self) -> Verdict:
        """Where the realised value lies; "cannot tell" where one of them is undefined."""
        if any(math.isnan(x) for x in (self.low, self.high, self.realised)):
            return "cannot tell"
        if self.realised > self.high:
            return "above"
        return "below" if self.realised < self.low else "inside"

    @property
    def outside(self) -> bool:
        """Whether the labels contradict the estimate, for this one look."""
        return self.verdict in ("above", "below")

    @property
    def gap(self) -> float:
        """Realised less estimated."""
        return self.realised - self.estimated

    @property
    def sentence(self) -> str:
        """The comparison in words."""
        numbers = f"{self.metric}: estimated {self.estimated:.2g}"
        numbers += f" ({self.low:.2g} to {self.high:.2g}), was {self.realised:.2g}"
        place = self.verdict
        if place == "cannot tell":
            return f"{self.metric}: cannot compare estimate and labels"
        return f"{numbers}, {place} the interval" if self.outside else numbers


def rescore(metric: str, estimate: Estimate, realised: float) -> Rescore:
    """Compare the estimate of one window with what its labels showed.

    One window in 20 lies outside a 95 % interval by chance: show it, and let the budgeted bet
    on `detectors.estimation.cbpe.error_budget` decide.

    Parameters
    ----------
    metric
        Name of the metric.
    estimate
        The estimate, of one window.
    realised
        The metric on the labels of the same rows; NaN where they do not define it.

    Raises
    ------
    ConfigurationError
        Estimates of several windows.

    Examples
    --------
    >>> from detectors.estimation.cbpe import estimate
    >>> from detectors.estimation.score_map import ScoreMap
    >>> window = estimate([500, 500], [0, 500], ScoreMap.known([0.1, 0.9]))
    >>> rescore("error rate", window.error_rate, realised=0.13).verdict
    'above'
    """
    if estimate.value.size != 1:
        raise ConfigurationError(
            f"the estimate has shape {estimate.value.shape}; compare one window at a time"
        )
    return Rescore(
        metric=metric,
        estimated=float(estimate.value),
        low=float(estimate.low),
        high=float(estimate.high),
        realised=realised,
    )

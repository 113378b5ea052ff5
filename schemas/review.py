"""ReviewRequest: a person should look at a prediction; the answer comes back as feedback."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.base import Message, Scalar

LEAST_SHARE = 1e-6
"""The least share but none: one request stands for at most a million predictions."""

Share = Annotated[float, Field(ge=0, le=1)]


class Review(Message):
    """Which predictions people should look at, chosen by a hash of their id.

    Of the predictions of the baseline with an answer: a share ``flagged`` of those with a score of
    at least ``flag``, else a share ``uncertain`` of those with a score from ``low`` to ``high``
    (multiclass: up to ``high``), else a share ``audit``. A share of 0 passes them on to the next
    of the three. And a share ``disputed`` of those whose label is reversed.
    """

    uncertain: Share = 0.0
    low: Share = 0.4
    high: Share = 0.6
    flagged: Share = 0.0
    flag: Share = 0.9
    audit: Share = 0.0
    disputed: Share = 0.0

    @model_validator(mode="after")
    def _a_band(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}; swap them")
        return self

    @model_validator(mode="after")
    def _shares_that_are_met(self) -> Self:
        for reason in ReviewReason:
            share = self.share(reason)
            if 0 < share < LEAST_SHARE:
                raise ValueError(
                    f"{reason} {share} is never met; use 0 for none, or at least {LEAST_SHARE:g}"
                )
        return self

    def share(self, reason: ReviewReason) -> float:
        """The share of a reason.

        Examples
        --------
        >>> Review(audit=0.01).share(ReviewReason.AUDIT)
        0.01
        """
        shares = {
            ReviewReason.UNCERTAIN: self.uncertain,
            ReviewReason.FLAGGED: self.flagged,
            ReviewReason.DISPUTED: self.disputed,
            ReviewReason.AUDIT: self.audit,
        }
        return shares[reason]


class ReviewReason(StrEnum):
    """Why a person should look."""

    UNCERTAIN = "uncertain"
    FLAGGED = "flagged"
    DISPUTED = "disputed"
    AUDIT = "audit"


class ReviewRequest(Message):
    """A person should look at a prediction.

    ``weight`` is how many predictions of its ``stratum`` this one stands for: one over the chance
    with which it was chosen. Strata are ``flagged``, ``uncertain``, tenths of the score such as
    ``0.3-0.4``, ``all`` where the task has no score, and ``disputed``. The answer is a
    FeedbackEvent of kind ``review`` for the ``prediction_id``; its ``propensity`` is
    ``1 / weight``.

    ``time_ms`` is the time of the prediction, ``score`` its score (of a regression its value),
    ``label`` what it answered, if it was said; of a disputed prediction ``label`` is the feedback
    that made the dispute. ``segment`` has the segments of the policy. ``id`` is the same however
    often the request is published.
    """

    id: str
    model: str
    version: str
    prediction_id: str
    time_ms: int
    reason: ReviewReason
    stratum: str
    weight: float
    score: float | None
    label: Scalar
    segment: dict[str, str]
    policy: str

"""FeedbackEvent: what a label system publishes when the truth is known."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.base import Event, EventTime, Identifier, Name


class FeedbackKind(StrEnum):
    """What a feedback event does to the prediction's label."""

    TRUTH = "truth"
    CORRECTION = "correction"
    RETRACTION = "retraction"
    REVIEW = "review"
    SIGNAL = "signal"


class FeedbackEvent(Event):
    """The truth of one prediction, or a change of it.

    ``truth`` sets the label, ``correction`` replaces it, ``retraction`` takes it away, ``review``
    is a person's label (it replaces the label too), ``signal`` brings observed signals such as
    clicked, thumbs or revenue. Of two that disagree, the one with the later time holds.
    """

    prediction_id: Identifier
    model: Name
    time: EventTime
    kind: FeedbackKind = FeedbackKind.TRUTH
    label: bool | int | str | None = None
    value: float | None = None
    signals: dict[str, float | str] | None = None
    propensity: Annotated[float, Field(gt=0, le=1)] | None = None
    source: Name | None = None

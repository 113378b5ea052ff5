"""Sampling: which predictions wait for their label, where a model has too many for all to wait."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.base import Message
from schemas.durations import Duration, duration_ms


class Join(Message):
    """Which predictions wait for a label.

    ``sample`` is their share, by a stable hash of model and id. The others are counted, and no
    more: feedback for them is counted, too, and not used.
    """

    sample: Annotated[float, Field(gt=0, le=1)] = 1.0


class Dedupe(Message):
    """How long a repeated id is known.

    ``horizon`` holds for predictions outside of the sample; those that wait for a label are known
    as long as they wait.
    """

    horizon: Duration = "24h"

    @property
    def horizon_ms(self) -> int:
        """The horizon in milliseconds."""
        return duration_ms(self.horizon)

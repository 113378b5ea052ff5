"""What ACT does by the clock: schedules, and probes of the whole pipe."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Message, Name
from schemas.cron import CronText, Zone
from schemas.durations import Duration, duration_ms


class _Schedule(Message):
    """When: at the minutes of ``cron`` in the time zone ``zone``.

    A local time that a clock change skips is due as if the clock had not changed yet; one that
    comes twice is due once.
    """

    cron: CronText
    zone: Zone = "UTC"


class RetrainSchedule(_Schedule):
    """Ask for a retraining of each of the models."""

    action: Literal["retrain"]
    models: Annotated[list[Name], Field(min_length=1, max_length=1_000)]


class SilenceReview(_Schedule):
    """Tell people of silences that last longer than ``longer_than``, or end within ``ending``."""

    action: Literal["review_silences"]
    longer_than: Duration = "7d"
    ending: Duration = "1d"


class HyperCareEnd(_Schedule):
    """Tell people which versions have left hyper-care; what ended before ``within`` is old news."""

    action: Literal["end_hyper_care"]
    within: Duration = "7d"


Schedule = Annotated[
    RetrainSchedule | SilenceReview | HyperCareEnd,
    Field(discriminator="action"),
]
"""One thing that is done by the clock."""

Schedules = dict[Name, Schedule]
"""By name; the name is part of what makes each run happen once, so keep it."""


class Probe(Message):
    """Synthetic events of a reserved model, through the whole pipe and back.

    ``every`` so often a prediction and its label go to each partition; no answer for ``timeout``
    is an alert. Predictions lie ``lag`` behind the present and labels ``label_lag`` behind those,
    because they move the watermarks that all models share: choose both longer than publishers are
    ever behind.
    """

    model: Name = "kittiwake-probe"
    every: Duration = "15s"
    timeout: Duration = "2m"
    lag: Duration = "1m"
    label_lag: Duration = "1h"
    owner: str = ""
    runbook: str = "docs/runbooks/probe.md"
    dashboard: str = ""

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.every_ms < 1_000:
            raise ValueError(f"every {self.every} is shorter than 1s; make it at least 1s")
        if self.timeout_ms < 2 * self.every_ms:
            raise ValueError(
                f"timeout {self.timeout} is shorter than two probes, one every {self.every}; "
                "lengthen it"
            )
        return self

    @property
    def every_ms(self) -> int:
        """Time from one probe to the next, in milliseconds."""
        return duration_ms(self.every)

    @property
    def timeout_ms(self) -> int:
        """How long answers may stay away, in milliseconds."""
        return duration_ms(self.timeout)

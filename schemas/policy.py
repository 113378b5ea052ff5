"""Policy: what is watched for one model, and what may be spent on false alarms."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.base import Message, Name, Scalar
from schemas.ids import content_id

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(text: str) -> int:
    """Milliseconds of a duration such as ``90s``, ``5m``, ``1h`` or ``30d``.

    Raises
    ------
    ValueError
        If the text is not a whole number and a unit.

    Examples
    --------
    >>> duration_ms("5m")
    300000
    """
    match = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h|d)", text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a duration; write a whole number and ms, s, m, h or d, such as 5m"
        )
    return int(match[1]) * _UNITS_MS[match[2]]


def _is_duration(text: str) -> str:
    duration_ms(text)
    return text


Duration = Annotated[
    str,
    AfterValidator(_is_duration),
    Field(json_schema_extra={"pattern": "^[0-9]{1,9}(ms|s|m|h|d)$", "examples": ["5m"]}),
]
"""A whole number and a unit: ms, s, m, h or d."""

MAX_PANES = 10_000
"""Most panes in a window: each result adds them up."""

Rate = Annotated[float, Field(gt=0, lt=1)]
"""A share of events, strictly between 0 and 1."""


class Task(StrEnum):
    """What kind of answer the model gives."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"
    RANKING = "ranking"
    CHAT = "chat"


class FeatureType(StrEnum):
    """How a feature's values are compared."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class FeatureContract(Message):
    """What a feature's values must be.

    ``min`` and ``max`` bound a numeric feature, ``categories`` a categorical one. ``missing`` and
    ``out_of_range`` are the highest acceptable rates; ``drift`` false leaves the feature out of
    drift tests (a clock or an id drifts by design).
    """

    type: FeatureType = FeatureType.NUMERIC
    min: float | None = None
    max: float | None = None
    categories: list[str] | None = None
    missing: Rate = 0.05
    out_of_range: Rate = 0.01
    drift: bool = True

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min {self.min} is not below max {self.max}; swap them")
        return self


class Labels(Message):
    """When the truth is expected.

    ``horizon`` is how long a prediction waits for its label, ``maturity`` the age at which a
    cohort of predictions is judged, ``coverage`` the share of labels it needs then,
    ``positive`` the label that counts as 1 of a binary task, ``scale`` the size of a large
    regression error (errors are divided by it).
    """

    horizon: Duration = "30d"
    maturity: Duration = "7d"
    coverage: Annotated[float, Field(ge=0, le=1)] = 0.8
    lateness: Duration = "1d"
    positive: Scalar = None
    scale: Annotated[float, Field(gt=0)] = 1.0


class LatencyBudget(Message):
    """At most ``rate`` of the predictions may take longer than ``limit_ms``."""

    limit_ms: Annotated[float, Field(gt=0)]
    rate: Rate = 0.01


class Budgets(Message):
    """Highest acceptable level of each metric; a metric without one is shown, not tested."""

    error_rate: Rate | None = None
    brier: Rate | None = None
    service_errors: Rate | None = None
    latency: LatencyBudget | None = None


class Drift(Message):
    """Smallest total variation distance that matters, for features and for the score.

    ``decay`` is how fast the witness forgets: the weight of the past after one more window.
    """

    features: Rate = 0.05
    score: Rate = 0.02
    decay: Rate = 0.8


class Calibration(Message):
    """``tolerance`` is the largest acceptable gap between score and rate."""

    tolerance: Rate = 0.02


class FalseAlarms(Message):
    """At most ``pages`` false pages are expected per ``per``, over all tests of the model."""

    pages: Annotated[float, Field(gt=0)] = 1.0
    per: Duration = "30d"


class Guardrail(Message):
    """The canary may be worse than the baseline by at most ``margin`` in ``metric``."""

    metric: Annotated[str, Field(pattern=r"^(error_rate|brier|service_errors|latency)$")]
    margin: Annotated[float, Field(ge=0, lt=1)]


class Canary(Message):
    """How a canary is judged.

    Without ``guardrails`` a canary may make up to one point of errors more than the baseline; for
    regression, up to one point of service errors.
    ``alpha_rollback`` bounds the chance to roll back a version within its margins,
    ``alpha_promote`` the chance to promote one outside of them. ``automatic`` asks executors to
    roll back at once; else the request is advice. A request lapses after ``expiry``.
    ``watch_for`` is the deadline: then the rollout ends as inconclusive, and holds.
    """

    guardrails: Annotated[list[Guardrail], Field(min_length=1)] | None = None
    alpha_rollback: Rate = 0.05
    alpha_promote: Rate = 0.05
    alpha_share: Rate = 0.001
    min_events: Annotated[int, Field(ge=0)] = 100
    min_duration: Duration = "0s"
    watch_for: Duration = "30d"
    expiry: Duration = "1h"
    automatic: bool = True


LABELLED = ("error_rate", "brier")
"""Metrics with a budget that need labels."""

MEASURED: dict[Task, frozenset[str]] = {
    Task.BINARY: frozenset({"error_rate", "brier"}),
    Task.MULTICLASS: frozenset({"error_rate", "brier"}),
    Task.REGRESSION: frozenset(),
    Task.RANKING: frozenset({"error_rate"}),
    Task.CHAT: frozenset({"error_rate"}),
}
"""Which of them a task has: for ranking an error is a miss, for chat a thumb down."""


class Policy(Message):
    """What is watched for one model.

    ``pane`` is the resolution in event time; ``window`` (a multiple) is what results and tests
    speak of; ``lateness`` is how long a window waits for rows out of order. ``segments`` names
    the keys of `PredictionEvent.segments` to slice by, at most ``max_segments`` values together.
    """

    model: Name
    task: Task
    pane: Duration = "1h"
    window: Duration | None = None
    lateness: Duration = "1m"
    labels: Labels = Labels()
    features: dict[Name, FeatureContract] = {}
    segments: list[Name] = []
    max_segments: Annotated[int, Field(ge=0, le=1_000)] = 20
    budgets: Budgets = Budgets()
    drift: Drift = Drift()
    calibration: Calibration = Calibration()
    false_alarms: FalseAlarms = FalseAlarms()
    canary: Canary = Canary()
    owner: str = ""
    runbook: str = ""
    dashboard: str = ""

    @model_validator(mode="after")
    def _whole_panes(self) -> Self:
        if self.pane_ms < 1_000:
            raise ValueError(f"pane {self.pane} is shorter than 1s; make it at least 1s")
        if self.window_ms % self.pane_ms or self.window_ms == 0:
            raise ValueError(
                f"window {self.window} is not a multiple of pane {self.pane}; "
                f"choose a window that whole panes fill"
            )
        if self.window_ms // self.pane_ms > MAX_PANES:
            raise ValueError(
                f"window {self.window} has {self.window_ms // self.pane_ms:,} panes of "
                f"{self.pane}, and {MAX_PANES:,} are the most; choose a longer pane"
            )
        return self

    @model_validator(mode="after")
    def _measurable(self) -> Self:
        has = MEASURED[self.task]
        budgeted = [name for name in LABELLED if getattr(self.budgets, name) is not None]
        guarded = [g.metric for g in self.canary.guardrails or [] if g.metric in LABELLED]
        for place, names in (("budgets", budgeted), ("canary.guardrails", guarded)):
            for name in names:
                if name not in has:
                    raise ValueError(
                        f"{place} names {name}, which a {self.task} model does not have; "
                        f"remove it (it has {', '.join(sorted(has)) or 'neither'})"
                    )
        return self

    @property
    def guardrails(self) -> list[Guardrail]:
        """The canary's guardrails, or those of the task."""
        if self.canary.guardrails is not None:
            return self.canary.guardrails
        metric = "error_rate" if "error_rate" in MEASURED[self.task] else "service_errors"
        return [Guardrail(metric=metric, margin=0.01)]

    @property
    def hash(self) -> str:
        """Content hash; two policies that say the same have the same."""
        return content_id(self.model_dump(mode="json"))

    @property
    def pane_ms(self) -> int:
        """Length of a pane in milliseconds."""
        return duration_ms(self.pane)

    @property
    def window_ms(self) -> int:
        """Length of a window in milliseconds."""
        return duration_ms(self.window or self.pane)

    @property
    def lateness_ms(self) -> int:
        """How long a window waits for rows out of order, in milliseconds."""
        return duration_ms(self.lateness)

    @property
    def horizon_ms(self) -> int:
        """How long a prediction waits for its label, in milliseconds."""
        return duration_ms(self.labels.horizon)

    @property
    def maturity_ms(self) -> int:
        """Age at which a label cohort is judged, in milliseconds."""
        return duration_ms(self.labels.maturity)

    @property
    def label_lateness_ms(self) -> int:
        """How far feedback may be out of order, in milliseconds."""
        return duration_ms(self.labels.lateness)


class PolicyRecord(Message):
    """A policy as it stands in the log: immutable, under its hash."""

    hash: str
    policy: Policy


class Activation(Message):
    """From ``effective_at_ms`` on (event time), rows of the model are read by this policy."""

    model: Name
    policy: str
    reference: str | None
    effective_at_ms: int

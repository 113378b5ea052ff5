"""Policy: what is watched for one model, and what may be spent on false alarms."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.alerting import Alerting
from schemas.base import Message, Name, Rate, Scalar
from schemas.budgets import Budgets, Floors, FromReference, LatencyBudget
from schemas.canary import Canary, Guardrail
from schemas.durations import Duration, duration_ms
from schemas.fallback import Fallback
from schemas.features import FeatureContract, FeatureType
from schemas.ids import content_id
from schemas.overload import Overload
from schemas.retraining import Retraining
from schemas.review import Review, ReviewReason
from schemas.rollback import Rollback
from schemas.rollout_plan import Plan
from schemas.sampling import Dedupe, Join
from schemas.watch import Dependence, Fairness, Opinion, Patterns

__all__ = [
    "MAX_PANES",
    "MEASURED",
    "Activation",
    "Alerting",
    "Budgets",
    "Calibration",
    "Canary",
    "Dedupe",
    "Dependence",
    "Drift",
    "Duration",
    "Fairness",
    "Fallback",
    "FalseAlarms",
    "FeatureContract",
    "FeatureType",
    "Floors",
    "FromReference",
    "Guardrail",
    "Join",
    "Labels",
    "LatencyBudget",
    "Opinion",
    "Overload",
    "Patterns",
    "Plan",
    "Policy",
    "PolicyRecord",
    "Retraining",
    "Review",
    "Rollback",
    "Task",
    "duration_ms",
]

MAX_PANES = 10_000
"""Most panes in a window: each result adds them up."""


class Task(StrEnum):
    """What kind of answer the model gives."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"
    RANKING = "ranking"
    CHAT = "chat"


SCORED = frozenset({Task.BINARY, Task.MULTICLASS})
"""Tasks whose answers have a score in [0, 1] that says how sure they are."""


class Labels(Message):
    """When the truth is expected.

    ``horizon`` is how long a prediction waits for its label, ``maturity`` the age at which a
    cohort of predictions is judged, ``coverage`` the share of labels it needs then,
    ``positive`` the label that counts as 1 of a binary task, ``scale`` the size of a large
    regression error (errors are divided by it). ``sources`` names sources of feedback whose
    reversals are counted apart. ``propensity`` weighs a label by the inverse of the chance that
    feedback says it had to be collected.
    """

    horizon: Duration = "30d"
    maturity: Duration = "7d"
    coverage: Annotated[float, Field(ge=0, le=1)] = 0.8
    lateness: Duration = "1d"
    positive: Scalar = None
    scale: Annotated[float, Field(gt=0)] = 1.0
    sources: Annotated[list[Name], Field(max_length=20)] = []
    propensity: bool = False


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
    """At most ``pages`` false pages are expected per ``per``, over all tests of the model.

    Pages share one half and tickets the other, by ``weights`` of their metrics (1 where left out;
    0 leaves a metric untested).
    """

    pages: Annotated[float, Field(gt=0)] = 1.0
    per: Duration = "30d"
    weights: dict[Name, Annotated[float, Field(ge=0, le=1_000)]] = {}


COMMON = frozenset(
    {"service_errors", "latency", "positive_rate", "label_rate", "flips", "disagreements"}
)
"""Metrics that every task has."""

MEASURED: dict[Task, frozenset[str]] = {
    Task.BINARY: COMMON
    | {"error_rate", "brier", "out_of_domain", "recall", "precision", "f1", "auc"},
    Task.MULTICLASS: COMMON | {"error_rate", "brier", "out_of_domain", "recall"},
    Task.REGRESSION: COMMON | {"mae", "interval_miss_rate", "out_of_domain"},
    Task.RANKING: COMMON | {"error_rate", "ndcg", "mrr", "zero_results", "out_of_domain"},
    Task.CHAT: COMMON | {"error_rate", "out_of_domain"},
}
"""Which metrics of `Budgets` and `Floors` a task has.

For ranking an error is a miss, for chat a thumb down; multiclass has the recall of each class.
"""


ADDED: dict[str, Message] = {"join": Join(), "dedupe": Dedupe()}
"""Keys that are no part of the hash while they are left out."""


class Policy(Message):
    """What is watched for one model.

    ``pane`` is the resolution in event time; ``window`` (a multiple) is what results and tests
    speak of; ``lateness`` is how long a window waits for rows out of order. ``segments`` names
    the keys of `PredictionEvent.segments` to slice by, at most ``max_segments`` values together,
    and further values share one stream. Of combinations of version, arm and segments
    ``max_combinations`` may be new in 30 days; rows of more count in no segment. Of versions
    ``max_versions`` may be; rows of more are refused, unless a deployment names the version.
    ``seasonal`` names metrics whose budget follows the hour of the week, as the reference has it.
    """

    model: Name
    task: Task
    pane: Duration = "1h"
    window: Duration | None = None
    lateness: Duration = "1m"
    labels: Labels = Labels()
    join: Join = Join()
    dedupe: Dedupe = Dedupe()
    features: dict[Name, FeatureContract] = {}
    segments: Annotated[list[Name], Field(max_length=30)] = []
    max_segments: Annotated[int, Field(ge=0, le=1_000)] = 20
    max_combinations: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    max_versions: Annotated[int, Field(ge=1, le=10_000)] = 100
    budgets: Budgets = Budgets()
    floors: Floors = Floors()
    seasonal: list[Name] = []
    drift: Drift = Drift()
    calibration: Calibration = Calibration()
    fairness: Fairness = Fairness()
    patterns: Patterns = Patterns()
    opinions: list[Opinion] = []
    dependence: Dependence = Dependence()
    false_alarms: FalseAlarms = FalseAlarms()
    canary: Canary = Canary()
    plan: Plan = Plan()
    rollback: Rollback = Rollback()
    alerting: Alerting = Alerting()
    retraining: Retraining = Retraining()
    review: Review = Review()
    fallback: Fallback | None = None
    overload: Overload = Overload()
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
        asked = {
            "budgets": [name for name, level in self.budgets if level is not None],
            "floors": [name for name, level in self.floors if level is not None],
            "canary.guardrails": [g.metric for g in self.canary.guardrails or []],
        }
        for place, names in asked.items():
            for name in names:
                if name != "from_reference" and name not in has:
                    raise ValueError(
                        f"{place} names {name}, which a {self.task} model does not have; "
                        f"remove it (it has {', '.join(sorted(has))})"
                    )
        return self

    @model_validator(mode="after")
    def _reviewable(self) -> Self:
        if self.task not in SCORED:
            for reason in (ReviewReason.UNCERTAIN, ReviewReason.FLAGGED):
                if self.review.share(reason):
                    raise ValueError(
                        f"review.{reason} goes by the score, which a {self.task} model does not "
                        "have; use review.audit"
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
    def slices(self) -> list[str]:
        """Keys of segments and of groups to slice by; one that is both counts once."""
        return list(dict.fromkeys([*self.segments, *self.fairness.groups]))

    @property
    def hash(self) -> str:
        """Content hash; two policies that say the same have the same.

        A policy that is silent about `ADDED` keys has the hash that it had before there were any.
        """
        silent = {name for name, default in ADDED.items() if getattr(self, name) == default}
        return content_id(self.model_dump(mode="json", exclude=silent))

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

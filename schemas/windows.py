"""WindowResult: every metric of one window, with its n and interval."""

from __future__ import annotations

from enum import StrEnum

from schemas.base import Message
from schemas.ids import content_id
from schemas.predictions import Arm


class Verdict(StrEnum):
    """Three values, never two."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    CANNOT_TELL = "cannot_tell"


class Metric(Message):
    """One number of a window.

    ``low`` and ``high`` are a 95 % interval for this window where one exists. ``budget`` is the
    highest acceptable level, ``floor`` the lowest. ``needed`` is how many more events a verdict
    takes, when it is ``cannot_tell``.
    """

    name: str
    feature: str = ""
    n: int
    value: float | None
    low: float | None = None
    high: float | None = None
    budget: float | None = None
    floor: float | None = None
    verdict: Verdict | None = None
    needed: int | None = None


class Bin(Message):
    """A bin of the reliability diagram: scores in [lower, upper)."""

    lower: float
    upper: float
    n: int
    mean_score: float
    rate: float
    low: float
    high: float


class Coverage(Message):
    """How much of the truth is known.

    ``median_delay_ms`` is an upper bound of the median label delay among labelled rows; None
    without labels, and where the median is above 14 days.
    """

    predictions: int
    labelled: int
    share: float
    matured: bool
    median_delay_ms: int | None


class WindowResult(Message):
    """One window of one stream (model, version, arm, segment).

    ``revision`` counts how often the result was published and ``cut`` names the offsets read by
    then; both depend on how the work was cut into checkpoints. All else is the same in every run:
    ``content`` is its hash.
    """

    id: str
    model: str
    version: str
    arm: Arm
    segment: str
    start_ms: int
    end_ms: int
    policy: str
    reference: str
    predictions: int
    late: int
    duplicates: int
    strays: int
    coverage: Coverage
    verdict: Verdict
    metrics: list[Metric]
    reliability: list[Bin]
    revision: int
    cut: dict[str, int]

    @property
    def content(self) -> str:
        """Hash of all that does not depend on the cut."""
        return content_id(self.model_dump(mode="json", exclude={"revision", "cut"}))

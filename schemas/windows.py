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

    What a number takes for granted stands in ``assumes``: such an estimate does not count for the
    verdict of the window. Once the labels are there, ``realised`` is what they show, and ``note``
    compares the two.
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
    assumes: str = ""
    realised: float | None = None
    note: str = ""


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

    ``predictions`` are those that wait for a label: all, or the policy's sample (``join.sample``).
    ``median_delay_ms`` is an upper bound of the median label delay among labelled rows; None
    without labels, and where the median is above 14 days.

    What windows before it have shown of their labels tells the last two, as far as it was known
    when this was published: ``expected_share`` is the least share of labels to expect at the age
    that the window had reached, ``complete_ms`` an upper bound of the delay by which 95 % of
    predictions have their label. None where that is not known, or more than 14 days.
    """

    predictions: int
    labelled: int
    share: float
    matured: bool
    median_delay_ms: int | None
    expected_share: float | None = None
    complete_ms: int | None = None


class WindowResult(Message):
    """One window of one stream (model, version, arm, segment).

    ``against`` is the segment that a group's window is compared with, "" where there is none.
    ``drifted`` lists features that differ from the reference in this window (Benjamini-Hochberg at
    1 %), ``drifted_so_far`` those for which the evidence of all windows up to this one suffices
    (e-Benjamini-Hochberg at 10 %). ``revision`` counts how often the result was published and
    ``cut`` names the offsets read by then; both depend on how the work was cut into checkpoints,
    as does what the coverage tells of other windows. ``shed`` counts rows that INGEST counted
    without something, because it was too far behind, by what (`schemas.overload.Shed`); no test
    rested on that. All else is the same in every run: ``content`` is its hash.
    """

    id: str
    model: str
    version: str
    arm: Arm
    segment: str
    against: str = ""
    start_ms: int
    end_ms: int
    policy: str
    reference: str
    predictions: int
    late: int
    duplicates: int
    strays: int
    shed: dict[str, int] = {}
    coverage: Coverage
    verdict: Verdict
    metrics: list[Metric]
    drifted: list[str] = []
    drifted_so_far: list[str] = []
    reliability: list[Bin]
    revision: int
    cut: dict[str, int]

    @property
    def content(self) -> str:
        """Hash of all that does not depend on the cut."""
        content = self.model_dump(
            mode="json",
            exclude={
                "revision": True,
                "cut": True,
                "coverage": {"expected_share": True, "complete_ms": True},
            },
        )
        return content_id(content)

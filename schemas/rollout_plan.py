"""Plans of rollouts: by which steps a version comes to serve all, and what must hold before."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Message, Rate
from schemas.durations import Duration


class Precondition(StrEnum):
    """What must hold before the next step is advised."""

    NO_OPEN_PAGE = "no_open_page"
    SHADOW_PASSED = "shadow_passed"
    REFERENCE = "reference"
    LABELS_ARRIVE = "labels_arrive"


class HyperCare(Message):
    """For ``duration`` after a version took over, tests of their own have levels that are tighter
    by ``tighten``, as a share of the level. They spend the ``reserve`` of the false-alarm budget,
    which is for eight deployments in its period."""

    duration: Duration = "1d"
    tighten: Annotated[float, Field(ge=0, lt=1)] = 0.1
    reserve: Rate = 0.2


class Plan(Message):
    """How a version comes to serve all.

    ``staged`` goes through ``shares`` of the traffic, a canary each, then to all; ``ab`` keeps one
    share and promotes only a version that is better in every guardrail. After promotion the
    version is compared for ``watch_after`` with what its predecessor reached.
    """

    kind: Literal["staged", "ab"] = "staged"
    shadow: bool = False
    shares: Annotated[list[Rate], Field(max_length=20)] = []
    preconditions: list[Precondition] = []
    hyper_care: HyperCare | None = None
    watch_after: Duration | None = "7d"

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.shares != sorted(set(self.shares)):
            raise ValueError(f"shares {self.shares} do not rise; order them")
        if self.kind == "ab" and len(self.shares) > 1:
            raise ValueError(f"an A/B plan has one share, not {self.shares}; name one")
        return self

"""ReferenceProfile: what normal looked like."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.base import Message, Name
from schemas.ids import content_id
from schemas.policy import FeatureType


class NumericReference(Message):
    """A numeric feature in the reference.

    ``edges`` are the B - 1 inner edges, ascending; bin i holds edges[i-1] <= x < edges[i].
    ``counts`` has B entries. ``n`` counts present values, ``missing`` the others.
    """

    n: int
    missing: int
    mean: float
    sd: float
    min: float
    max: float
    edges: list[float]
    counts: list[int]

    @model_validator(mode="after")
    def _bins(self) -> Self:
        if len(self.counts) != len(self.edges) + 1:
            raise ValueError(f"{len(self.counts)} counts do not fit {len(self.edges)} edges + 1")
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges must ascend")
        return self


class CategoricalReference(Message):
    """A categorical feature in the reference.

    ``counts`` has one entry for each of ``categories`` and a last one for all others.
    """

    n: int
    missing: int
    categories: list[str]
    counts: list[int]

    @model_validator(mode="after")
    def _bins(self) -> Self:
        if len(self.counts) != len(self.categories) + 1:
            raise ValueError(
                f"{len(self.counts)} counts do not fit {len(self.categories)} categories + 1"
            )
        return self


class HourReference(Message):
    """Events of one hour of the week, and their sum."""

    n: Annotated[int, Field(ge=0)]
    sum: float


class OutcomeReference(Message):
    """A metric in the labelled rows of the reference.

    ``n`` counts events, ``sum`` adds them up, ``squares`` is the sum of squares, left out for yes
    and no. ``dispersion`` is by how much windows scattered more than independent rows would.
    ``hours`` are n and sum of each of the 168 hours of the week, from Monday 00:00 UTC.
    """

    n: Annotated[int, Field(ge=1)]
    sum: float
    squares: float | None = None
    dispersion: Annotated[float, Field(ge=1)] = 1.0
    hours: Annotated[list[HourReference], Field(min_length=168, max_length=168)] | None = None


class ReferenceProfile(Message):
    """What a model's inputs and scores looked like when all was well.

    ``source`` says where the rows came from. The hash leaves it out: equal content is equal.
    """

    model: Name
    n: int
    numeric: dict[str, NumericReference] = {}
    categorical: dict[str, CategoricalReference] = {}
    score: NumericReference | None = None
    outcomes: dict[str, OutcomeReference] = {}
    source: str = ""

    @property
    def hash(self) -> str:
        """Content hash."""
        return content_id(self.model_dump(mode="json", exclude={"source"}))

    def feature_type(self, name: str) -> FeatureType | None:
        """How the feature is compared, None where the reference does not know it."""
        if name in self.numeric:
            return FeatureType.NUMERIC
        return FeatureType.CATEGORICAL if name in self.categorical else None

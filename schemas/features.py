"""What a feature's values must be."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import model_validator

from schemas.base import Message, Rate


class FeatureType(StrEnum):
    """How a feature's values are compared."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class FeatureContract(Message):
    """What a feature's values must be.

    ``min`` and ``max`` bound a numeric feature, ``categories`` a categorical one. ``missing`` and
    ``out_of_range`` are the highest acceptable rates; ``drift`` false leaves the feature out of
    drift tests (a clock or an id drifts by design). ``max_mean`` and ``min_mean`` bound the mean
    of a window, such as of a toxicity; they need ``min`` and ``max``, and values beyond those
    count as ``min`` or ``max``.
    """

    type: FeatureType = FeatureType.NUMERIC
    min: float | None = None
    max: float | None = None
    categories: list[str] | None = None
    missing: Rate = 0.05
    out_of_range: Rate = 0.01
    drift: bool = True
    max_mean: float | None = None
    min_mean: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise ValueError(f"min {self.min} is not below max {self.max}; swap them")
        return self

    @model_validator(mode="after")
    def _means_are_bounded(self) -> Self:
        for name, level in (("max_mean", self.max_mean), ("min_mean", self.min_mean)):
            if level is None:
                continue
            if self.min is None or self.max is None:
                raise ValueError(f"{name} needs min and max; give the range of a single value")
            if not self.min < level < self.max:
                raise ValueError(
                    f"{name} {level} is not between min {self.min} and max {self.max}; choose a "
                    f"level that a mean can cross"
                )
        return self

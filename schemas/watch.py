"""What else of a model is watched: seasons, dependence, fairness, patterns, second opinions."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.base import Message, Name, Rate


class Dependence(Message):
    """Outcomes that are not independent within a window.

    ``rows_per_unit`` is the most rows of one user or session in a window: evidence is divided by
    it. With ``estimated`` it is divided by the dispersion that the reference showed, if that is
    larger.
    """

    rows_per_unit: Annotated[int, Field(ge=1)] = 1
    estimated: bool = True


class Fairness(Message):
    """Keys of `PredictionEvent.groups` to compare, each value with the largest group.

    ``selection_ratio`` is the lowest acceptable ratio of selection rates (0.8: the 80 % rule).
    ``tpr_gap`` and ``fpr_gap`` are the largest acceptable gaps of the true and the false positive
    rate; left out, the gap is shown and not tested.
    """

    groups: Annotated[list[Name], Field(max_length=30)] = []
    selection_ratio: Rate | None = 0.8
    tpr_gap: Rate | None = None
    fpr_gap: Rate | None = None


class Patterns(Message):
    """Patterns of answers and inputs.

    ``constant`` limits how much one answer may hold, be it a class or a bin of the score: the
    largest share in the reference, and this part of all other answers. ``repeats`` counts repeated
    inputs, and shows their share.
    """

    constant: Rate | None = 0.5
    repeats: bool = False


class Opinion(StrEnum):
    """Detectors of river that may give a second opinion, never more than a watch."""

    ADWIN = "adwin"
    PAGE_HINKLEY = "page_hinkley"
    KSWIN = "kswin"
    HDDM_A = "hddm_a"
    HDDM_W = "hddm_w"
    DDM = "ddm"
    EDDM = "eddm"

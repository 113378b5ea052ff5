"""ReferenceProfile: what normal looked like."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.base import Message, Name, Rate
from schemas.ids import content_id
from schemas.policy import FeatureType

Dispersion = Annotated[float, Field(ge=1)]
"""By how much evidence of dependent rows is divided."""


class NumericReference(Message):
    """A numeric feature in the reference.

    ``edges`` are the B - 1 inner edges, ascending; bin i holds edges[i-1] <= x < edges[i].
    ``counts`` has B entries. ``n`` counts present values, ``missing`` the others. In order of time,
    ``dispersion`` rows were worth one independent row.
    """

    n: int
    missing: int
    dispersion: Dispersion = 1.0
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
    ``dispersion`` is as in `NumericReference`.
    """

    n: int
    missing: int
    dispersion: Dispersion = 1.0
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
    dispersion: Dispersion = 1.0
    hours: Annotated[list[HourReference], Field(min_length=168, max_length=168)] | None = None


Count = Annotated[int, Field(ge=0)]
PROBABILITY_BINS = 10
"""Equal widths of [0, 1] by which scores that are probabilities are counted."""
Tenths = Annotated[list[Count], Field(min_length=PROBABILITY_BINS, max_length=PROBABILITY_BINS)]


class LabelledScores(Message):
    """Labelled rows of the reference by score.

    ``n`` and ``positives`` are all of them and the positive, by the bins of the reference's score.
    The others are by tenth of the score, for estimates without labels: ``prob_n`` and ``prob_pos``
    likewise, ``decided`` the rows with a positive decision and ``hits`` the positive among those;
    all are left out where they are not known.
    """

    n: list[Count]
    positives: list[Count]
    prob_n: Tenths | None = None
    prob_pos: Tenths | None = None
    decided: Tenths | None = None
    hits: Tenths | None = None

    @model_validator(mode="after")
    def _counts(self) -> Self:
        if len(self.n) != len(self.positives) or any(
            pos > n for n, pos in zip(self.n, self.positives, strict=False)
        ):
            raise ValueError("positives must count some of the rows n of each score bin")
        tenths = [self.prob_n, self.prob_pos, self.decided, self.hits]
        known = [counts for counts in tenths if counts is not None]
        if len(known) not in (0, len(tenths)):
            raise ValueError("prob_n, prob_pos, decided and hits come together; give all or none")
        for n, pos, decided, hits in zip(*known, strict=True):
            # Hits are positive and decided; the positive beside them were decided otherwise.
            if not (hits <= min(pos, decided) and pos - hits <= n - decided):
                raise ValueError(
                    f"counts {n}, {pos}, {decided}, {hits} of one tenth contradict each other: "
                    "need hits <= prob_pos, hits <= decided, prob_pos + decided - hits <= prob_n"
                )
        return self


ITEM_BUCKETS = 256
"""Buckets that items of ranked lists are hashed into."""

MOST_QUANTILES = 20


class ItemReference(Message):
    """Items of ranked lists in the reference, by bucket of a hash.

    ``n`` counts lists that held anything. Each of them divides 1 equally among the buckets of its
    first ten items; ``shares`` are the means over lists and sum to 1.
    """

    n: Annotated[int, Field(ge=1)]
    shares: Annotated[
        list[Annotated[float, Field(ge=0, le=1)]],
        Field(min_length=ITEM_BUCKETS, max_length=ITEM_BUCKETS),
    ]


PROJECTIONS, PROJECTION_BINS, NORM_BINS = 16, 20, 21
"""Directions on which embeddings are projected, and bins of a projection and of the length: odd,
so that an encoder whose vectors all have one length fills a middle bin, not two beside it."""


Positive = Annotated[float, Field(gt=0)]
_Bins = Annotated[list[Count], Field(min_length=PROJECTION_BINS, max_length=PROJECTION_BINS)]


class EmbeddingProfile(Message):
    """Embeddings of one name in the reference, by 16 fixed projections and their length.

    ``mean`` and ``sd`` are those of each projection and, last, of the logarithm of the length;
    ``projections`` are histograms of the standardised projections, ``norms`` that of the length.
    """

    dimension: Annotated[int, Field(ge=1, le=8_192)]
    mean: Annotated[list[float], Field(min_length=PROJECTIONS + 1, max_length=PROJECTIONS + 1)]
    sd: Annotated[list[Positive], Field(min_length=PROJECTIONS + 1, max_length=PROJECTIONS + 1)]
    projections: Annotated[list[_Bins], Field(min_length=PROJECTIONS, max_length=PROJECTIONS)]
    norms: Annotated[list[Count], Field(min_length=NORM_BINS, max_length=NORM_BINS)]


class ReferenceProfile(Message):
    """What a model's inputs, scores and outcomes looked like when all was well.

    ``outcomes`` are metrics of its labelled rows by name, ``labelled`` their labels by score; a
    reference without labels has neither. ``classes`` counts predicted classes, ``items`` those of
    ranked lists, ``quantiles`` are the probabilities at which a regression states its quantiles.
    ``embeddings`` are those of its events, by name. ``source`` says where the rows came from. The
    hash leaves it out: equal content is equal.
    """

    model: Name
    n: int
    numeric: dict[str, NumericReference] = {}
    categorical: dict[str, CategoricalReference] = {}
    score: NumericReference | None = None
    outcomes: dict[str, OutcomeReference] = {}
    labelled: LabelledScores | None = None
    classes: CategoricalReference | None = None
    items: ItemReference | None = None
    quantiles: Annotated[list[Rate], Field(max_length=MOST_QUANTILES)] = []
    embeddings: dict[Name, EmbeddingProfile] = {}
    source: str = ""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(a >= b for a, b in zip(self.quantiles, self.quantiles[1:], strict=False)):
            raise ValueError(f"quantiles {self.quantiles} do not ascend; sort them")
        return self

    @property
    def hash(self) -> str:
        """Content hash."""
        return content_id(self.model_dump(mode="json", exclude={"source"}))

    def feature_type(self, name: str) -> FeatureType | None:
        """How the feature is compared, None where the reference does not know it."""
        if name in self.numeric:
            return FeatureType.NUMERIC
        return FeatureType.CATEGORICAL if name in self.categorical else None

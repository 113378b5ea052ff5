"""Build a reference profile from rows: bins, counts, means, missing values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas import autocorrelation
from schemas.errors import ProfileError
from schemas.policy import FeatureType
from schemas.profile_rows import read_rows
from schemas.reference import CategoricalReference, NumericReference, ReferenceProfile

__all__ = ["build", "read_rows"]

Floats = NDArray[np.float64]

ROWS_PER_BIN = 50
"""Fewer rows per bin make the reference's own noise larger than the drift looked for."""


def build(
    model: str,
    rows_by_column: Mapping[str, Sequence[object]],
    *,
    score: Sequence[object] | None = None,
    types: Mapping[str, FeatureType] | None = None,
    bins: int = 20,
    max_categories: int = 64,
    in_order: bool = False,
    source: str = "",
) -> ReferenceProfile:
    """The profile of rows that were fine.

    Parameters
    ----------
    model
        Name of the model.
    rows_by_column
        Values (n,) of each feature. None, NaN and infinities are missing; in a numeric feature,
        so is whatever is not a number.
    score
        Scores (n,), where the model has one.
    types
        How features are compared, where that cannot be told from the values: numbers are numeric,
        texts and truth values categorical.
    bins
        Bins of a numeric feature, at most; fewer where there are fewer than 50 rows for each.
    max_categories
        Categories of a categorical feature, the most frequent first; all others count together.
    in_order
        Whether rows are in order of time. Then the reference says how far each feature depends on
        the rows before, and tests allow for it; rows sorted in another way would mislead them.
    source
        Where the rows came from, for people.

    Raises
    ------
    ProfileError
        If there are no rows, columns differ in length, or no column has a value.

    Examples
    --------
    >>> profile = build("fraud", {"amount": range(1000), "country": ["DE", "FR"] * 500}, bins=4)
    >>> profile.numeric["amount"].edges, profile.numeric["amount"].counts
    ([250.0, 500.0, 750.0], [250, 250, 250, 250])
    >>> profile.categorical["country"].counts
    [500, 500, 0]

    References
    ----------
    .. [1] Yurdakul, Statistical properties of the population stability index, 2018.
    """
    if bins < 2 or max_categories < 1:
        raise ProfileError(
            f"bins is {bins}, max_categories {max_categories}; take at least 2 and 1"
        )
    n = _rows(rows_by_column, score)
    numeric: dict[str, NumericReference] = {}
    categorical: dict[str, CategoricalReference] = {}
    for name, values in sorted(rows_by_column.items()):
        kind = (types or {}).get(name) or feature_type(values)
        if kind is FeatureType.NUMERIC and (
            found := numeric_reference(name, values, bins=bins, in_order=in_order)
        ):
            numeric[name] = found
        elif kind is FeatureType.CATEGORICAL:
            categorical[name] = categorical_reference(
                values, max_categories=max_categories, in_order=in_order
            )
    scores = (
        None if score is None else numeric_reference("score", score, bins=bins, in_order=in_order)
    )
    if not (numeric or categorical or scores):
        raise ProfileError("no column has a usable value; give numbers, texts or truth values")
    return ReferenceProfile(
        model=model, n=n, numeric=numeric, categorical=categorical, score=scores, source=source
    )


def _rows(columns: Mapping[str, Sequence[object]], score: Sequence[object] | None) -> int:
    lengths = {name: len(values) for name, values in columns.items()}
    if score is not None:
        lengths["score"] = len(score)
    if not any(lengths.values()):
        raise ProfileError("no rows; a profile needs some")
    if len(set(lengths.values())) > 1:
        raise ProfileError(f"columns differ in length: {lengths}; give one value for each row")
    return next(iter(lengths.values()))


def feature_type(values: Sequence[object]) -> FeatureType | None:
    """How values are compared; None where there is none.

    Examples
    --------
    >>> feature_type([None, 1, 2.5]), feature_type([True, False]), feature_type([1, "a"])
    (<FeatureType.NUMERIC: 'numeric'>, <FeatureType.CATEGORICAL: 'categorical'>, \
<FeatureType.CATEGORICAL: 'categorical'>)
    """
    present = [value for value in values if category(value) is not None]
    if not present:
        return None
    numbers = all(_number(value) is not None for value in present)
    return FeatureType.NUMERIC if numbers else FeatureType.CATEGORICAL


def category(value: object) -> str | None:
    """The category of a value, named as windows count it; None where it is missing.

    Examples
    --------
    >>> category(True), category(3.0), category("DE"), category(float("nan"))
    ('true', '3', 'DE', None)
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() else str(value)
    return str(value) if isinstance(value, int | str) else None


def categorical_reference(
    values: Sequence[object], *, max_categories: int = 64, in_order: bool = False
) -> CategoricalReference:
    """Counts of the most frequent categories, and of all others together."""
    words = [word for word in _words(values) if word is not None]
    ranked = sorted(Counter(words).items(), key=lambda entry: (-entry[1], entry[0]))
    kept, rest = ranked[:max_categories], ranked[max_categories:]
    rank = {word: place for place, (word, _) in enumerate(kept)}
    return CategoricalReference(
        n=len(words),
        missing=len(values) - len(words),
        dispersion=_dispersion([rank.get(word, len(rank)) for word in words]) if in_order else 1.0,
        categories=[word for word, _ in kept],
        counts=[*(count for _, count in kept), sum(count for _, count in rest)],
    )


def _words(values: Sequence[object]) -> list[str | None]:
    """The category of each value; where all are of one kind, each different one is named once."""
    kinds = set(map(type, values)) - {type(None)}
    if len(kinds) == 1 and kinds <= {int, str, bool}:
        names = {value: category(value) for value in set(values)}
        return [names[value] for value in values]
    return [category(value) for value in values]


def numeric_reference(
    name: str, values: Sequence[object], *, bins: int = 20, in_order: bool = False
) -> NumericReference | None:
    """Bins, counts and moments of the numbers among the values; None where there is none.

    Raises
    ------
    ProfileError
        If the numbers are too large for their mean or variance to be one.
    """
    present = np.array([x for x in map(_number, values) if x is not None], np.float64)
    numbers = np.sort(present)
    if not len(numbers):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        mean, sd = float(numbers.mean()), float(numbers.std())
    if not (math.isfinite(mean) and math.isfinite(sd)):
        raise ProfileError(
            f"{name} has numbers near {numbers[-1]:g}, too large for a mean; mend it"
        )
    edges = inner_edges(numbers, bins=bins)
    places = np.searchsorted(edges, present, "right")
    return NumericReference(
        n=len(numbers),
        missing=len(values) - len(numbers),
        dispersion=_dispersion(places) if in_order else 1.0,
        mean=mean,
        sd=sd,
        min=float(numbers[0]),
        max=float(numbers[-1]),
        edges=[float(edge) for edge in edges],
        counts=[int(count) for count in np.bincount(places, minlength=len(edges) + 1)],
    )


def _dispersion(places: ArrayLike) -> float:
    """How far bins in order of time, shape (n,), depend on those before."""
    return autocorrelation.time_of(np.asarray(places, np.float64))


def _number(value: object) -> float | None:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def inner_edges(numbers: Floats, *, bins: int) -> Floats:
    """Ascending inner edges of about equally full bins.

    A value that fills a bin alone (a zero, a sentinel) gets one of its own, and quantiles divide
    what lies between such values. A constant gets three bins, so that leaving it shows.

    Parameters
    ----------
    numbers
        Finite and sorted, (n,), n >= 1.
    bins
        Bins at most, apart from what own bins cut in two.

    Examples
    --------
    >>> inner_edges(np.array([0.0] * 500 + list(range(1, 501))), bins=4).tolist()
    [5e-324, 167.0, 334.0]
    """
    bins = max(2, min(bins, len(numbers) // ROWS_PER_BIN))
    unique, counts = np.unique(numbers, return_counts=True)
    if len(unique) == 1:
        return np.array([unique[0], np.nextafter(unique[0], np.inf)])
    heavy = counts * bins >= len(numbers)
    light = int(counts[~heavy].sum())
    room = max(1, bins - int(heavy.sum()))
    edges: list[Floats] = []
    starts = np.flatnonzero(heavy[1:] != heavy[:-1]) + 1
    for run in np.split(np.arange(len(unique)), starts):
        if heavy[run[0]]:
            edges += [unique[run], np.nextafter(unique[run[-1:]], np.inf)]
        else:
            values = numbers[np.searchsorted(numbers, unique[run[0]]) :][: counts[run].sum()]
            parts = max(1, round(len(values) * room / light))
            edges.append(values[np.arange(1, parts) * len(values) // parts])
    inner = np.unique(np.concatenate(edges))
    return _without_empty_bins(inner, numbers)


def _without_empty_bins(edges: Floats, numbers: Floats) -> Floats:
    """Edges without those that have no number between them and the edge before."""
    below = np.searchsorted(numbers, edges, "left")
    filled = np.diff(below, prepend=0) > 0
    return edges[filled & (below < len(numbers))]

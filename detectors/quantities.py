"""Every rate and mean that a pane holds: one line for each metric.

Windows show them, references remember them, tests bet on them and guardrails compare them, all
from the same sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from detectors.summary import SCALE, Ints, Layout


@dataclass(frozen=True, slots=True)
class Sums:
    """Number and sum of a quantity; ``q``, its sum of squares, is None for yes and no.

    A single value lies in [``lo``, ``hi``].
    """

    n: int
    s: float
    q: float | None = None
    lo: float = 0.0
    hi: float = 1.0

    @property
    def mean(self) -> float | None:
        """Mean, None of nothing."""
        return self.s / self.n if self.n > 0 else None


@dataclass(frozen=True, slots=True)
class Quantity:
    """A metric as fields of a pane.

    ``of`` are the fields that count its events, those with a leading minus taken off; ``bad`` the
    fields that are summed; ``squares`` the field of the sum of squares, "" for yes and no.
    ``hi`` is the largest single value. A field that was scaled (`Field.low`) is scaled back.
    """

    name: str
    words: str
    bad: tuple[str, ...]
    of: tuple[str, ...]
    squares: str = ""
    hi: float = 1.0

    @property
    def is_rate(self) -> bool:
        """Whether it counts, so that people read it in per cent."""
        return not self.squares

    def places(self, layout: Layout, feature: str = "") -> Places | None:
        """Where its sums stand; None where panes do not have the fields."""
        prefix = f"{feature}:" if feature else ""
        bad = [prefix + name for name in self.bad]
        of = [prefix + name.removeprefix("-") for name in self.of]
        if any(name not in layout for name in (*bad, *of)):
            return None
        squares = prefix + self.squares if self.squares else ""
        low, high = layout.range(bad[0]) if squares else (0.0, 1.0)
        return Places(
            of=tuple(
                (name[0] == "-", layout.start(own)) for name, own in zip(self.of, of, strict=True)
            ),
            bad=tuple(_entry(layout, name) for name in bad),
            squares=_entry(layout, squares) if squares else None,
            low=low,
            high=high,
            hi=self.hi,
        )


class Places(NamedTuple):
    """Where the sums of a quantity stand in a pane.

    ``of`` are the counts of events with whether each is taken off; ``bad`` and ``squares`` are
    entries with what each is divided by. Values were scaled from [``low``, ``high``]; where that
    is [0, 1], ``hi`` is the largest.
    """

    of: tuple[tuple[bool, int], ...]
    bad: tuple[tuple[int, float], ...]
    squares: tuple[int, float] | None
    low: float
    high: float
    hi: float

    def sums(self, vector: Ints) -> Sums:
        """The sums of a pane."""
        n = sum(-int(vector[at]) if less else int(vector[at]) for less, at in self.of)
        s = sum(float(vector[at]) / scale for at, scale in self.bad)
        if self.squares is None:
            return Sums(n, s)
        at, scale = self.squares
        q = float(vector[at]) / scale
        low, high = self.low, self.high
        if (low, high) == (0.0, 1.0):
            return Sums(n, s, q, hi=self.hi)
        span = high - low
        return Sums(
            n, n * low + span * s, n * (low * low) + span * (2 * low * s + span * q), low, high
        )


def _entry(layout: Layout, name: str) -> tuple[int, float]:
    return layout.start(name), float(SCALE) if layout.is_fixed(name) else 1.0


_USABLE = ("n", "-n_unusable")


def _rate(
    name: str, words: str, bad: str | tuple[str, ...], of: tuple[str, ...] = _USABLE
) -> Quantity:
    return Quantity(name, words, (bad,) if isinstance(bad, str) else bad, of)


def _mean(name: str, words: str, field: str, *, hi: float = 1.0) -> Quantity:
    return Quantity(name, words, (field,), _USABLE, f"{field}_sq", hi)


LABELLED = (
    _rate("error_rate", "error rate", "err"),
    # An error of a chat is a thumb down, among the answers that were rated.
    _rate("error_rate", "error rate", "down", ("rated",)),
    _rate("regeneration_rate", "share of answers that were asked for again", "regenerated"),
    _rate("error_rate_top10", "rate of misses among the best ten classes", "err_top"),
    _mean("brier", "Brier score", "brier"),
    # Multiclass keeps the loss of the true class apart from that of its top label.
    _mean("log_loss", "log loss", "loss", hi=14.0),
    _mean("log_loss", "log loss", "log_loss", hi=14.0),
    _mean("mae", "mean absolute error", "abs", hi=3.0),
    _rate("under_rate", "share of wrong values that are too low", "under", ("under", "over")),
    _rate("interval_miss_rate", "share of intervals that miss the truth", "missed", ("banded",)),
    _rate("ctr", "click-through rate", "clicked"),
    _mean("mrr", "mean reciprocal rank", "mrr"),
    _mean("ndcg", "NDCG", "ndcg"),
    _rate("recall", "recall", "tp", ("tp", "fn")),
    _rate("precision", "precision", "tp", ("tp", "fp")),
    _rate("false_positive_rate", "false positive rate", "fp", ("fp", "tn")),
    _rate("actual_positive_rate", "share of positive labels", ("tp", "fn")),
)
"""Metrics of label panes; of two with one name, a pane has the fields of one."""

PREDICTED = (
    _rate("service_errors", "rate of service errors", "n_error", ("n",)),
    _rate("latency_over", "rate of slow answers", "latency_over", ("latency_n",)),
    _rate("positive_rate", "share of positive answers", "n_positive", ("n",)),
    _rate("violation_rate", "share of rows that break a contract", "n_violation", ("n",)),
    _rate("unusable_rate", "share of unusable answers", "n_unusable", ("n",)),
    _rate("paired_rate", "share of shadow answers whose pair came", "n_pair_met", ("n_pair",)),
    _rate("zero_results", "share of empty lists", "n_empty"),
    _rate("out_of_domain", "share of rows unlike any in the reference", "n_outside", ("n",)),
)
"""Metrics of input panes."""

FEATURED = (
    _rate("missing_rate", "missing rate", "missing", ("n",)),
    _rate("out_of_range_rate", "out-of-range rate", ("invalid", "out"), ("n", "-missing")),
    Quantity("mean", "mean", ("u",), ("n", "-missing", "-invalid"), "u2"),
)
"""Metrics of each feature, of input panes."""

CLASSED = (_rate("recall", "recall", "hit", ("true",)),)
"""Metrics of each class, of label panes; the class stands where a feature would."""

TOLD = (
    _rate(
        "disagreements", "share of reviewed labels that were changed", "n_disagree", ("n_review",)
    ),
    _rate("flips", "share of labels that were reversed", "n_flip", ("n",)),
    _rate("flips", "share of reversed labels", "source_flip", ("source_n",)),
)
"""Metrics of the labels themselves; a source stands where a feature would."""

LABEL_METRICS = tuple(dict.fromkeys(quantity.name for quantity in LABELLED))
TOLD_METRICS = tuple(dict.fromkeys(quantity.name for quantity in TOLD))
INPUT_METRICS = tuple(quantity.name for quantity in PREDICTED)
FEATURE_METRICS = tuple(quantity.name for quantity in FEATURED)
CLASS_METRICS = tuple(quantity.name for quantity in CLASSED)

QUANTITIES = {
    name: tuple(q for q in (*LABELLED, *TOLD, *PREDICTED, *FEATURED, *CLASSED) if q.name == name)
    for name in (
        *LABEL_METRICS,
        *TOLD_METRICS,
        *INPUT_METRICS,
        *FEATURE_METRICS,
        *CLASS_METRICS,
    )
}
"""By name."""


def sums_of(layout: Layout, vector: Ints, metric: str, feature: str = "") -> Sums | None:
    """A metric of a pane, or of a feature or class in it; None where the pane has it not.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.summary import Field
    >>> layout = Layout((Field("n"), Field("n_unusable"), Field("err")))
    >>> sums_of(layout, np.array([10, 2, 4]), "error_rate")
    Sums(n=8, s=4.0, q=None, lo=0.0, hi=1.0)
    >>> sums_of(layout, np.array([10, 2, 4]), "brier") is None
    True
    """
    places = places_of(layout, metric, feature)
    return None if places is None else places.sums(vector)


def places_of(layout: Layout, metric: str, feature: str = "") -> Places | None:
    """Where the sums of a metric stand, looked up once; None where the pane has it not."""
    known = layout.known
    key = (metric, feature)
    if key not in known:
        places = (quantity.places(layout, feature) for quantity in QUANTITIES.get(metric, ()))
        known[key] = next((found for found in places if found is not None), None)
    found: Places | None = known[key]
    return found

"""Every rate and mean that a pane holds, by the name of its metric.

Windows show them, tests bet on them and guardrails compare them, all from the same sums.
"""

from __future__ import annotations

from dataclasses import dataclass

from detectors.summary import Ints, Layout
from schemas.summaries import Part
from streams.decide.subject import Subject

LABEL_METRICS = (
    "error_rate",
    "error_rate_top10",
    "brier",
    "log_loss",
    "mae",
    "under_rate",
    "interval_miss_rate",
    "mrr",
    "ndcg",
)
INPUT_METRICS = (
    "service_errors",
    "latency_over",
    "positive_rate",
    "violation_rate",
    "unusable_rate",
)
_COUNTED = {
    "service_errors": ("n_error", "n"),
    "latency_over": ("latency_over", "latency_n"),
    "positive_rate": ("n_positive", "n"),
    "violation_rate": ("n_violation", "n"),
    "unusable_rate": ("n_unusable", "n"),
}
FEATURE_METRICS = ("missing_rate", "out_of_range_rate")


@dataclass(frozen=True, slots=True)
class Sums:
    """Number and sum of a quantity; ``q``, its sum of squares, is None for yes and no."""

    n: int
    s: float
    q: float | None = None

    @property
    def mean(self) -> float | None:
        """Mean, None of nothing."""
        return self.s / self.n if self.n > 0 else None


def label_sums(layout: Layout, vector: Ints, metric: str) -> Sums | None:
    """A label metric of a label pane; None where the task does not have it.

    Rows without a usable answer are no part of it.
    """
    n = layout.count(vector, "n") - layout.count(vector, "n_unusable")
    match metric:
        case "error_rate":
            return _rate(layout, vector, "err", n)
        case "error_rate_top10":
            return _rate(layout, vector, "err_top", n)
        case "under_rate":
            return _rate(layout, vector, "under", n)
        case "interval_miss_rate":
            if "banded" not in layout:
                return None
            return _rate(layout, vector, "missed", layout.count(vector, "banded"))
        case "log_loss":
            # Multiclass keeps the loss of the true class apart from that of its top label.
            field = "loss" if "loss" in layout else "log_loss"
            return _mean(layout, vector, field, n)
        case "mae":
            return _mean(layout, vector, "abs", n)
        case _:
            return _mean(layout, vector, metric, n)


def input_sums(layout: Layout, vector: Ints, metric: str, feature: str = "") -> Sums | None:
    """An input metric of an input pane; None where the pane does not have it."""
    if metric in _COUNTED:
        bad, all_ = _COUNTED[metric]
        return _rate(layout, vector, bad, layout.count(vector, all_))
    if f"{feature}:n" not in layout:
        return None
    rows, missing = (layout.count(vector, f"{feature}:{mark}") for mark in ("n", "missing"))
    if metric == "missing_rate":
        return Sums(rows, float(missing))
    broken = sum(layout.count(vector, f"{feature}:{mark}") for mark in ("invalid", "out"))
    return Sums(rows - missing, float(broken))


def sums_of(
    subject: Subject, vector: Ints, part: Part, metric: str, feature: str = ""
) -> Sums | None:
    """A metric of the inputs or of the labels of a window, as ``part`` says."""
    if part in (Part.LABEL, Part.LATE_LABEL):
        return label_sums(subject.labels, vector, metric)
    return input_sums(subject.inputs, vector, metric, feature)


def _rate(layout: Layout, vector: Ints, field: str, n: int) -> Sums | None:
    return Sums(n, float(layout.count(vector, field))) if field in layout else None


def _mean(layout: Layout, vector: Ints, field: str, n: int) -> Sums | None:
    if field not in layout:
        return None
    return Sums(n, layout.total(vector, field), layout.total(vector, f"{field}_sq"))

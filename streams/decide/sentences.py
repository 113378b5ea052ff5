"""Plain English for alerts and rollouts."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from detectors.estimation.cbpe import ASSUMPTION
from detectors.quantities import LABEL_METRICS, QUANTITIES, TOLD_METRICS
from streams.decide.keys import WindowKey
from streams.decide.measure.fairness import COMPARED
from streams.decide.measure.histograms import CLASS, ITEMS, SCORE
from streams.decide.measure.interval import Reading, Stretch
from streams.decide.measure.smooth import SMOOTH

OTHERS = {
    "auc": "AUC",
    "f1": "F1 score",
    "selection_ratio": "ratio of selection rates",
    "tpr_gap": "gap of true positive rates",
    "fpr_gap": "gap of false positive rates",
    "ppv_gap": "gap of precisions",
    "calibration_gap": "gap of calibration",
    "calibration": "gap between score and outcome",
    "class_calibration": "gap between probability and frequency",
    "brier_weighted": "Brier score over all predictions, weighted by propensity,",
    "error_rate_weighted": "error rate over all predictions, weighted by propensity,",
    "estimate_gap": "error rate given the scores",
    "estimated_error_rate": "estimated error rate",
    "label_rate": "share of predictions with a label",
    "no_labels": "share of predictions with a label, window after window,",
    "latency": "rate of slow answers",
    "strays": "number of rows sent to the wrong partition",
    "shedding": "number of rows counted in part (INGEST is too far behind)",
    "capped_segments": "number of rows beyond the segments that are kept apart",
    "long_segments": "number of rows with a segment too long to be kept apart",
    "pit": "deviation of forecast quantiles (total variation)",
    "tv": "drift (total variation)",
    "constant_output": "share of the most common answer",
    "embedding_drift": "largest drift of a projection (total variation)",
    "drift_list": "list of drifted features",
    "opinion": "second opinion",
}
"""Words for what is no quantity of a pane."""

NAMES = {name: kinds[0].words for name, kinds in QUANTITIES.items()} | OTHERS
PLACES = {SCORE: "the score", CLASS: "the predicted classes", ITEMS: "the items"}
RATES = {name for name, kinds in QUANTITIES.items() if kinds[0].is_rate} | {
    "latency",
    "label_rate",
    "no_labels",
    "constant_output",
    "error_rate_weighted",
    "estimate_gap",
    "estimated_error_rate",
    *COMPARED,
}
LABEL_BASED = {
    *LABEL_METRICS,
    *TOLD_METRICS,
    "calibration",
    "class_calibration",
    "estimate_gap",
    "pit",
    "tpr_gap",
    "fpr_gap",
    "ppv_gap",
    *SMOOTH,
}
WATCHES = {"drift_list", "opinion"}
"""What raises no more than a watch, and has no budget that it could be above."""

COUNTED = {"strays", "shedding", "capped_segments", "long_segments"}
"""What is a number of rows."""

ASSUMED = {"estimated_error_rate": ASSUMPTION} | dict.fromkeys(SMOOTH, "the test is asymptotic")
"""What an estimate or a test takes for granted."""


def level(metric: str, value: float | None) -> str:
    """A number as people read it: rates in per cent.

    Examples
    --------
    >>> level("error_rate", 0.0341), level("brier", 0.0341), level("tv", None)
    ('3.4 %', '0.034', 'unknown')
    """
    if value is None:
        return "unknown"
    if metric in COUNTED:
        return f"{value:,.0f}"
    return f"{_figures(100 * value)} %" if metric in RATES else _figures(value)


def span(start_ms: int, end_ms: int) -> str:
    """A window of time, UTC; a day is just that day.

    Examples
    --------
    >>> span(0, 86_400_000), span(0, 300_000)
    ('on 1970-01-01', 'from 1970-01-01 00:00 to 00:05 UTC')
    """
    start, end = (datetime.fromtimestamp(ms / 1_000, UTC) for ms in (start_ms, end_ms))
    if end - start == timedelta(days=1) and start.time() == time.min:
        return f"on {start:%Y-%m-%d}"
    clock = "%H:%M" if start.second == end.second == 0 else "%H:%M:%S"
    until = clock if end.date() == start.date() else f"%Y-%m-%d {clock}"
    return f"from {start:%Y-%m-%d {clock}} to {end:{until}} UTC"


def moment(time_ms: int) -> str:
    """A moment, UTC; midnight is just the day.

    Examples
    --------
    >>> moment(86_400_000), moment(90_000)
    ('1970-01-02', '1970-01-01 00:01:30 UTC')
    """
    when = datetime.fromtimestamp(time_ms / 1_000, UTC)
    if when.time() == time.min:
        return f"{when:%Y-%m-%d}"
    return f"{when:%Y-%m-%d %H:%M:%S} UTC" if when.second else f"{when:%Y-%m-%d %H:%M} UTC"


def _figures(value: float) -> str:
    """Two significant digits, without an exponent.

    Examples
    --------
    >>> _figures(100.0), _figures(3.44), _figures(0.0123)
    ('100', '3.4', '0.012')
    """
    return f"{value:.0f}" if abs(value) >= 99.5 else f"{value:.2g}"


def named(metric: str, feature: str) -> str:
    """A metric with its feature.

    Examples
    --------
    >>> named("missing_rate", "age"), named("error_rate", "")
    ('missing rate of age', 'error rate')
    """
    words = NAMES.get(metric, metric.replace("_", " "))
    if not feature or metric in COMPARED:
        # The key of the groups stands in the name of the segment as well.
        return words
    return f"{words} of {PLACES.get(feature, feature)}"


def subject_name(window: WindowKey) -> str:
    """The stream of a window.

    Examples
    --------
    >>> subject_name(WindowKey("fraud", "v12", "baseline", "country=de", "", "", 0))
    'fraud v12, country=de'
    """
    return f"{window.model} {window.version}" + (f", {window.segment}" if window.segment else "")


def opened(metric: str, feature: str, window: WindowKey, end_ms: int, reading: Reading) -> str:
    """What an alert says when it opens."""
    if metric in WATCHES:
        return _watched(metric, feature, window, end_ms, reading, over=False)
    if metric == "estimate_gap":
        what = "is above what they explain, so the score no longer means what it meant"
        return _stated(metric, feature, window, end_ms, reading, what)
    what = "is above its budget" if reading.worse == "above" else "is below its floor"
    return _stated(metric, feature, window, end_ms, reading, what)


def moved(metric: str, feature: str, window: WindowKey, lasts: Stretch, reading: Reading) -> str:
    """What an alert says when it opens, where it is known what was usual before."""
    low, high = lasts.low, lasts.high
    way = "rose" if reading.worse == "above" else "fell"
    rows = "labelled predictions" if metric in LABEL_BASED else "predictions"
    between = (
        f" (95 %: {level(metric, low)} to {level(metric, high)})"
        if low is not None and high is not None
        else ""
    )
    return (
        f"The {named(metric, feature)} of {subject_name(window)} {way} from "
        f"{level(metric, lasts.before)} to {level(metric, lasts.value)}{between} over "
        f"{lasts.n:,} {rows} since {moment(lasts.since_ms)}; "
        f"{_bound(metric, reading)} {level(metric, reading.level)}"
    )


def resolved(metric: str, feature: str, window: WindowKey, end_ms: int, reading: Reading) -> str:
    """What an alert says when it is over."""
    if metric in WATCHES:
        return _watched(metric, feature, window, end_ms, reading, over=True)
    if metric == "estimate_gap":
        what = "is within what they explain again"
        return _stated(metric, feature, window, end_ms, reading, what)
    what = "is within its budget again" if reading.worse == "above" else "is above its floor again"
    return _stated(metric, feature, window, end_ms, reading, what)


def superseded(metric: str, feature: str, window: WindowKey) -> str:
    """What an alert says when another policy or reference took over."""
    return (
        f"The {named(metric, feature)} of {subject_name(window)} is judged by another policy or "
        f"reference from {moment(window.start_ms)} on; this alert is closed without a verdict"
    )


def gone(metric: str, feature: str, window: WindowKey, end_ms: int) -> str:
    """What an alert says when nothing is left of the predictions that it is about."""
    return (
        f"The {named(metric, feature)} of {subject_name(window)} was last judged at "
        f"{moment(end_ms)}; no prediction came since, and no label can change it any more: this "
        "alert is closed without a verdict"
    )


def care_over(metric: str, feature: str, window: WindowKey) -> str:
    """What an alert of hyper-care says when that is over."""
    return (
        f"Hyper-care of {subject_name(window)} is over: from {moment(window.start_ms)} on the "
        f"{named(metric, feature)} is judged by its ordinary level; this alert is closed without a "
        "verdict"
    )


def _stated(
    metric: str, feature: str, window: WindowKey, end_ms: int, reading: Reading, what: str
) -> str:
    rows = "labelled predictions" if metric in LABEL_BASED else "predictions"
    between = ""
    if reading.low is not None and reading.high is not None:
        between = f" (95 %: {level(metric, reading.low)} to {level(metric, reading.high)})"
    against = f" against {reading.beside}" if reading.beside else ""
    return (
        f"The {named(metric, feature)} of {subject_name(window)}{against} {what}: "
        f"{level(metric, reading.value)}{between} over {reading.n:,} {rows} "
        f"{span(window.start_ms, end_ms)}; "
        f"{_bound(metric, reading)} {level(metric, reading.level)}"
        + (f"; {ASSUMED[metric]}" if metric in ASSUMED else "")
    )


def _watched(
    metric: str, feature: str, window: WindowKey, end_ms: int, reading: Reading, *, over: bool
) -> str:
    """What is only worth a look says that it is, and names what it saw."""
    name, when = subject_name(window), span(window.start_ms, end_ms)
    if metric == "opinion":
        found = "has seen no change in six windows" if over else "sees a change"
        return (
            f"A second opinion ({feature}) on the error rate of {name} {found}: "
            f"{level('error_rate', reading.value)} over {reading.n:,} labelled predictions {when}"
            + ("" if over else "; its false alarms have no bound")
        )
    if over:
        until = moment(end_ms)
        return (
            f"No feature of {name} differs from the reference any more, in six windows to {until}"
        )
    names = ", ".join(PLACES.get(one, one) for one in reading.names)
    return (
        f"{name} differs from the reference in {names} over {reading.n:,} predictions {when}; "
        "of the names in such lists at most 1 % are expected to be false"
    )


def _bound(metric: str, reading: Reading) -> str:
    if metric == "estimate_gap":
        return "explained"
    return "budget" if reading.worse == "above" else "floor"

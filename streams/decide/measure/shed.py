"""What a window lacks because INGEST was too far behind, and which metrics rest on that."""

from __future__ import annotations

from collections.abc import Mapping

from detectors.inputs import shed_field
from detectors.quantities import FEATURE_METRICS
from detectors.summary import Ints
from schemas.overload import Shed
from schemas.windows import Metric, Verdict
from streams.decide.domain import DOMAIN
from streams.decide.measure.embeddings import DRIFT
from streams.decide.measure.fairness import SELECTION
from streams.decide.measure.patterns import REPEATS
from streams.decide.subject import Subject

COUNTED = frozenset(
    {
        "service_errors",
        "latency_over",
        "positive_rate",
        "unusable_rate",
        "violation_rate",
        SELECTION,
    }
)
"""Metrics that segments have of their counts alone."""

PAIRED = "paired_rate"
"""What is counted of shadows, come what may."""

ROWS = frozenset({"violation_rate", DOMAIN, "drift_list"})
"""Metrics of all features of a row together."""

COMPARED = frozenset({*FEATURE_METRICS, "tv", "psi", "js"})
"""Metrics of one feature, if it is one."""

NOTE = "rows were shed"


def shed(subject: Subject, inputs: Ints) -> dict[Shed, int]:
    """Rows of an input pane that were counted without something; empty where none were.

    Examples
    --------
    >>> from schemas.policy import Overload, Policy, Task
    >>> from streams.decide.subject import subject_of
    >>> policy = Policy(model="m", task=Task.BINARY, overload=Overload(lag="5m"))
    >>> subject = subject_of(policy, None, whole=True)
    >>> inputs = subject.inputs.zeros()
    >>> inputs[subject.inputs.start("n_shed_features")] = 7
    >>> lost = shed(subject, inputs)
    >>> lost, [lacks(lost, subject, name) for name in ("out_of_domain", "service_errors")]
    ({<Shed.FEATURES: 'features'>: 7}, [True, False])
    """
    if shed_field(Shed.EXTRAS) not in subject.inputs:
        return {}
    counts = {kind: subject.inputs.count(inputs, shed_field(kind)) for kind in Shed}
    return {kind: n for kind, n in counts.items() if n}


def lacks(lost: Mapping[Shed, int], subject: Subject, metric: str, feature: str = "") -> bool:
    """Whether a metric of predictions rests on anything that a window lacks."""
    return bool(lost) and not _resting_on(subject, metric, feature).isdisjoint(lost)


def marked(metric: Metric, subject: Subject, lost: Mapping[Shed, int]) -> Metric:
    """A metric of predictions as it is told: it decides nothing where rows lack what it rests on.

    Its value stays where it is that of the rows which do not.
    """
    if not lacks(lost, subject, metric.name, metric.feature):
        return metric
    verdict = None if metric.verdict is None else Verdict.CANNOT_TELL
    told: dict[str, object] = {"verdict": verdict, "needed": None, "note": NOTE}
    if Shed.SHADOWS in lost or not subject.whole or metric.name in ROWS:
        told |= {"value": None, "low": None, "high": None}
    return metric.model_copy(update=told)


def _resting_on(subject: Subject, metric: str, feature: str) -> set[Shed]:
    if metric == PAIRED:
        return set()
    found = {Shed.SHADOWS}
    if not subject.whole and metric not in COUNTED:
        found.add(Shed.SEGMENTS)
    if metric in (DRIFT, REPEATS):
        found.add(Shed.EXTRAS)
    named = any(one.name == feature for one in subject.features)
    if metric in ROWS or (metric in COMPARED and named):
        found.add(Shed.FEATURES)
    return found

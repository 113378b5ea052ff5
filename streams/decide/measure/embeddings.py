"""How far the embeddings of a window are from the reference's: the worst of 17 histograms."""

from __future__ import annotations

from detectors.arrays import FloatArray, as_floats
from detectors.drift import tv
from detectors.embeddings.columns import field_of, histograms_of, reference_histograms
from detectors.summary import Ints
from schemas.windows import Metric, Verdict
from streams.decide.measure.drift import needed
from streams.decide.measure.interval import LEVEL, judge, number
from streams.decide.subject import Subject

DRIFT = "embedding_drift"


def embeddings(subject: Subject) -> list[str]:
    """Names of the embeddings that the stream of all has panes of."""
    known = {} if subject.reference is None else subject.reference.embeddings
    return [name for name in sorted(known) if field_of(name, "p") in subject.inputs]


def pairs_of(subject: Subject, vector: Ints, name: str) -> list[tuple[FloatArray, FloatArray]]:
    """Histograms of the window, each with that of the reference; none where no row has a vector.

    Rows of one unit count as one.
    """
    known = None if subject.reference is None else subject.reference.embeddings.get(name)
    if known is None or rows_with(subject, vector, name) <= 0:
        return []
    rows = subject.policy.dependence.rows_per_unit
    window = [as_floats(c / rows) for c in histograms_of(subject.inputs, vector, name)]
    return list(zip(window, reference_histograms(known), strict=True))


def rows_with(subject: Subject, vector: Ints, name: str) -> int:
    """Rows that have an embedding, be it usable or not."""
    return sum(subject.inputs.count(vector, field_of(name, part)) for part in ("n", "wrong"))


def metrics(subject: Subject, vector: Ints) -> list[Metric]:
    """One for each embedding."""
    found = (metric(subject, vector, name) for name in embeddings(subject))
    return [one for one in found if one is not None]


def metric(subject: Subject, vector: Ints, name: str) -> Metric | None:
    """Largest total variation distance of a projection or the length, corrected for chance.

    The interval holds for all 17 together, and so for the largest.
    """
    pairs = pairs_of(subject, vector, name)
    if not pairs:
        return None
    eps = subject.policy.drift.features
    # Where no vector can be used, only the length has something to tell.
    filled = [(c, r) for c, r in pairs if float(c.sum()) > 0.0]
    ends = [tv.interval(c, r, LEVEL / len(pairs)) for c, r in filled]
    low, high = (number(max(float(end[side]) for end in ends)) for side in (0, 1))
    value = number(max(float(tv.corrected(c, r)) for c, r in filled))
    n, verdict = rows_with(subject, vector, name), judge(low, high, eps)
    more = None
    if verdict is Verdict.CANNOT_TELL:
        more = needed(n, (value, low, high), float(pairs[0][1].sum()), eps)
    return Metric(
        name=DRIFT,
        feature=name,
        n=n,
        value=value,
        low=low,
        high=high,
        budget=eps,
        verdict=verdict,
        needed=more,
    )

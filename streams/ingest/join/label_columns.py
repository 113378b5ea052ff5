"""Labels of many predictions in columns, with the same answers as `label_state.LabelState`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Ints
from schemas.feedback import FeedbackKind
from schemas.hot import HotFeedback
from streams.ingest.decode.rows import Bools
from streams.ingest.join.label_state import (
    BY_REVIEW,
    BY_SIGNAL,
    CHANCES,
    DISAGREED,
    FLIPPED,
    HISTORY,
    REVIEWED,
    LabelState,
)
from streams.ingest.plan import Plan

Labels: TypeAlias = NDArray[np.void]
"""Label states, shape (n,), of type `LABEL`."""

KINDS = tuple(FeedbackKind)
RETRACTION, SIGNAL = KINDS.index(FeedbackKind.RETRACTION), KINDS.index(FeedbackKind.SIGNAL)

_MARKS = np.array(
    [
        {FeedbackKind.REVIEW: BY_REVIEW, FeedbackKind.SIGNAL: BY_SIGNAL}.get(kind, 0)
        for kind in KINDS
    ],
    np.uint8,
)
_FIELDS = ("truth", "time_ms", "marks", "source", "chance")

LABEL = np.dtype(
    [
        ("known", "?"),
        ("truth", "<f8"),
        ("time_ms", "<i8"),
        ("marks", "u1"),
        ("source", "u1"),
        ("chance", "<u2"),
    ]
)
"""A label state; ``truth`` is 0 where it is not ``known``."""

_WHOLE = np.dtype((np.void, LABEL.itemsize))


def of_states(states: Sequence[LabelState]) -> Labels:
    """Label states in columns.

    Examples
    --------
    >>> of_states([LabelState(1.0, 10), LabelState()])["known"].tolist()
    [True, False]
    """
    return np.array(
        [
            (s.truth is not None, s.truth or 0.0, s.time_ms, s.marks, s.source, s.chance)
            for s in states
        ],
        LABEL,
    )


def held(records: NDArray[np.void], state: str, flag: int) -> Labels:
    """The label states ``state`` of packed predictions (`pending.record_type`)."""
    labels = np.empty(len(records), LABEL)
    labels["known"] = records["flags"] & flag > 0
    for name in _FIELDS:
        labels[name] = records[f"{state}_{name}"]
    return labels


def hold(records: NDArray[np.void], state: str, flag: int, labels: Labels) -> None:
    """Write label states into packed predictions."""
    records["flags"] = np.where(
        labels["known"], records["flags"] | flag, records["flags"] & (255 - flag)
    )
    for name in _FIELDS:
        records[f"{state}_{name}"] = labels[name]


def kinds_of(feedback: Sequence[HotFeedback]) -> Ints:
    """Place in `KINDS` of the kind of each feedback, shape (n,)."""
    kinds = [one.kind for one in feedback]
    if kinds.count(KINDS[0]) == len(kinds):
        return np.zeros(len(kinds), np.int64)
    # By identity: the hash of an enumeration's member is computed anew each time.
    places = {id(kind): place for place, kind in enumerate(KINDS)}
    return np.array([places[id(kind)] for kind in kinds], np.int64)


def said(feedback: Sequence[HotFeedback], kinds: Ints, times_ms: Ints, plan: Plan) -> Labels:
    """What each feedback says by itself, shape (n,)."""
    labels = np.zeros(len(feedback), LABEL)
    truth = plan.outcome.truths(feedback)
    known = ~np.isnan(truth) & (kinds != RETRACTION)
    labels["known"] = known
    # Adding 0 takes the sign from -0, which is packed as 0.
    labels["truth"] = np.where(known, truth, 0.0) + 0.0
    labels["time_ms"] = times_ms
    labels["marks"] = _MARKS[kinds]
    if plan.sources:
        places: dict[str | None, int] = {
            source: place for place, source in enumerate(plan.sources, start=1)
        }
        labels["source"] = [places.get(one.source, 0) for one in feedback]
    chances = [one.propensity for one in feedback]
    if any(chances):
        share = np.array(chances, np.float64)
        labels["chance"] = np.where(np.isnan(share), 0, np.maximum(np.rint(share * CHANCES), 1))
    return labels


def after(old: Labels, new: Labels) -> Labels:
    """The states after one more feedback each: `LabelState.after`, shape (n,)."""
    earlier = new["time_ms"] < old["time_ms"]
    result = where(earlier, old, new)
    both = np.flatnonzero(old["known"] & new["known"])
    if both.size:
        result[both] = _after_both(old.take(both), new.take(both), earlier[both])
    return result


def _after_both(old: Labels, new: Labels, earlier: Bools) -> Labels:
    result, other = where(earlier, old, new), where(earlier, new, old)
    changed = old["truth"] != new["truth"]
    told = np.where(
        result["marks"] & BY_REVIEW > 0,
        REVIEWED + DISAGREED * changed,
        np.where(result["marks"] & BY_SIGNAL > 0, 0, FLIPPED * changed),
    )
    kept = np.where(earlier, old["marks"], old["marks"] & HISTORY | new["marks"])
    result["marks"] = kept | told
    result["source"] = old["source"]
    result["chance"] = np.where(result["chance"] > 0, result["chance"], other["chance"])
    return result


def where(chosen: Bools, one: Labels, other: Labels) -> Labels:
    """``one`` where it is chosen, else ``other``."""
    if chosen.all():
        return one.copy()
    # As bytes: numpy takes structures apart, which costs several times as much.
    return np.where(chosen, one.view(_WHOLE), other.view(_WHOLE)).view(LABEL)


def together(parts: Sequence[Labels]) -> Labels:
    """All label states, one part after the other."""
    return np.concatenate([part.view(_WHOLE) for part in parts]).view(LABEL)


def differ(one: Labels, other: Labels) -> Bools:
    """Whether two states of each row are different labels; to have none is all the same."""
    either: Bools = one["known"] | other["known"]
    unlike: Bools = one != other
    return np.logical_and(either, unlike)

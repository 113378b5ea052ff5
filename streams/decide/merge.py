"""Panes as absolute vectors, and windows as sums of panes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from detectors.summary import LIMIT, Ints, Layout, dense, merge
from schemas.policy import Policy
from schemas.summaries import PaneDelta, Part
from streams.decide.keys import WindowKey
from streams.decide.state import Pane, State, Window
from streams.decide.subject import Subject

INPUTS = (Part.INPUT, Part.LATE_INPUT)
LABELS = (Part.LABEL, Part.LATE_LABEL)


def pane_key(delta: PaneDelta) -> WindowKey:
    """The pane that a delta adds to."""
    return WindowKey(
        model=delta.model,
        version=delta.version,
        arm=delta.arm,
        segment=delta.segment,
        policy=delta.policy,
        reference=delta.reference,
        start_ms=delta.start_ms,
    )


def window_of(pane: WindowKey, policy: Policy) -> WindowKey:
    """The window that a pane is in."""
    return pane._replace(start_ms=floor_to(pane.start_ms, policy.window_ms))


def floor_to(time_ms: int, length_ms: int) -> int:
    """Start of the interval of a length that holds a time.

    Examples
    --------
    >>> floor_to(125, 60), floor_to(-1, 60)
    (120, -60)
    """
    return time_ms // length_ms * length_ms


def add(state: State, delta: PaneDelta, policy: Policy) -> WindowKey:
    """Add a delta to its pane, and mark its window as changed.

    Raises
    ------
    OverflowError
        If an entry would reach 2**62.
    """
    key = pane_key(delta)
    pane = state.panes.get(key) or Pane({})
    entries = pane.parts.setdefault(delta.part, {})
    for place, value in zip(delta.index, delta.values, strict=True):
        total = entries.get(place, 0) + value
        if abs(total) >= LIMIT:
            raise OverflowError("a pane holds too many rows; choose a shorter pane")
        if total:
            entries[place] = total
        else:
            entries.pop(place, None)
    state.panes.put(key, pane)
    window = window_of(key, policy)
    known = state.windows.get(window) or Window()
    state.windows.put(window, msgspec.structs.replace(known, stale=True))
    return window


def total(
    state: State,
    window: WindowKey,
    subject: Subject,
    parts: Iterable[Part],
    *,
    from_ms: int | None = None,
) -> Ints:
    """Sum of some parts of a window's panes, all inputs or all labels.

    Parameters
    ----------
    parts
        Of `INPUTS`, or of `LABELS`.
    from_ms
        Leave out panes that start before.

    Returns
    -------
    Vector of the layout of those parts.
    """
    parts = tuple(parts)
    layout = layout_of(subject, parts)
    policy = subject.policy
    sums = layout.zeros()
    for start in range(window.start_ms, window.start_ms + policy.window_ms, policy.pane_ms):
        if from_ms is not None and start < from_ms:
            continue
        pane = state.panes.get(window._replace(start_ms=start)) or Pane({})
        for part in parts:
            entries = pane.parts.get(part, {})
            merge(sums, dense(list(entries), list(entries.values()), layout.size))
    return sums


def layout_of(subject: Subject, parts: Iterable[Part]) -> Layout:
    """Layout of some parts of a pane.

    Raises
    ------
    ValueError
        Parts of inputs and of labels together.
    """
    kinds = {part in INPUTS for part in parts}
    if len(kinds) > 1:
        raise ValueError("inputs and labels have different layouts; sum them apart")
    return subject.inputs if True in kinds else subject.labels


def held_ms(policy: Policy) -> int:
    """How long after its end a window is kept: while labels are waited for, and one window more
    for what is on its way."""
    waited_ms = policy.horizon_ms + policy.lateness_ms + policy.label_lateness_ms
    return waited_ms + policy.window_ms


def expired(window: WindowKey, policy: Policy, labels_ms: int) -> bool:
    """Whether nothing can change a window any more.

    The labels watermark says so, as it does in the join: feedback may be far behind.
    """
    return window.start_ms + policy.window_ms + held_ms(policy) <= labels_ms


def forget(state: State, window: WindowKey, policy: Policy) -> None:
    """Drop a window and its panes."""
    for start in range(window.start_ms, window.start_ms + policy.window_ms, policy.pane_ms):
        state.panes.drop(window._replace(start_ms=start))
    state.windows.drop(window)

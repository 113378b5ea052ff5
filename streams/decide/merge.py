"""Panes as absolute sums, and windows as sums of panes."""

from __future__ import annotations

from functools import cache

import msgspec

from detectors.summary import Ints, Layout
from schemas.summaries import PaneDelta, Part
from streams.decide.entries import Entries, added, densely
from streams.decide.keys import WindowKey
from streams.decide.state import Pane, State, Window
from streams.decide.subject import Subject

INPUTS = (Part.INPUT, Part.LATE_INPUT)
LABELS = (Part.LABEL, Part.LATE_LABEL)


def pane_key(delta: PaneDelta) -> WindowKey:
    """The pane that a delta adds to."""
    return WindowKey(
        delta.model,
        delta.version,
        delta.arm,
        delta.segment,
        delta.policy,
        delta.reference,
        delta.start_ms,
    )


def window_of(pane: WindowKey, subject: Subject) -> WindowKey:
    """The window that a pane is in."""
    start_ms = floor_to(pane.start_ms, subject.window_ms)
    return pane if start_ms == pane.start_ms else pane._replace(start_ms=start_ms)


def floor_to(time_ms: int, length_ms: int) -> int:
    """Start of the interval of a length that holds a time.

    Examples
    --------
    >>> floor_to(125, 60), floor_to(-1, 60)
    (120, -60)
    """
    return time_ms // length_ms * length_ms


def add(state: State, part: Part, entries: Entries, pane: WindowKey, window: WindowKey) -> None:
    """Add entries to a part of a pane, and mark its window as changed.

    Raises
    ------
    OverflowError
        If an entry would reach 2**62.
    """
    known = state.panes.get(pane)
    parts = {} if known is None else known.parts
    before = parts.get(part)
    after = entries if before is None else added(before, entries)
    state.panes.put(pane, Pane({**parts, part: after}))
    state.sums.forget(window)
    mark_stale(state, window)


def mark_stale(state: State, window: WindowKey) -> None:
    """Note that a window has changed since it was published."""
    known = state.windows.get(window)
    if known is None:
        state.windows.put(window, Window(stale=True))
    elif not known.stale:
        state.windows.put(window, msgspec.structs.replace(known, stale=True))


def total(
    state: State,
    window: WindowKey,
    subject: Subject,
    parts: tuple[Part, ...],
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
    Vector of the layout of those parts, shared by all who ask: not to be written to.

    Raises
    ------
    ValueError
        Parts of inputs and of labels together.
    """
    if from_ms is not None and from_ms > window.start_ms:
        return _summed(state, window, subject, parts, layout_of(subject, parts), from_ms)
    known = state.sums.get(window, parts)
    if known is not None:
        return known
    layout = layout_of(subject, parts)
    present = _present(state, window, subject, parts)
    if present != parts:
        return total(state, window, subject, present)
    known = _summed(state, window, subject, parts, layout, window.start_ms)
    known.flags.writeable = False
    state.sums.put(window, parts, known)
    return known


def _present(
    state: State, window: WindowKey, subject: Subject, parts: tuple[Part, ...]
) -> tuple[Part, ...]:
    """The first part, and those of the others that a pane of a window has: most have no late
    one."""
    if len(parts) == 1:
        return parts
    panes = [pane for key in _panes(window, subject) if (pane := state.panes.get(key)) is not None]
    late = [part for part in parts[1:] if any(part in pane.parts for pane in panes)]
    return (parts[0], *late)


def _panes(window: WindowKey, subject: Subject) -> list[WindowKey]:
    """The panes of a window, in order."""
    if subject.pane_ms == subject.window_ms:
        return [window]
    stop = window.start_ms + subject.window_ms
    starts = range(window.start_ms, stop, subject.pane_ms)
    return [window._replace(start_ms=start) for start in starts]


def _summed(
    state: State,
    window: WindowKey,
    subject: Subject,
    parts: tuple[Part, ...],
    layout: Layout,
    from_ms: int,
) -> Ints:
    """Sum of some parts of the panes that start at a time or later."""
    panes = [state.panes.get(key) for key in _panes(window, subject) if key.start_ms >= from_ms]
    every = [
        entries
        for pane in panes
        if pane is not None
        for part in parts
        if (entries := pane.parts.get(part)) is not None
    ]
    return densely(every, layout.size)


def layout_of(subject: Subject, parts: tuple[Part, ...]) -> Layout:
    """Layout of some parts of a pane.

    Raises
    ------
    ValueError
        Parts of inputs and of labels together.
    """
    return subject.inputs if _of_inputs(parts) else subject.labels


@cache
def _of_inputs(parts: tuple[Part, ...]) -> bool:
    kinds = {part in INPUTS for part in parts}
    if len(kinds) > 1:
        raise ValueError("inputs and labels have different layouts; sum them apart")
    return True in kinds


def expired(window: WindowKey, subject: Subject, labels_ms: int) -> bool:
    """Whether nothing can change a window any more.

    The labels watermark says so, as it does in the join: feedback may be far behind.
    """
    return window.start_ms + subject.window_ms + subject.held_ms <= labels_ms


def forget(state: State, window: WindowKey, subject: Subject) -> None:
    """Drop a window and its panes."""
    for pane in _panes(window, subject):
        state.panes.drop(pane)
    state.windows.drop(window)
    state.sums.forget(window)

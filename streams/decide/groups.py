"""Which group the other groups are compared with: the largest so far.

The choice is made when a window closes, from windows that closed before, so it is fixed before
the window is looked at; tests on its labels and every revision of its result keep to it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from schemas.summaries import OTHER, Part
from streams.decide import merge
from streams.decide.keys import GroupsKey, WindowKey, slice_of
from streams.decide.measure.awaited import awaited
from streams.decide.measure.fairness import Beside
from streams.decide.state import State, Window
from streams.decide.subject import Subject


def largest(sizes: Mapping[str, int]) -> str:
    """The group with the most predictions, of equal ones the first by name; "" of none.

    Values without a stream of their own are no group.

    Examples
    --------
    >>> largest({"sex=m": 5, "sex=f": 5, "sex=<other>": 9}), largest({})
    ('sex=f', '')
    """
    known = [name for name in sizes if not name.endswith(f"={OTHER}")]
    return min(known, key=lambda name: (-sizes[name], name), default="")


def served(state: State, window: WindowKey, subject: Subject) -> int:
    """Predictions of a window that came on time."""
    return subject.inputs.count(merge.total(state, window, subject, (Part.INPUT,)), "n")


def settle(state: State, windows: Mapping[WindowKey, Subject]) -> None:
    """Choose what groups' windows that close at one moment are compared with, then count them.

    A window without predictions on time is compared with nothing: late rows alone may show it
    at a moment that is not the same in every run.

    Parameters
    ----------
    windows
        Of every kind; those that are no group's are passed over.
    """
    sizes = {
        window: n
        for window, subject in windows.items()
        if subject.group and (n := served(state, window, subject)) > 0
    }
    for window in sizes:
        known = state.windows.get(window) or Window()
        chosen = largest(state.groups.get(_key(window)) or {})
        state.windows.put(window, msgspec.structs.replace(known, against=chosen))
    for window, n in sizes.items():
        counts = state.groups.get(_key(window)) or {}
        state.groups.put(
            _key(window), {**counts, window.segment: counts.get(window.segment, 0) + n}
        )


def other(state: State, window: WindowKey) -> WindowKey | None:
    """The window that a group's window is compared with; None where there is none."""
    known = state.windows.get(window) or Window()
    if known.against in ("", window.segment):
        return None
    return window._replace(segment=known.against)


def against(state: State, window: WindowKey, subject: Subject, part: Part) -> Beside | None:
    """What tests compare a group's window with; None where too few of its labels are known."""
    peer = other(state, window)
    if peer is None:
        return None
    vector = merge.total(state, peer, subject, (part,))
    if part is Part.LABEL:
        labelled = subject.labels.count(vector, "n")
        inputs = merge.total(state, peer, subject, (Part.INPUT,))
        if labelled < subject.policy.labels.coverage * awaited(subject.inputs, inputs):
            return None
    return Beside(peer.segment, vector)


def beside(state: State, window: WindowKey, subject: Subject) -> dict[Part, Beside]:
    """What the inputs and the labels of a group's window are shown beside; empty where nothing."""
    peer = other(state, window)
    if peer is None:
        return {}
    every = ((Part.INPUT, merge.INPUTS), (Part.LABEL, merge.LABELS))
    return {
        part: Beside(peer.segment, merge.total(state, peer, subject, parts))
        for part, parts in every
    }


def is_reference(state: State, window: WindowKey) -> bool:
    """Whether other groups' windows are compared with this one."""
    known = state.windows.get(window) or Window()
    return known.against == window.segment != ""


def _key(window: WindowKey) -> GroupsKey:
    return GroupsKey(window.model, slice_of(window.segment))

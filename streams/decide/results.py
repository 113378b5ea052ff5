"""The next revision of a window's result, from its sums as they are now."""

from __future__ import annotations

import msgspec

from detectors.summary import Ints
from schemas.summaries import Part
from schemas.windows import WindowResult
from streams.decide import clock, completeness, groups, merge
from streams.decide.keys import WindowKey
from streams.decide.measure.window import window_result
from streams.decide.state import State, Window
from streams.decide.subject import Subject


def revision(
    state: State, window: WindowKey, subject: Subject, cut: dict[str, int]
) -> WindowResult:
    """The result of a window, whose revision counts up."""
    known = state.windows.get(window) or Window()
    known = msgspec.structs.replace(known, stale=False, revision=known.revision + 1)
    state.windows.put(window, known)
    late: Ints = merge.total(state, window, subject, (Part.LATE_INPUT,))
    return window_result(
        window,
        subject,
        merge.total(state, window, subject, merge.INPUTS),
        subject.inputs.count(late, "n"),
        merge.total(state, window, subject, merge.LABELS),
        matured=known.matured,
        revision=known.revision,
        cut=cut,
        beside=groups.beside(state, window, subject),
        expected=_expected(state, window, subject),
        drifted=known.drifted,
    )


def _expected(state: State, window: WindowKey, subject: Subject) -> completeness.Expected:
    """What other windows let expect of the labels of one of its age."""
    now_ms = clock.watermarks(state).labels_ms
    if now_ms is None:
        return completeness.UNKNOWN
    age_ms = max(now_ms - window.start_ms - subject.policy.window_ms, 0)
    return completeness.expected_at(state, window, age_ms)

"""The next revisions of the results of windows, from their sums as they are now."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from detectors.summary import Ints
from schemas.summaries import Part
from schemas.windows import WindowResult
from streams.decide import clock, completeness, groups, merge
from streams.decide.keys import WindowKey
from streams.decide.measure.window import Shared, shared_each, window_result
from streams.decide.state import State, Window
from streams.decide.subject import Subject


def revisions(
    state: State, windows: Sequence[tuple[WindowKey, Subject]], cut: dict[str, int]
) -> list[WindowResult]:
    """The results of windows, whose revisions count up."""
    sums = [
        (
            subject,
            merge.total(state, window, subject, merge.INPUTS),
            merge.total(state, window, subject, merge.LABELS),
            window.start_ms,
        )
        for window, subject in windows
    ]
    return [
        _revision(state, window, own, shared, cut)
        for (window, _), own, shared in zip(windows, sums, shared_each(sums), strict=True)
    ]


def _revision(
    state: State,
    window: WindowKey,
    sums: tuple[Subject, Ints, Ints, int],
    shared: Shared,
    cut: dict[str, int],
) -> WindowResult:
    subject, inputs, labels, _ = sums
    known = state.windows.get(window) or Window()
    known = msgspec.structs.replace(known, stale=False, revision=known.revision + 1)
    state.windows.put(window, known)
    late: Ints = merge.total(state, window, subject, (Part.LATE_INPUT,))
    return window_result(
        window,
        subject,
        inputs,
        subject.inputs.count(late, "n"),
        labels,
        matured=known.matured,
        revision=known.revision,
        cut=cut,
        beside=groups.beside(state, window, subject),
        expected=_expected(state, window, subject),
        drifted=known.drifted,
        shared=shared,
    )


def _expected(state: State, window: WindowKey, subject: Subject) -> completeness.Expected:
    """What other windows let expect of the labels of one of its age."""
    now_ms = clock.watermarks(state).labels_ms
    if now_ms is None:
        return completeness.UNKNOWN
    age_ms = max(now_ms - window.start_ms - subject.policy.window_ms, 0)
    return completeness.expected_at(state, window, age_ms)

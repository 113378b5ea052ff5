"""What is said of an alert when labels that came late change what it rests on."""

from __future__ import annotations

import msgspec

from schemas.alerts import Alert, AlertAction
from schemas.ids import content_id
from streams.decide.alerts.events import Occasion, Said, alert_of, figures
from streams.decide.alerts.held import Changes, Judged, Revised
from streams.decide.detect import Reading, SequentialTest
from streams.decide.keys import MonitorKey, WindowKey
from streams.decide.memory import MonitorState, OpenAlert
from streams.decide.sentences import level, named, span, subject_name


def amended(
    key: MonitorKey,
    known: MonitorState,
    opened: OpenAlert,
    test: SequentialTest,
    one: Judged,
    shown: Revised,
    changes: Changes,
    cut: dict[str, int],
) -> Alert:
    """The alert with the numbers of its window as they are known now.

    Parameters
    ----------
    opened
        With the present evidence; what was told holds these numbers already, as its last entry.
    one, shown
        The window whose numbers were told.
    changes
        Of all windows of the evidence.
    """
    reading = test.read(shown.seen)
    words = f"{_told(test, one.window, one.end_ms, reading)} {after(changes)}; the alert stands"
    said = _said(AlertAction.AMENDED, known, opened, reading, words, one.window)
    return _event(key, Occasion(one.window, shown.seen, one.due_ms, cut), said, changes)


def withdrawn(
    key: MonitorKey,
    known: MonitorState,
    opened: OpenAlert,
    test: SequentialTest,
    one: Judged,
    shown: Revised,
    changes: Changes,
    cut: dict[str, int],
) -> Alert:
    """The end of an alert whose evidence is gone; parameters as of `amended`."""
    reading = test.read(shown.seen)
    words = (
        f"{_told(test, one.window, one.end_ms, reading)} {after(changes)}; "
        "too little is left of the evidence, and the alert is withdrawn"
    )
    said = _said(AlertAction.WITHDRAWN, known, opened, reading, words, one.window)
    return _event(key, Occasion(one.window, shown.seen, one.due_ms, cut), said, changes)


def reason(changes: Changes) -> str:
    """The name of what changed, the weightiest first.

    Examples
    --------
    >>> reason(Changes(more=3, reversed=1)), reason(Changes(more=3)), reason(Changes())
    ('corrected_labels', 'late_labels', 'late_rows')
    """
    if changes.reversed:
        return "corrected_labels"
    if changes.fewer:
        return "retracted_labels"
    if changes.more:
        return "late_labels"
    return "corrected_labels" if changes.other else "late_rows"


def after(changes: Changes) -> str:
    """What changed, in words.

    Examples
    --------
    >>> after(Changes(more=1200, reversed=1)), after(Changes(other=True))
    ('after 1,200 more labels and 1 reversed', 'after labels were corrected')
    """
    parts = [
        f"{n:,} {word}"
        for n, word in (
            (changes.more, "more"),
            (changes.fewer, "taken back"),
            (changes.reversed, "reversed"),
        )
        if n
    ]
    if parts:
        first, *others = parts
        return "after " + " and ".join([_with_noun(first), *others])
    return "after labels were corrected" if changes.other else "after rows that came late"


def _with_noun(part: str) -> str:
    """The first number counts labels: "3 more labels", "3 labels reversed"."""
    n, _, word = part.partition(" ")
    noun = "label" if n == "1" else "labels"
    return f"{n} more {noun}" if word == "more" else f"{n} {noun} {word}"


def _told(test: SequentialTest, window: WindowKey, end_ms: int, reading: Reading) -> str:
    between = ""
    if reading.low is not None and reading.high is not None:
        low, high = level(test.metric, reading.low), level(test.metric, reading.high)
        between = f" (95 %: {low} to {high})"
    bound = "budget" if reading.worse == "above" else "floor"
    return (
        f"The {named(test.metric, test.feature)} of {subject_name(window)} "
        f"{span(window.start_ms, end_ms)} is {level(test.metric, reading.value)}{between} over "
        f"{reading.n:,} labelled predictions ({bound} {level(test.metric, reading.level)})"
    )


def _said(
    action: AlertAction,
    known: MonitorState,
    opened: OpenAlert,
    reading: Reading,
    words: str,
    window: WindowKey,
) -> Said:
    return Said(
        action,
        opened,
        reading,
        opened.log_e,
        0.0,
        known.spent,
        known.cost,
        words,
        window.policy,
        window.reference,
    )


def _event(key: MonitorKey, now: Occasion, said: Said, changes: Changes) -> Alert:
    """The event, under an id of its content.

    Numbers that were told before, and come again, count: else they would pass for a repetition.
    """
    content, told = figures(said.reading), said.opened.told
    id_ = content_id(said.opened.id, said.action, content, told.count(content))
    return alert_of(key, now, said).model_copy(update={"id": id_, "reason": reason(changes)})


def retold(opened: OpenAlert, reading: Reading, log_e: float) -> OpenAlert:
    """An alert of which other numbers, and other evidence, are told."""
    return msgspec.structs.replace(opened, log_e=log_e, told=(*opened.told, figures(reading)))

"""The end of alerts of streams that are gone: the label horizon of their last window is over.

Until then labels may amend an alert or take it back. After that nothing can, and a version that was
replaced, or a segment that nobody is in any more, would have its alert open for ever, and its story
with it. The alerts of a model that has fallen silent stay: silence is no sign of health. A stream
that comes back after so long finds its alert open only where nobody looked in between.
"""

from __future__ import annotations

import msgspec

from schemas.alerts import Alert
from streams.decide import merge, sentences
from streams.decide.alerts.base import anew
from streams.decide.alerts.events import Occasion, superseded
from streams.decide.alerts.held import Records
from streams.decide.detect import Evidence
from streams.decide.keys import MonitorKey, WindowKey
from streams.decide.memory import MonitorState, OpenAlert


def close(records: Records, labels_ms: int | None, cut: dict[str, int]) -> list[Alert]:
    """End the alerts of streams whose windows are all past their horizon, without a verdict.

    Parameters
    ----------
    labels_ms
        The labels watermark; all windows that are due by it have been judged.
    """
    if labels_ms is None:
        return []
    closed: list[Alert] = []
    for key in records.state.tests.open():
        known = records.state.tests.get(key)
        if known is None or known.alert is None or not _is_gone(records, key, known, labels_ms):
            continue
        if not known.alert.pending:
            closed.append(_event(records, key, known, known.alert, cut))
        ended = msgspec.structs.replace(
            known, memory=b"", share=0.0, alert=None, past=anew(known.past, known.start_ms)
        )
        records.state.tests.put(key, ended)
    return closed


def _is_gone(records: Records, key: MonitorKey, known: MonitorState, labels_ms: int) -> bool:
    """Whether no window of a test's stream is left, though the model goes on."""
    last = _window(key, known)
    return (
        _is_over(records, last, labels_ms)
        and _goes_on(records, last)
        and all(_is_over(records, window, labels_ms) for window in records.held.of(last.stream))
    )


def _goes_on(records: Records, last: WindowKey) -> bool:
    """Whether a model had predictions after a window; of one that is silent nothing is known."""
    traffic = records.state.traffic.get(last.model)
    end_ms = last.start_ms + records.subject_of(last).window_ms
    return traffic is not None and traffic.last_ms > end_ms


def _is_over(records: Records, window: WindowKey, labels_ms: int) -> bool:
    return merge.expired(window, records.subject_of(window), labels_ms)


def _window(key: MonitorKey, known: MonitorState) -> WindowKey:
    """The last window that a test looked at."""
    return WindowKey(*key[:4], known.policy, known.reference, known.start_ms)


def _event(
    records: Records,
    key: MonitorKey,
    known: MonitorState,
    opened: OpenAlert,
    cut: dict[str, int],
) -> Alert:
    """The end of an alert, dated by the last window that its test looked at."""
    window = _window(key, known)
    subject = records.subject_of(window)
    seen = Evidence(subject, subject.layout(known.part).zeros(), window.start_ms)
    now = Occasion(window, seen, window.start_ms + subject.window_ms, cut)
    words = sentences.gone(key.metric, key.feature, window, now.end_ms)
    return superseded(key, known, opened, now).model_copy(update={"summary": words})

"""The end of alerts of streams that are gone: no window is held of them, and none comes.

While a window is held, its labels may still amend an alert or take it back. After that nothing
can, and a version that was replaced, or a segment that nobody is in any more, would have its alert
open for ever, and its story with it.
"""

from __future__ import annotations

import msgspec

from schemas.alerts import Alert
from streams.decide import sentences
from streams.decide.alert_events import Occasion, superseded
from streams.decide.base import anew
from streams.decide.detect import Evidence
from streams.decide.held import Records
from streams.decide.state import MonitorKey, MonitorState, OpenAlert, StreamKey, WindowKey


def close(records: Records, cut: dict[str, int]) -> list[Alert]:
    """End the alerts of streams of which no window is held; they are closed without a verdict."""
    closed: list[Alert] = []
    for key in records.state.tests.open():
        known = records.state.tests.get(key)
        if known is None or known.alert is None or records.held.holds(StreamKey(*key[:4])):
            continue
        if not known.alert.pending:
            closed.append(_event(records, key, known, known.alert, cut))
        ended = msgspec.structs.replace(
            known, memory=b"", share=0.0, alert=None, past=anew(known.past, known.start_ms)
        )
        records.state.tests.put(key, ended)
    return closed


def _event(
    records: Records,
    key: MonitorKey,
    known: MonitorState,
    opened: OpenAlert,
    cut: dict[str, int],
) -> Alert:
    """The end of an alert, dated by the last window that its test looked at."""
    window = WindowKey(*key[:4], known.policy, known.reference, known.start_ms)
    subject = records.subject_of(window)
    seen = Evidence(subject, subject.layout(known.part).zeros(), window.start_ms)
    now = Occasion(window, seen, window.start_ms + subject.policy.window_ms, cut)
    words = sentences.gone(key.metric, key.feature, window, now.end_ms)
    return superseded(key, known, opened, now).model_copy(update={"summary": words})

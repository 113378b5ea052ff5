"""The end of alerts that nobody asks about any more: another policy left their test out."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from schemas.alerts import Alert
from streams.decide.alerts.base import anew
from streams.decide.alerts.events import Occasion, superseded
from streams.decide.keys import MonitorKey, Name, slice_of
from streams.decide.state import State


def retire(
    state: State, now: Occasion, keys: Iterable[MonitorKey], asked: Collection[Name]
) -> list[Alert]:
    """Close the alerts of tests that the policy and reference of a window ask no more.

    Parameters
    ----------
    keys
        Tests of the window's version with an open alert, that look at the part of a pane of which
        the window is due: labels come later than inputs.
    asked
        Every test and contract of the window's stream.
    """
    window = now.window
    closed: list[Alert] = []
    for key in keys:
        known = state.tests.get(key)
        if known is None or known.alert is None:
            continue
        same = (known.policy, known.reference) == (window.policy, window.reference)
        if same or known.start_ms >= window.start_ms or not _is_dropped(key, now, asked):
            continue
        if not known.alert.pending:
            closed.append(superseded(key, known, known.alert, now))
        ended = msgspec.structs.replace(
            known,
            policy=window.policy,
            reference=window.reference,
            start_ms=window.start_ms,
            memory=b"",
            share=0.0,
            alert=None,
            past=anew(known.past, window.start_ms),
        )
        state.tests.put(key, ended)
    return closed


def _is_dropped(key: MonitorKey, now: Occasion, asked: Collection[Name]) -> bool:
    """Whether a test is not among those of a stream; or its segment not among those of a policy,
    which shows in the stream of all."""
    if key.segment == now.window.segment:
        return key.name not in asked
    slices = now.subject.policy.slices
    return now.window.segment == "" and slice_of(key.segment) not in slices

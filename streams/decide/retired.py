"""Versions that are gone: what their tests remember is forgotten, what they spent is kept.

A version is gone once none of its windows is held, none of its alerts is open, what it spent lies
a period of the false-alarm budget back, and another version of its model goes on. So the state does
not grow with the number of versions, and the ledger of a period is whole. One that comes back
after that starts anew. A model that has fallen silent keeps what it knows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from schemas.durations import duration_ms
from streams.decide.alerts.held import Records
from streams.decide.keys import MonitorKey, Version, WindowKey
from streams.decide.ledger import UNIT
from streams.decide.memory import MonitorState
from streams.decide.state import State


def leaving(records: Records) -> dict[Version, int]:
    """Versions of which something is remembered, but no window is held, and when they may go."""
    state = records.state
    known = {key[:3] for table in (state.tests, state.delays) for key in table}
    return kept_until(records, {one for one in known if not records.held.serves(one)})


def kept_until(records: Records, versions: Collection[Version]) -> dict[Version, int]:
    """For how long a period of the budget speaks of what versions spent."""
    until = dict.fromkeys(versions, 0)
    if until:
        for key, known in records.state.tests.items():
            version = key[:3]
            if version in until:
                until[version] = max(until[version], _accounted_ms(records, key, known))
    return until


def drop(
    records: Records, waiting: Mapping[Version, int], labels_ms: int | None
) -> dict[Version, int]:
    """Forget the versions that are gone; those that are not yet are given back.

    Parameters
    ----------
    waiting
        Versions whose last window was forgotten, and when they may go.
    labels_ms
        The labels watermark.
    """
    state, held = records.state, records.held
    left = {one: until_ms for one, until_ms in waiting.items() if not held.serves(one)}
    gone = {
        one
        for one, until_ms in left.items()
        if labels_ms is not None
        and until_ms <= labels_ms
        and held.goes_on(one[0])
        and not state.tests.is_open(one)
    }
    if gone:
        _drop(state, gone)
    return {one: until_ms for one, until_ms in left.items() if one not in gone}


def _accounted_ms(records: Records, key: MonitorKey, known: MonitorState) -> int:
    window = WindowKey(*key[:4], known.policy, known.reference, known.start_ms)
    subject = records.subject_of(window)
    return known.start_ms + subject.window_ms + duration_ms(subject.policy.false_alarms.per)


def _drop(state: State, gone: Collection[Version]) -> None:
    for key, known in state.tests.items():
        if key[:3] in gone:
            if known.spent > 0.0:
                before = state.retired.get(key.model) or 0
                state.retired.put(key.model, before + round(known.spent / UNIT))
            state.tests.drop(key)
    for stream in state.delays:
        if stream[:3] in gone:
            state.delays.drop(stream)

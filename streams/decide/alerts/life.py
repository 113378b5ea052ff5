"""The life of an alert: a test alarms, waits as pending, fires, shows signs of recovery, and
resolves once recovery is proven."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

import msgspec

from schemas.alerts import Alert, AlertAction
from schemas.windows import Verdict
from streams.decide import ledger, sentences
from streams.decide.alerts import banked, base
from streams.decide.alerts.events import (
    Occasion,
    Said,
    alert_id,
    alert_of,
    figures,
    superseded,
)
from streams.decide.alerts.retire import retire
from streams.decide.alerts.stretch import stretch
from streams.decide.alerts.turn import Turn
from streams.decide.detect import (
    Asked,
    Bet,
    Reading,
    Recovering,
    Recovery,
    Step,
    bet_each,
    recover_each,
)
from streams.decide.detect.limit import LimitTest
from streams.decide.detect.recovery import clear_of
from streams.decide.incidents.settle import Watched
from streams.decide.keys import MonitorKey
from streams.decide.measure.interval import judge
from streams.decide.memory import MonitorState, OpenAlert
from streams.decide.state import State

__all__ = ["Occasion", "Turn", "retire", "step_all"]


class _Ready(NamedTuple):
    """A test about to look at a window, with what it knew before under the present question; its
    turn, and its number in that."""

    turn: int
    number: int
    key: MonitorKey
    known: MonitorState
    asked: Asked
    now: Occasion
    share: float
    closed: Sequence[Alert]

    @property
    def present(self) -> MonitorState:
        """What it knows with this window as its last."""
        return msgspec.structs.replace(
            self.known,
            policy=self.now.window.policy,
            reference=self.now.window.reference,
            start_ms=self.now.window.start_ms,
            share=self.share,
            offered=self.known.offered + self.share,
        )


def step_all(state: State, turns: Sequence[Turn]) -> list[list[Alert | Watched]]:
    """Run tests on windows that are due, each test at most once; the state is changed.

    What is told of each turn are alerts that open or end, and what is seen of those that stay open.

    A test sees its windows in order and each once; an earlier window is left out, for a bet on
    it would not be fixed before its outcome was known.
    """
    seats, apart = banked.seated(state, turns)
    ready = [
        found
        for place, (turn, numbers) in enumerate(zip(turns, apart, strict=True))
        for found in _ready(state, place, turn, numbers)
    ]
    betting = [found for found in ready if found.known.alert is None]
    bets = [Bet(r.asked.test, r.known.memory, r.now.seen, r.share) for r in betting]
    steps = bet_each(bets)
    stepped, weighed = iter(steps), _weighed(ready)
    side_by_side = banked.step(state, turns, seats)
    said: list[list[tuple[int, Alert | Watched]]] = [[] for _ in turns]
    after: dict[MonitorKey, MonitorState] = {}
    for r in ready:
        told: Alert | Watched | None = None
        if r.known.alert is not None and r.known.alert.pending:
            after[r.key], told = _wait(state, r, r.present, r.known.alert)
        elif r.known.alert is not None:
            after[r.key], told = _recover(r, r.present, r.known.alert, *next(weighed))
        elif (step := next(stepped)) is None:
            after[r.key] = r.present
        elif step.alarm:
            after[r.key], told = _alarmed(state, r, step)
        else:
            after[r.key] = _went_on(r, step)
        if r.closed or told is not None:
            said[r.turn] += [(r.number, one) for one in (*r.closed, told) if one is not None]
    for place, number, known, step in side_by_side.alarms:
        turn = turns[place]
        key, asked, share = turn.keys[number], turn.asked[number], turn.shares[number]
        r = _Ready(place, number, key, known, asked, turn.now, share, ())
        after[key], told = _alarmed(state, r, step)
        if told is not None:
            said[place].append((number, told))
    state.tests.put_apart(after)
    banked.admit(state, turns)
    spent = side_by_side.spent
    for r, found in zip(betting, steps, strict=True):
        if found is not None and found.spent > 0.0:
            spent.setdefault(r.turn, []).append(found.spent)
    for place, amounts in spent.items():
        now = turns[place].now
        ledger.book(state, now.subject.policy, now.due_ms, math.fsum(amounts))
    return [[one for _, one in sorted(own, key=itemgetter(0))] for own in said]


def _ready(state: State, place: int, turn: Turn, numbers: Sequence[int]) -> Iterator[_Ready]:
    """Tests of a turn, in no bank, that have not looked at its window or a later one."""
    now, start_ms = turn.now, turn.now.window.start_ms
    keys = [turn.keys[number] for number in numbers]
    for number, key, known in zip(numbers, keys, state.tests.get_apart(keys), strict=True):
        asked, share = turn.asked[number], turn.shares[number]
        if known is None:
            yield _Ready(place, number, key, _fresh(asked, now), asked, now, share, ())
        elif known.start_ms >= start_ms:
            continue
        elif known.question == asked.question:
            yield _Ready(place, number, key, known, asked, now, share, ())
        else:
            ended = _ended(key, known, now)
            yield _Ready(place, number, key, _anew(known, asked, now), asked, now, share, ended)


def _fresh(asked: Asked, now: Occasion) -> MonitorState:
    """The memory of a test that has looked at nothing."""
    window = now.window
    return MonitorState(
        asked.question,
        window.policy,
        window.reference,
        window.start_ms,
        part=asked.test.part,
        past=base.begun(asked.test, window.start_ms),
    )


def _anew(known: MonitorState, asked: Asked, now: Occasion) -> MonitorState:
    """The memory of a test that asks another question from now on: only its account goes on."""
    return msgspec.structs.replace(
        _fresh(asked, now),
        spent=known.spent,
        opened=known.opened,
        cost=known.cost,
        paid=known.paid,
    )


def _ended(key: MonitorKey, known: MonitorState, now: Occasion) -> list[Alert]:
    """The end of an alert on a question that is not asked any more."""
    if known.alert is None or known.alert.pending:
        return []
    return [superseded(key, known, known.alert, now)]


def _went_on(r: _Ready, step: Step) -> MonitorState:
    """`_Ready.present` after a bet without an alarm, as most are."""
    known, window = r.known, r.now.window
    return MonitorState(
        known.question,
        window.policy,
        window.reference,
        window.start_ms,
        step.memory,
        r.share,
        known.spent + step.spent,
        known.opened,
        known.cost,
        known.paid,
        known.offered + r.share,
        known.part,
        None,
        known.past,
    )


def _alarmed(state: State, r: _Ready, step: Step) -> tuple[MonitorState, Alert | None]:
    test, now, after = r.asked.test, r.now, _went_on(r, step)
    opened = OpenAlert(
        id=alert_id(test, now.window),
        severity=test.severity.value,
        opened_at_ms=now.due_ms,
        start_ms=now.window.start_ms,
        log_e=step.log_e,
        recovery=[],
        pending=now.subject.policy.alerting.pending,
    )
    if opened.pending:
        return msgspec.structs.replace(after, alert=opened), None
    return _fire(state, r, after, opened)


def _fire(
    state: State, r: _Ready, known: MonitorState, opened: OpenAlert
) -> tuple[MonitorState, Alert]:
    """Say that an alert is open, by what this window shows."""
    test, now = r.asked.test, r.now
    reading = test.read(now.seen)
    lasts = stretch(state, test, now) if isinstance(test, LimitTest) else None
    words = (
        sentences.opened(test.metric, test.feature, now.window, now.end_ms, reading)
        if lasts is None
        else sentences.moved(test.metric, test.feature, now.window, lasts, reading)
    )
    cost = known.spent - known.paid
    said = Said(
        AlertAction.OPENED,
        opened,
        reading,
        opened.log_e,
        known.share,
        known.spent,
        cost,
        words,
        known.policy,
        known.reference,
    )
    shown = msgspec.structs.replace(opened, shown_ms=now.window.start_ms, told=(figures(reading),))
    after = msgspec.structs.replace(
        known, alert=shown, opened=known.opened + 1, cost=cost, paid=known.spent
    )
    return after, alert_of(r.key, now, said)


def _wait(
    state: State, r: _Ready, known: MonitorState, opened: OpenAlert
) -> tuple[MonitorState, Alert | None]:
    """One window of an alert that is pending: a good one ends it, the last one fires it."""
    now = r.now
    reading = r.asked.test.read(now.seen)
    if judge(reading.low, reading.high, reading.level, reading.worse) is Verdict.HEALTHY:
        past = base.anew(known.past, now.window.start_ms)
        return msgspec.structs.replace(known, memory=b"", alert=None, past=past), None
    waited = msgspec.structs.replace(opened, pending=opened.pending - 1)
    if waited.pending:
        return msgspec.structs.replace(known, alert=waited), None
    fired = msgspec.structs.replace(waited, opened_at_ms=now.due_ms)
    return _fire(state, r, known, fired)


def _weighed(ready: Sequence[_Ready]) -> Iterator[tuple[Reading, Recovery | None]]:
    """What windows show of the open alerts among these, and whether it suffices for their end."""
    alerts = [
        Recovering(
            r.asked.test, r.known.memory, opened.recovery, r.now.seen, r.asked.test.read(r.now.seen)
        )
        for r in ready
        if (opened := r.known.alert) is not None and not opened.pending
    ]
    return zip((one.reading for one in alerts), recover_each(alerts), strict=True)


def _recover(
    r: _Ready, known: MonitorState, opened: OpenAlert, reading: Reading, result: Recovery | None
) -> tuple[MonitorState, Alert | Watched | None]:
    test, now = r.asked.test, r.now
    if result is None:
        return known, None
    if result.test_memory is not None:
        known = msgspec.structs.replace(known, memory=result.test_memory)
    if not result.over or _is_bad(reading):
        still = msgspec.structs.replace(opened, recovery=result.memory)
        return msgspec.structs.replace(known, alert=still), _seen(opened, reading, now)
    words = sentences.resolved(test.metric, test.feature, now.window, now.end_ms, reading)
    said = Said(
        AlertAction.RESOLVED,
        opened,
        reading,
        result.log_e,
        0.0,
        known.spent,
        known.spent - known.paid,
        words,
        known.policy,
        known.reference,
    )
    memory, past = result.test_memory or b"", base.anew(known.past, now.window.start_ms)
    after = msgspec.structs.replace(known, memory=memory, alert=None, past=past)
    return after, alert_of(r.key, now, said)


def _seen(opened: OpenAlert, reading: Reading, now: Occasion) -> Watched:
    clear = now.subject.policy.alerting.clear
    level = None if reading.level is None else clear_of(reading.level, clear, worse=reading.worse)
    good = judge(reading.low, reading.high, level, reading.worse) is Verdict.HEALTHY
    return Watched(
        opened.id, now.window.start_ms, now.end_ms, reading, good=good, bad=_is_bad(reading)
    )


def _is_bad(reading: Reading) -> bool:
    """Whether a window by itself is beyond its level: such a one never ends an alert."""
    return judge(reading.low, reading.high, reading.level, reading.worse) is Verdict.DEGRADED

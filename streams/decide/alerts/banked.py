"""Calm tests of many streams, stepped side by side; one that alarms leaves its bank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from detectors.arrays import FloatArray
from streams.decide.alerts.turn import Turn
from streams.decide.bank import ACCOUNT, BankKey, MonitorBank, account_of
from streams.decide.detect import Step
from streams.decide.detect.roster import BankBet, Roster, bet_banks
from streams.decide.memory import MonitorState, Past
from streams.decide.state import State


class Seat(NamedTuple):
    """A bank that is about to look at the window of a turn."""

    turn: int
    key: BankKey
    roster: Roster
    bank: MonitorBank
    shares: FloatArray


class Alarm(NamedTuple):
    """A test of a bank that alarms: its turn, its number in that, what it remembered before the
    window, and its step."""

    turn: int
    number: int
    known: MonitorState
    step: Step


class Stepped(NamedTuple):
    """What tests of banks spent, by turn, and those that alarm, which have left their banks."""

    spent: dict[int, list[float]]
    alarms: list[Alarm]


def seated(state: State, turns: Sequence[Turn]) -> tuple[list[Seat], list[list[int]]]:
    """Banks that are to look at their windows, and for each turn the numbers of all other tests.

    A bank whose tests are not asked all at once is dissolved.
    """
    seats: list[Seat] = []
    apart: list[list[int]] = []
    for place, turn in enumerate(turns):
        window, others = turn.now.window, list(turn.loose)
        for key in state.banks.of(window.stream, turn.part):
            if not _fits(state, key, turn):
                state.tests.dissolve(key)
        for key, roster, shares in _keys(turn):
            bank = state.banks.get(key)
            if bank is None:
                others += roster.numbers
                continue
            others += [roster.numbers[seat] for seat in bank.vacant]
            if bank.start_ms < window.start_ms:
                seats.append(Seat(place, key, roster, bank, shares))
        apart.append(others)
    return seats, apart


def step(state: State, turns: Sequence[Turn], seats: Sequence[Seat]) -> Stepped:
    """Let banks look at their windows; the state is changed."""
    spent: defaultdict[int, list[float]] = defaultdict(list)
    if not seats:
        return Stepped(spent, [])
    steps = bet_banks(
        [
            BankBet(seat.roster, seat.bank.memory, turns[seat.turn].now.seen, seat.shares)
            for seat in seats
        ]
    )
    shares = np.concatenate([seat.shares for seat in seats])
    accounts = account_of(b"".join([seat.bank.accounts for seat in seats])).copy()
    accounts[:, ACCOUNT.share] = shares
    accounts[:, ACCOUNT.spent] += steps.spent
    accounts[:, ACCOUNT.offered] += shares
    stored, width, first = accounts.tobytes(), accounts[0].nbytes, 0
    alarms: list[Alarm] = []
    for seat, memory in zip(seats, steps.memories, strict=True):
        last, roster, known = first + len(seat.roster), seat.roster, seat.bank
        own = stored[first * width : last * width]
        bank = _bank(roster, turns[seat.turn], own, memory, pasts=known.pasts)
        paid = steps.spent[first:last]
        left = set(known.vacant)
        if left:
            paid[list(left)] = 0.0
        spent[seat.turn] += paid.tolist()
        for place, on in enumerate(steps.alarm[first:last]):
            if on and place not in left:
                log_e = float(steps.log_e[first + place])
                found = Step(bank.at(place).memory, True, log_e, float(paid[place]))
                alarms.append(Alarm(seat.turn, roster.numbers[place], known.at(place), found))
                left.add(place)
        state.banks.put(seat.key, bank.without(left) if left else bank)
        first = last
    return Stepped(spent, alarms)


def admit(state: State, turns: Sequence[Turn]) -> None:
    """Let tests that have just looked at their windows, and are calm, stand in their banks."""
    for turn in turns:
        for key, roster, _ in _keys(turn):
            bank = state.banks.get(key)
            if bank is not None and not bank.vacant:
                continue
            bank = bank or _empty(roster, turn)
            known = state.tests.get_apart([turn.keys[roster.numbers[i]] for i in bank.vacant])
            members = {
                place: one
                for place, one in zip(bank.vacant, known, strict=True)
                if one is not None and bank.holds(place, one)
            }
            if members:
                state.tests.admit(key, bank, members)


def _keys(turn: Turn) -> list[tuple[BankKey, Roster, FloatArray]]:
    stream = turn.now.window.stream
    return [
        (BankKey(*stream, turn.part, number), roster, shares)
        for number, (roster, shares) in enumerate(zip(turn.rosters, turn.bank_shares, strict=True))
    ]


def _fits(state: State, key: BankKey, turn: Turn) -> bool:
    """Whether a turn asks just what a bank of its stream is for."""
    bank = state.banks.get(key)
    if bank is None or key.number >= len(turn.rosters):
        return False
    roster = turn.rosters[key.number]
    return bank.widths == roster.widths and bank.asks(roster.names, roster.questions)


def _empty(roster: Roster, turn: Turn) -> MonitorBank:
    """A bank after the window of a turn, with every place vacant."""
    accounts = np.zeros((len(roster), len(ACCOUNT))).tobytes()
    memory = np.zeros(sum(roster.widths)).tobytes()
    return _bank(roster, turn, accounts, memory, vacant=tuple(range(len(roster))))


def _bank(
    roster: Roster,
    turn: Turn,
    accounts: bytes,
    memory: bytes,
    *,
    pasts: tuple[Past | None, ...] = (),
    vacant: tuple[int, ...] = (),
) -> MonitorBank:
    """A bank of a roster's tests after the window of a turn."""
    window = turn.now.window
    return MonitorBank(
        roster.names,
        roster.questions,
        roster.widths,
        window.policy,
        window.reference,
        window.start_ms,
        turn.part,
        accounts,
        memory,
        pasts,
        vacant,
    )

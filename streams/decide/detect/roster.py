"""Tests of a stream that remember as many numbers each time, and are stepped side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from detectors.arrays import FloatArray
from detectors.bets.grid import K
from streams.decide.detect import drift, limit
from streams.decide.detect.contract import Evidence, SequentialTest, name_of
from streams.decide.detect.drift import DriftTest
from streams.decide.detect.gather import Gathered, Many, Steps
from streams.decide.detect.limit import LimitTest
from streams.decide.subject import Subject

MOST = 512
"""Tests of a roster, so that what they remember fits into one record."""

LEAST = 8
"""Tests of a roster: fewer are stepped as fast one by one."""

_NUMBER = 8
"""Bytes of a number."""


class Shape(NamedTuple):
    """Tests of one kind that remember so many numbers."""

    kind: type[SequentialTest]
    width: int


class Section(NamedTuple):
    """Tests of one shape, from one place of a roster to another; their settings, and where what
    they remember begins and ends, in bytes."""

    shape: Shape
    first: int
    last: int
    rows: bytes
    begin: int
    end: int


class Roster:
    """Tests of a stream in the order of a bank: those of one shape one after the other.

    Parameters
    ----------
    subject
        The stream's.
    tests
        Each with its number among all that are asked, and its question; all of them `shape_of` one.
    """

    def __init__(self, subject: Subject, tests: Sequence[tuple[int, SequentialTest, str]]) -> None:
        groups: defaultdict[Shape, list[tuple[int, SequentialTest, str]]] = defaultdict(list)
        for one in tests:
            shape = shape_of(one[1], subject)
            if shape is not None:
                groups[shape].append(one)
        order = [one for own in groups.values() for one in own]
        self.numbers = tuple(number for number, _, _ in order)
        self.names = tuple(name_of(test) for _, test, _ in order)
        self.questions = tuple(question for _, _, question in order)
        self.widths = tuple(shape.width for shape, own in groups.items() for _ in own)
        sections: list[Section] = []
        first = begin = 0
        for shape, own in groups.items():
            last, end = first + len(own), begin + len(own) * shape.width * _NUMBER
            rows = b"".join([_row(test, subject) for _, test, _ in own])
            sections.append(Section(shape, first, last, rows, begin, end))
            first, begin = last, end
        self.sections = tuple(sections)

    def __len__(self) -> int:
        return len(self.names)


class BankBet(NamedTuple):
    """A roster about to look at a window: what its tests remember, and what each may spend."""

    roster: Roster
    memory: bytes
    seen: Evidence
    shares: FloatArray


class BankSteps(NamedTuple):
    """The steps of many rosters, as in `streams.decide.detect.contract.Step`: of each what its
    tests remember, and of all tests, one roster after the other, what they found and spent."""

    memories: list[bytes]
    alarm: list[bool]
    log_e: FloatArray
    spent: FloatArray


def shape_of(test: SequentialTest, subject: Subject) -> Shape | None:
    """The shape of a test that can stand in a roster; None of any other."""
    if isinstance(test, LimitTest):
        fixed = test.level.season is None and test.row(subject) is not None
        return Shape(LimitTest, K) if fixed else None
    if isinstance(test, DriftTest):
        frame = test.frame(subject)
        return None if frame is None or frame.listed else Shape(DriftTest, K + frame.bins)
    return None


def _row(test: SequentialTest, subject: Subject) -> bytes:
    if isinstance(test, LimitTest):
        return test.row(subject) or b""
    frame = test.frame(subject) if isinstance(test, DriftTest) else None
    return b"" if frame is None else frame.row


STEPS: Mapping[type[SequentialTest], Callable[[Many], Steps]] = {
    LimitTest: limit.step_all,
    DriftTest: drift.step_all,
}


def _row_of(shape: Shape) -> np.dtype[np.void]:
    return limit.ROW if shape.kind is LimitTest else drift.row_of(shape.width - K)


def bet_banks(bets: Sequence[BankBet]) -> BankSteps:
    """Bet on the windows of many rosters, each test bit for bit as alone."""
    gathered = Gathered(bet.seen for bet in bets)
    offsets = np.cumsum([0, *(len(bet.roster) for bet in bets)])
    shares = np.concatenate([bet.shares for bet in bets])
    alarm = np.zeros(shares.size, np.bool_)
    log_e, spent = np.zeros(shares.size), np.zeros(shares.size)
    pieces: list[list[bytes]] = [[b""] * len(bet.roster.sections) for bet in bets]
    groups: defaultdict[Shape, list[tuple[int, int, Section]]] = defaultdict(list)
    for place, bet in enumerate(bets):
        for part, section in enumerate(bet.roster.sections):
            groups[section.shape].append((place, part, section))
    for shape, own in groups.items():
        banks = np.array([place for place, _, _ in own])
        sizes = np.array([section.last - section.first for _, _, section in own])
        firsts = offsets[banks] + [section.first for _, _, section in own]
        # Each test's place among all: those of a section follow each other.
        at = np.arange(sizes.sum()) + np.repeat(firsts - np.cumsum(sizes) + sizes, sizes)
        stored = b"".join([bets[place].memory[one.begin : one.end] for place, _, one in own])
        memory = np.frombuffer(stored).reshape(-1, shape.width)
        rows = np.frombuffer(b"".join([section.rows for _, _, section in own]), _row_of(shape))
        many = Many(gathered, np.repeat(banks, sizes), rows, memory, shares[at])
        steps = STEPS[shape.kind](many)
        alarm[at[steps.live]] = steps.alarm
        log_e[at[steps.live]] = steps.log_e
        spent[at[steps.live]] = steps.spent
        if steps.live.size < len(memory):
            memory = memory.copy()
            memory[steps.live] = steps.memory
            stored = memory.tobytes()
        else:
            stored = steps.memory.tobytes()
        begin = 0
        for place, part, section in own:
            end = begin + section.end - section.begin
            pieces[place][part], begin = stored[begin:end], end
    return BankSteps([b"".join(own) for own in pieces], alarm.tolist(), log_e, spent)

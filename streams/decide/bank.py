"""What the calm tests of a stream remember, side by side: one row of the state, not one for each.

The tests of a bank have looked at the same windows and have no alert open. One that alarms leaves
its place vacant, and has a `MonitorState` of its own until its alert is over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple

import msgspec
import numpy as np

from detectors.arrays import FloatArray
from schemas.summaries import Part
from streams.decide.keys import MonitorKey, Name, StreamKey
from streams.decide.memory import MonitorState, Past

_NUMBER = 8
"""Bytes of a number."""


class Account(NamedTuple):
    """Places of what a test has been offered and has spent, see `MonitorState`."""

    share: int = 0
    spent: int = 1
    opened: int = 2
    cost: int = 3
    paid: int = 4
    offered: int = 5


ACCOUNT = Account()


class BankKey(NamedTuple):
    """One bank of a stream: of the tests on one part of its panes, the bank of a number."""

    model: str
    version: str
    arm: str
    segment: str
    part: Part
    number: int

    @property
    def stream(self) -> StreamKey:
        """The stream of the tests."""
        return StreamKey(*self[:4])

    def test(self, name: Name) -> MonitorKey:
        """A test of the stream."""
        return MonitorKey(*self[:4], *name)


class MonitorBank(msgspec.Struct, frozen=True, omit_defaults=True):
    """N sequential tests between two windows.

    Each has a name, a question, and so many numbers to remember (``widths``): these stand in
    ``memory`` one after the other. ``accounts`` holds the numbers of `Account` for each; ``pasts``
    is empty where no test has one. Zeros stand at places that are ``vacant``. All else is as in
    `MonitorState`.
    """

    names: tuple[Name, ...]
    questions: tuple[str, ...]
    widths: tuple[int, ...]
    policy: str
    reference: str
    start_ms: int
    part: Part
    accounts: bytes
    memory: bytes
    pasts: tuple[Past | None, ...] = ()
    vacant: tuple[int, ...] = ()

    def asks(self, names: tuple[Name, ...], questions: tuple[str, ...]) -> bool:
        """Whether its places are for these tests."""
        return (self.names is names or self.names == names) and (
            self.questions is questions or self.questions == questions
        )

    def place(self, name: Name) -> int | None:
        """Where a test stands; None if it does not."""
        if name not in self.names:
            return None
        place = self.names.index(name)
        return None if place in self.vacant else place

    def members(self) -> Iterator[tuple[Name, MonitorState]]:
        """Every test, and what it remembers."""
        accounts = account_of(self.accounts).tolist()
        starts = accumulate(self.widths, initial=0)
        for place, (name, start) in enumerate(zip(self.names, starts, strict=False)):
            if not self.vacant or place not in self.vacant:
                yield name, self._state(place, start, accounts[place])

    def at(self, place: int) -> MonitorState:
        """What the test at a place remembers."""
        start = sum(self.widths[:place])
        return self._state(place, start, account_of(self.accounts)[place].tolist())

    def with_members(self, members: Mapping[int, MonitorState]) -> MonitorBank:
        """The bank with tests at their places, which it `holds`."""
        pasts = list(self.pasts or (None,) * len(self.names))
        accounts, memory = account_of(self.accounts).copy(), bytearray(self.memory)
        for place, known in members.items():
            accounts[place] = (
                known.share,
                known.spent,
                known.opened,
                known.cost,
                known.paid,
                known.offered,
            )
            start, width = sum(self.widths[:place]) * _NUMBER, self.widths[place] * _NUMBER
            memory[start : start + width] = known.memory or bytes(width)
            pasts[place] = known.past
        return msgspec.structs.replace(
            self,
            accounts=accounts.tobytes(),
            memory=bytes(memory),
            pasts=tuple(pasts) if any(pasts) else (),
            vacant=tuple(place for place in self.vacant if place not in members),
        )

    def without(self, places: Collection[int]) -> MonitorBank:
        """The bank with places made vacant."""
        nobody = MonitorState("", "", "", 0)
        cleared = self.with_members(dict.fromkeys(places, nobody))
        return msgspec.structs.replace(cleared, vacant=tuple(sorted({*self.vacant, *places})))

    def holds(self, place: int, known: MonitorState) -> bool:
        """Whether what a test remembers can stand at its place."""
        asked = (known.question, known.policy, known.reference, known.start_ms, known.part)
        return (
            known.alert is None
            and len(known.memory) == self.widths[place] * _NUMBER
            and asked
            == (self.questions[place], self.policy, self.reference, self.start_ms, self.part)
        )

    def _state(self, place: int, start: int, account: list[float]) -> MonitorState:
        share, spent, opened, cost, paid, offered = account
        stop = start + self.widths[place]
        return MonitorState(
            self.questions[place],
            self.policy,
            self.reference,
            self.start_ms,
            self.memory[start * _NUMBER : stop * _NUMBER],
            share,
            spent,
            int(opened),
            cost,
            paid,
            offered,
            self.part,
            None,
            self.pasts[place] if self.pasts else None,
        )


def account_of(accounts: bytes) -> FloatArray:
    """The accounts of N tests, shape (N, 6); not to be written to."""
    return np.frombuffer(accounts).reshape(-1, len(ACCOUNT))

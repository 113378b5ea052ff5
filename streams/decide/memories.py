"""The memories of all tests: of calm ones in banks, of any other in a row of its own."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from schemas.summaries import Part
from streams.decide.bank import BankKey, MonitorBank
from streams.decide.keys import MonitorKey, StreamKey, Version
from streams.decide.memory import MonitorState
from streams.decide.table import Table


class Banks(Table[BankKey, MonitorBank]):
    """Banks of tests; knows which a stream has."""

    def __init__(self) -> None:
        super().__init__("bank", BankKey, MonitorBank)
        self._of: dict[StreamKey, list[BankKey]] = {}

    def put(self, key: BankKey, value: MonitorBank) -> None:
        """Set a bank."""
        if key not in self._rows:
            self._note(key)
        super().put(key, value)

    def drop(self, key: BankKey) -> None:
        """Forget a bank."""
        if key in self._rows:
            stream = key.stream
            self._of[stream].remove(key)
            if not self._of[stream]:
                del self._of[stream]
        super().drop(key)

    def load(self, key: str, value: bytes) -> BankKey:
        """Take back one row of `changed`."""
        name = super().load(key, value)
        self._note(name)
        return name

    def of(self, stream: StreamKey, part: Part | None = None) -> list[BankKey]:
        """The banks of a stream, in order; those on one part of its panes, if one is given."""
        return [key for key in self._of.get(stream, ()) if part is None or key.part == part]

    def _note(self, key: BankKey) -> None:
        insort(self._of.setdefault(key.stream, []), key)


class Tests(Table[MonitorKey, MonitorState]):
    """The memories of tests; knows which of them have an alert open.

    Parameters
    ----------
    banks
        Where tests are that have no row.
    """

    def __init__(self, banks: Banks) -> None:
        super().__init__("test", MonitorKey, MonitorState)
        self._banks = banks
        self._open: defaultdict[Version, set[MonitorKey]] = defaultdict(set)

    def get(self, key: MonitorKey, part: Part | None = None) -> MonitorState | None:
        """What a test remembers, None where it has looked at nothing; ``part`` is that which it
        looks at, where that is known."""
        known = super().get(key)
        if known is not None:
            return known
        found = self._banked(key, part)
        return None if found is None else found[1].at(found[2])

    def get_apart(self, keys: Iterable[MonitorKey]) -> list[MonitorState | None]:
        """The same of many tests that are in no bank."""
        return list(map(self._rows.get, keys))

    def put(self, key: MonitorKey, value: MonitorState) -> None:
        """Set what a test remembers: in its bank if it may stay there."""
        self.put_all({key: value})

    def put_all(self, rows: Mapping[MonitorKey, MonitorState]) -> None:
        """Set what tests remember, likewise."""
        stay: defaultdict[BankKey, dict[int, MonitorState]] = defaultdict(dict)
        apart: dict[MonitorKey, MonitorState] = {}
        for key, value in rows.items():
            found = self._banked(key, value.part)
            if found is None:
                apart[key] = value
                continue
            name, bank, place = found
            if bank.holds(place, value):
                stay[name][place] = value
            else:
                self._banks.put(name, bank.without([place]))
                apart[key] = value
        for name, members in stay.items():
            if kept := self._banks.get(name):
                self._banks.put(name, kept.with_members(members))
        self.put_apart(apart)

    def put_apart(self, rows: Mapping[MonitorKey, MonitorState]) -> None:
        """Set what tests remember that are in no bank."""
        super().put_all(rows)
        for key, value in rows.items():
            if self._open or value.alert is not None:
                self._note(key, value)

    def drop(self, key: MonitorKey) -> None:
        """Forget a test."""
        found = self._banked(key)
        if found is None:
            super().drop(key)
            return
        name, bank, place = found
        left = bank.without([place])
        if len(left.vacant) == len(left.names):
            self._banks.drop(name)
        else:
            self._banks.put(name, left)

    def admit(self, name: BankKey, bank: MonitorBank, members: Mapping[int, MonitorState]) -> None:
        """Let tests that have rows stand at their places in a bank."""
        for place in members:
            super().drop(name.test(bank.names[place]))
        self._banks.put(name, bank.with_members(members))

    def dissolve(self, name: BankKey) -> None:
        """Give each test of a bank a row of its own."""
        bank = self._banks.get(name)
        if bank is not None:
            self._banks.drop(name)
            super().put_all({name.test(x): known for x, known in bank.members()})

    def items(self) -> Iterator[tuple[MonitorKey, MonitorState]]:
        """Every test, and what it remembers; the table may be changed meanwhile."""
        yield from super().items()
        for name, bank in self._banks.items():
            for test, known in bank.members():
                yield name.test(test), known

    def __iter__(self) -> Iterator[MonitorKey]:
        """Every test; the table may be changed meanwhile."""
        return iter([key for key, _ in self.items()])

    def __len__(self) -> int:
        held = sum(len(bank.names) - len(bank.vacant) for _, bank in self._banks.items())
        return super().__len__() + held

    def load(self, key: str, value: bytes) -> MonitorKey:
        """Take back one row of `changed`."""
        name = super().load(key, value)
        self._note(name, self._rows[name])
        return name

    def open_in(self, version: Version) -> list[MonitorKey]:
        """Tests of a version with an open alert, of any segment, in order."""
        return sorted(self._open.get(version, ()))

    def is_open(self, version: Version) -> bool:
        """Whether any test of a version has an open alert."""
        return version in self._open

    def open(self) -> list[MonitorKey]:
        """Every test with an open alert, in order."""
        return sorted(key for served in self._open.values() for key in served)

    def _banked(
        self, key: MonitorKey, part: Part | None = None
    ) -> tuple[BankKey, MonitorBank, int] | None:
        """The bank and the place of a test that has no row."""
        if key in self._rows:
            return None
        for name in self._banks.of(key.stream, part):
            bank = self._banks.get(name)
            place = None if bank is None else bank.place(key.name)
            if bank is not None and place is not None:
                return name, bank, place
        return None

    def _note(self, key: MonitorKey, value: MonitorState) -> None:
        if value.alert is not None:
            self._open[key.model, key.version, key.arm].add(key)
        elif self._open:
            served = (key.model, key.version, key.arm)
            self._open[served].discard(key)
            if not self._open[served]:
                del self._open[served]

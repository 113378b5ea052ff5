"""Pending predictions: where each is, and what is known of it, committed or not.

The base has pages. A row that changes is not written again in its place: it comes once more, to
a page of changed rows, with the address of the row that it replaces, so that a label at random
writes as little as a prediction. A hash index in memory says where the newest is, so that a name
that is new costs no reading. What has come since the last checkpoint is held here until it is
taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from detectors.summary import Ints
from streams.ingest.columns.ragged import Octets
from streams.ingest.decode.rows import Bools
from streams.ingest.store.changes import Piece
from streams.ingest.store.found import Found, by_width
from streams.ingest.store.hash_index import HashIndex, Slots, addresses_of, collisions
from streams.ingest.store.keys import HOUR_MS
from streams.ingest.store.names import Names, Search
from streams.ingest.store.page_table import PageTable
from streams.ingest.store.pages import ROW_BITS, ROWS, Pages, Rows, append, pack, unlabelled
from streams.ingest.store.tables import LAST, Base, Table, hour_key, read_page_keys

_READ = 1 << 10
"""Rows that are read together: their pages take memory that is there for the next, and stay in the
processor's cache."""

_LOADED = 1 << 12
"""Pages whose hashes are put in order together when a shard starts."""


class _Kind(NamedTuple):
    """Rows that may share a page; ``short`` are those that are all `unlabelled`."""

    hour: int
    width: int
    short: bool
    replacing: bool


class PendingRows:
    """The pending predictions of a shard.

    Parameters
    ----------
    base
        What has been committed.
    hash_mask
        As `HashIndex` has it.
    """

    def __init__(self, base: Base, *, hash_mask: int) -> None:
        self._base = base
        self._index = HashIndex(hash_mask=hash_mask)
        self._age = 0
        self._table = PageTable()
        self._pages: dict[int, bytes] = {}
        self._open: dict[_Kind, int] = {}
        self._pieces: list[Piece] = []
        self._dropped = 0
        self._load()

    def __len__(self) -> int:
        return sum(self._table.rows_by_hour.values())

    @property
    def nbytes(self) -> int:
        """Bytes of what is held in memory for rows that are committed."""
        return self._index.nbytes + self._table.nbytes

    def find(self, names: Names) -> Found:
        """The pending predictions of names."""
        # Before the search, whose end is where a new name goes: a later rebuild would move that.
        self._make_room(len(names))
        names.search, found = self._look(names)
        return found

    def insert(self, names: Names, records: Octets | Sequence[bytes], until_ms: Ints) -> None:
        """Add predictions under names that are distinct, and not there or lapsed.

        ``records`` are packed predictions, ``until_ms`` says when each lapses, shape (n,): later
        than one of its name that has lapsed did.
        """
        self._add_each(names, records, until_ms, replacing=False)

    def update(self, names: Names, records: Octets | Sequence[bytes], until_ms: Ints) -> None:
        """Let predictions that are there, under names that are distinct, have other records.

        ``until_ms`` says when each lapses, as before, shape (n,).
        """
        self._add_each(names, records, until_ms, replacing=True)

    def drop(self, before: int) -> int:
        """Let go of what lapses in hours before one; the number of rows."""
        dropped = self._table.drop(before)
        if dropped:
            self._dropped = before
            self._open = {kind: page for kind, page in self._open.items() if kind.hour >= before}
            self._pieces = [piece for piece in self._pieces if piece.key >= hour_key(before)]
            every = np.fromiter(self._pages, np.int64, len(self._pages))
            for gone in every[~self._table.alive(every << ROW_BITS)].tolist():
                del self._pages[gone]
        return dropped

    def take(self) -> tuple[int, list[Piece]]:
        """Since the last call: the hour before which all is gone, and rows."""
        taken = self._dropped, self._pieces
        self._dropped, self._pieces = 0, []
        self._pages.clear()
        return taken

    def _look(self, names: Names) -> tuple[Search, Found]:
        hashes = names.hashes
        hits = np.zeros(len(names), np.bool_)
        ends = np.zeros(len(names), np.int64)
        left, places = np.arange(len(names)), self._index.homes(hashes)
        parts: list[Found] = []
        while left.size:
            addresses, places = self._index.candidates(hashes[left], places)
            ends[left] = places
            maybe = np.flatnonzero(addresses)
            if not maybe.size:
                break
            left, places = left[maybe], places[maybe]
            same, found = self._read(names.take(left), addresses[maybe], left)
            hits[left[same]] = True
            parts += found
            left, places = left[~same], places[~same] + 1
        return Search(self._age, ends, hits), Found.together(parts)

    def _add_each(
        self, names: Names, records: Octets | Sequence[bytes], until_ms: Ints, *, replacing: bool
    ) -> None:
        """Add rows, those with records of one length together."""
        for rows, table in by_width(records):
            if len(rows) == len(names):
                self._add(names, table, until_ms, replacing=replacing)
            else:
                self._add(names.take(rows), table, until_ms[rows], replacing=replacing)

    def _add(self, names: Names, records: Octets, until_ms: Ints, *, replacing: bool) -> None:
        self._make_room(len(names))
        search = names.search
        if search is None or search.age != self._age:
            search = self._look(names)[0]
        until_ms, short = np.maximum(until_ms, 0), unlabelled(records)
        hours = until_ms // HOUR_MS
        rows = Rows(names, records, until_ms - hours * HOUR_MS)
        replaced = self._index.at(search.ends).astype("<u4") if replacing else None
        addresses = np.empty(len(names), np.int64)
        for each in (False, True):
            places = np.flatnonzero(short == each)
            if not places.size:
                continue
            moved = np.any(np.diff(hours[places]) < 0)
            if moved:
                places = places[np.argsort(hours[places], kind="stable")]
            addresses[places] = self._pack(
                rows if len(places) == len(rows) and not moved else rows.take(places),
                hours[places],
                b"" if replaced is None else replaced[places].tobytes(),
                short=each,
            )
        again, new = np.flatnonzero(search.hits), np.flatnonzero(~search.hits)
        hashes, ends = names.hashes, search.ends
        self._index.replace(hashes[again], addresses[again], ends[again])
        self._index.insert(hashes[new], addresses[new], ends[new])

    def _pack(self, rows: Rows, hours: Ints, replaced: bytes, *, short: bool) -> Ints:
        """Put rows, in order of hours, into pages; their addresses."""
        starts = np.flatnonzero(np.diff(hours, prepend=-1))
        counts = np.diff(starts, append=len(hours))
        cut = [
            page
            for hour, count in zip(hours[starts].tolist(), counts.tolist(), strict=True)
            for page in self._cut(_Kind(hour, rows.records.shape[1], short, bool(replaced)), count)
        ]
        numbers, firsts, sizes = np.array(cut, np.int64).T
        hashes = rows.names.hashes.astype("<u8", copy=False).tobytes()
        start = 0
        for (page, first, size), key, packed in zip(
            cut, self._table.keys(numbers), pack(rows, sizes, short=short), strict=True
        ):
            stop = start + size
            hashed, gone = hashes[8 * start : 8 * stop], replaced[4 * start : 4 * stop]
            self._pieces.append(Piece(key, first, packed, hashed, gone))
            self._pages[page] = append(self._page(page), packed, first=first) if first else packed
            start = stop
        self._table.grow(numbers, sizes)
        befores = np.cumsum(sizes) - sizes
        steps = np.arange(len(rows)) + np.repeat(firsts - befores, sizes)
        addresses: Ints = np.repeat(numbers << ROW_BITS, sizes) + steps
        return addresses

    def _cut(self, kind: _Kind, count: int) -> Iterator[tuple[int, int, int]]:
        """Pages for rows of a kind: the number of each, its rows by now, and those to come."""
        number = self._open.pop(kind, None)
        first = 0 if number is None else self._table.size(number)
        self._table.expect(kind.hour, 0 if kind.replacing else count)
        lacking = -(-(first + count) // ROWS) - (number is not None)
        fresh = self._table.add(kind.hour, lacking).tolist() if lacking else []
        for page in fresh if number is None else (number, *fresh):
            size = min(ROWS - first, count)
            yield page, first, size
            if first + size < ROWS:
                self._open[kind] = page
            first, count = 0, count - size

    def _make_room(self, coming: int) -> None:
        """The index forgets what has lapsed when it, or the numbers of pages, run out."""
        if self._index.full(coming) or self._table.exhausted(coming):
            self._index.rebuild(coming, self._table.alive)
            self._table.recycle()
            self._age += 1

    def _read(self, names: Names, addresses: Ints, rows: Ints) -> tuple[Bools, list[Found]]:
        """Which of the addresses have their names, and what is found there."""
        if len(rows) <= _READ:
            same, found = self._read_some(names, addresses, rows)
            return same, [found]
        same, parts = np.zeros(len(rows), np.bool_), []
        order = np.argsort(addresses)
        for start in range(0, len(rows), _READ):
            some = order[start : start + _READ]
            same[some], found = self._read_some(names.take(some), addresses[some], rows[some])
            parts.append(found)
        return same, parts

    def _read_some(self, names: Names, addresses: Ints, rows: Ints) -> tuple[Bools, Found]:
        same = self._table.alive(addresses)
        alive = np.flatnonzero(same)
        numbers, which = np.unique(addresses[alive] >> ROW_BITS, return_inverse=True)
        pages = Pages(self._values(numbers))
        places = addresses[alive] & (ROWS - 1)
        equal = names.take(alive).equal(pages.data, *pages.names(which, places))
        same[alive] = equal
        which, places = which[equal], places[equal]
        until_ms = self._table.hours(numbers)[which] * HOUR_MS + pages.until(which, places)
        return same, Found(rows[same], until_ms, list(pages.records(which, places)))

    def _values(self, numbers: Ints) -> list[bytes]:
        held = [self._pages.get(number) for number in numbers.tolist()]
        lacking = [place for place, value in enumerate(held) if value is None]
        if lacking:
            wanted = self._table.keys(numbers[lacking])
            for place, value in zip(lacking, self._base.get_many(wanted, Table.PAGES), strict=True):
                held[place] = value
        values = [value for value in held if value is not None]
        if len(values) < len(held):
            raise LookupError("the join store lacks pages that its hashes name: restore its disk")
        return values

    def _page(self, number: int) -> bytes:
        return self._values(np.array([number]))[0]

    def _load(self) -> None:
        """Take over what the base has."""
        replacing, gone = self._replaced()
        slots: list[Slots] = [np.zeros(0, np.uint64)]
        nothing = np.zeros(0, np.int64)
        places: list[tuple[Ints, Ints, Ints]] = [(nothing, nothing, nothing)]
        hashed = self._base.scan(b"", LAST, Table.HASHES)
        while some := list(islice(hashed, _LOADED)):
            hours, numbers = read_page_keys([key for key, _ in some])
            joined = np.frombuffer(b"".join([value for _, value in some]), "<u8")
            rows = np.fromiter((len(value) // 8 for _, value in some), np.int64, len(some))
            starts = np.repeat((numbers << ROW_BITS) - np.cumsum(rows) + rows, rows)
            addresses = starts + np.arange(len(joined))
            newest = ~gone.take(addresses, mode="clip")
            slots.append(self._index.slots(joined[newest], addresses[newest]))
            places.append((hours, numbers, rows))
        del gone
        hours, numbers, rows = map(np.concatenate, zip(*places, strict=True))
        self._table.load(hours, numbers, rows, np.isin(numbers, replacing))
        every = np.concatenate(slots)
        slots.clear()
        every.sort()
        older = self._older(every)
        self._index.load(np.delete(every, older) if older else every)

    def _replaced(self) -> tuple[Ints, Bools]:
        """Which pages have rows that replace others, and which addresses are those of such others;
        the last is of none."""
        numbers, gone = [np.zeros(0, np.int64)], np.zeros(1, np.bool_)
        found = self._base.scan(b"", LAST, Table.REPLACED)
        while some := list(islice(found, _LOADED)):
            numbers.append(read_page_keys([key for key, _ in some])[1])
            addresses = np.frombuffer(b"".join([value for _, value in some]), "<u4")
            lacking = int(addresses.max()) + 2 - len(gone)
            if lacking > 0:
                gone = np.concatenate((gone, np.zeros(lacking + len(gone), np.bool_)))
            gone[addresses] = True
        return np.concatenate(numbers), gone

    def _older(self, slots: Slots) -> list[int]:
        """Which slots are of rows whose names came again after they had lapsed.

        Of rows of one name the one that lapses last is the newest.
        """
        alike = collisions(slots)
        addresses = addresses_of(slots[alike])
        numbers, which = np.unique(addresses >> ROW_BITS, return_inverse=True)
        pages = Pages(self._values(numbers))
        rows = addresses & (ROWS - 1)
        until_ms = self._table.hours(numbers)[which] * HOUR_MS + pages.until(which, rows)
        names = Names(pages.data, *pages.names(which, rows))
        newest: dict[bytes, int] = {}
        for row in np.argsort(until_ms, kind="stable").tolist():
            newest[names[row]] = row
        kept = set(newest.values())
        return [place for row, place in enumerate(alike.tolist()) if row not in kept]

"""Pending predictions: where each is, and what is known of it, committed or not.

The base has pages, and label groups for rows that have changed since. A hash index in memory
says where each row is, so that a name that is new costs no reading. What has come since the last
checkpoint is held here until it is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from detectors.summary import Ints
from streams.ingest.columns.ragged import Octets
from streams.ingest.decode.rows import Bools
from streams.ingest.store.changes import Piece
from streams.ingest.store.found import Found, by_width, split
from streams.ingest.store.hash_index import HashIndex, Slots, addresses_of, collisions
from streams.ingest.store.keys import HOUR_MS
from streams.ingest.store.label_groups import SLOT_BITS, SLOTS, LabelGroups, merge
from streams.ingest.store.names import Names, Search
from streams.ingest.store.page_table import PageTable
from streams.ingest.store.pages import ROW_BITS, ROWS, Pages, Rows, append, pack, unlabelled
from streams.ingest.store.tables import LAST, Base, Table, hour_key, read_page_keys

_LOADED = 1 << 12
"""Pages whose hashes are put in order together when a shard starts."""


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
        self._open: dict[tuple[int, int, bool], int] = {}
        self._pieces: list[Piece] = []
        self._records: dict[int, bytes] = {}
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
        names.search, found = self._look(names)
        return found

    def insert(self, names: Names, records: Octets | Sequence[bytes], until_ms: Ints) -> None:
        """Add predictions under names that are distinct, and not there or lapsed.

        ``records`` are packed predictions, ``until_ms`` says when each lapses, shape (n,).
        """
        for rows, table in by_width(records):
            self._insert(names.take(rows), table, np.maximum(until_ms[rows], 0))

    def update(self, addresses: Ints, records: Octets | Sequence[bytes]) -> None:
        """Let predictions that were found have other records, of the same length as before."""
        each = records if isinstance(records, list) else split(np.asarray(records))
        self._records.update(zip(addresses.tolist(), each, strict=True))

    def drop(self, before: int) -> int:
        """Let go of what lapses in hours before one; the number of rows."""
        dropped = self._table.drop(before)
        if dropped:
            self._dropped = before
            self._open = {kind: number for kind, number in self._open.items() if kind[0] >= before}
            self._pieces = [piece for piece in self._pieces if piece.key >= hour_key(before)]
            for held, bits in ((self._pages, ROW_BITS), (self._records, 0)):
                every = np.fromiter(held, np.int64, len(held))
                for gone in every[~self._table.alive(every << bits)].tolist():
                    del held[gone]
        return dropped

    def take(self) -> tuple[int, list[Piece], list[tuple[bytes, bytes]]]:
        """Since the last call: the hour before which all is gone, new rows, label groups."""
        taken = self._dropped, self._pieces, list(self._merged())
        self._dropped, self._pieces = 0, []
        self._pages.clear()
        self._records.clear()
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
            same, part = self._read(names.take(left), addresses[maybe], left)
            hits[left[same]] = True
            parts.append(part)
            left, places = left[~same], places[~same] + 1
        return Search(self._age, ends, hits), Found.together(parts)

    def _insert(self, names: Names, records: Octets, until_ms: Ints) -> None:
        self._make_room(len(names))
        search = names.search
        if search is None or search.age != self._age:
            search = self._look(names)[0]
        hours, short = until_ms // HOUR_MS, unlabelled(records)
        rows = Rows(names, records, until_ms - hours * HOUR_MS)
        kinds = hours * 2 + short
        addresses = np.empty(len(names), np.int64)
        for kind in np.unique(kinds).tolist():
            places = np.flatnonzero(kinds == kind)
            some = rows if len(places) == len(rows) else rows.take(places)
            addresses[places] = self._pack(some, kind // 2, short=bool(kind % 2))
        again, new = np.flatnonzero(search.hits), np.flatnonzero(~search.hits)
        hashes, ends = names.hashes, search.ends
        self._index.replace(hashes[again], addresses[again], ends[again])
        self._index.insert(hashes[new], addresses[new], ends[new])

    def _pack(self, rows: Rows, hour: int, *, short: bool) -> Ints:
        """Put rows of one kind into pages; their addresses."""
        kind = hour, rows.records.shape[1], short
        n, number = len(rows), self._open.get(kind)
        first = 0 if number is None else self._table.size(number)
        count = -(-(first + n) // ROWS)
        fresh = self._table.add(hour, count - (number is not None))
        numbers = fresh if number is None else np.concatenate(([number], fresh))
        places = np.arange(first, first + n)
        sizes = np.bincount(places // ROWS, minlength=count)
        hashes = rows.names.hashes.astype("<u8").tobytes()
        start = 0
        for page, key, size, packed in zip(
            numbers.tolist(),
            self._table.keys(numbers),
            sizes.tolist(),
            pack(rows, sizes, short=short),
            strict=True,
        ):
            begun, first = first, 0
            self._pieces.append(Piece(key, begun, packed, hashes[8 * start : 8 * (start + size)]))
            self._pages[page] = append(self._page(page), packed, first=begun) if begun else packed
            start += size
        self._table.grow(numbers, sizes)
        if (int(places[-1]) + 1) % ROWS:
            self._open[kind] = int(numbers[-1])
        else:
            self._open.pop(kind, None)
        return (numbers[places // ROWS] << ROW_BITS) + places % ROWS

    def _make_room(self, coming: int) -> None:
        """The index forgets what has lapsed when it, or the numbers of pages, run out."""
        if self._index.full(coming) or self._table.exhausted(coming):
            self._index.rebuild(coming, self._table.alive)
            self._table.recycle()
            self._age += 1

    def _read(self, names: Names, addresses: Ints, rows: Ints) -> tuple[Bools, Found]:
        """Which of the addresses have their names, and what is found there."""
        same = self._table.alive(addresses)
        alive = np.flatnonzero(same)
        numbers, which = np.unique(addresses[alive] >> ROW_BITS, return_inverse=True)
        pages = Pages(self._values(numbers))
        places = addresses[alive] & (ROWS - 1)
        equal = names.take(alive).equal(pages.data, *pages.names(which, places))
        same[alive] = equal
        which, places, found = which[equal], places[equal], addresses[same]
        until_ms = self._table.hours(numbers)[which] * HOUR_MS + pages.until(which, places)
        groups = [
            (each, self._newest(found[each], records))
            for each, records in pages.records(which, places)
        ]
        return same, Found(rows[same], found, until_ms, groups)

    def _newest(self, addresses: Ints, records: Octets) -> Octets:
        """Records of rows as they were packed, with what has changed since put in."""
        groups = addresses >> SLOT_BITS
        maybe = np.flatnonzero(self._table.labelled(groups))
        if maybe.size:
            distinct, which = np.unique(groups[maybe], return_inverse=True)
            known = LabelGroups(self._base.get_many(self._table.group_keys(distinct), Table.LABELS))
            slots = addresses[maybe] & (SLOTS - 1)
            there = np.flatnonzero(known.masks[which] >> slots & 1)
            if there.size:
                records[maybe[there]] = known.records(which[there], slots[there])
        if self._records:
            newer = [self._records.get(address) for address in addresses.tolist()]
            changed = [row for row, record in enumerate(newer) if record is not None]
            if changed:
                joined = b"".join([record for record in newer if record is not None])
                records[changed] = np.frombuffer(joined, np.uint8).reshape(len(changed), -1)
        return records

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

    def _merged(self) -> Iterator[tuple[bytes, bytes]]:
        """Label groups with the records that have changed since the last checkpoint."""
        every = np.fromiter(self._records, np.int64, len(self._records))
        for rows, records in by_width(list(self._records.values())):
            groups, which = np.unique(every[rows] >> SLOT_BITS, return_inverse=True)
            keys = self._table.group_keys(groups)
            old: list[bytes | None] = [None] * len(keys)
            known = np.flatnonzero(self._table.labelled(groups)).tolist()
            asked = self._base.get_many([keys[i] for i in known], Table.LABELS)
            for place, value in zip(known, asked, strict=True):
                old[place] = value
            self._table.label(groups)
            yield from zip(keys, merge(old, which, every[rows] & (SLOTS - 1), records), strict=True)

    def _load(self) -> None:
        """Take over what the base has."""
        slots: list[Slots] = [np.zeros(0, np.uint64)]
        nothing = np.zeros(0, np.int64)
        places: list[tuple[Ints, Ints, Ints]] = [(nothing, nothing, nothing)]
        hashed = self._base.scan(b"", LAST, Table.HASHES)
        while some := list(islice(hashed, _LOADED)):
            hours, numbers = read_page_keys([key for key, _ in some])
            joined = np.frombuffer(b"".join([value for _, value in some]), "<u8")
            rows = np.fromiter((len(value) // 8 for _, value in some), np.int64, len(some))
            starts = np.repeat((numbers << ROW_BITS) - np.cumsum(rows) + rows, rows)
            slots.append(self._index.slots(joined, starts + np.arange(len(joined))))
            places.append((hours, numbers, rows))
        self._table.load(*map(np.concatenate, zip(*places, strict=True)))
        every = np.concatenate(slots)
        slots.clear()
        every.sort()
        older = self._older(every)
        self._index.load(np.delete(every, older) if older else every)

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

"""The join store's predictions are those of a dict, however hashes collide and pages fill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from shards import HOUR, DictBase

from schemas.errors import ConfigurationError
from streams.ingest.join.label_state import LabelState
from streams.ingest.store import hash_index, page_table, pending_rows
from streams.ingest.store.found import Found
from streams.ingest.store.keys import name
from streams.ingest.store.names import Names
from streams.ingest.store.overlay import Overlay
from streams.ingest.store.pages import ROWS
from streams.ingest.store.pending import Pending
from streams.ingest.store.tables import Table

WHO = [(model, f"{'x' * (i % 5)}{i}") for model in ("m", "mm") for i in range(120)]
MASKS = {"all bits": (1 << 64) - 1, "eight": 0xFF << 56, "four": 0xF << 60, "none": 0}
"""How many bits of a hash count."""


@pytest.fixture(autouse=True, scope="module")
def small_tables() -> Iterator[None]:
    """Indexes that begin small are rebuilt often, and rows are read a few at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hash_index, "LEAST", 64)
        patch.setattr(pending_rows, "_READ", 50)
        yield


some = st.lists(st.sampled_from(WHO), min_size=1, max_size=2 * ROWS, unique=True)


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """Packed predictions of several tasks, with a label or without, and nothing at all."""
    pending = Pending(draw(st.booleans()), 1, 2, bytes(draw(st.sampled_from((0, 1, 10, 70)))))
    if draw(st.booleans()):
        pending.final = LabelState(1.0, 5)
    return draw(st.sampled_from((pending.pack(), b"")))


class Store(RuleBasedStateMachine):
    """What the store finds, and what a dict has: record and lapse by name."""

    mask = MASKS["all bits"]

    def __init__(self) -> None:
        super().__init__()
        self.base = DictBase()
        self.overlay = Overlay(self.base, hash_mask=self.mask)
        self.known: dict[bytes, tuple[bytes, int]] = {}
        self.watermark_ms = 0

    @rule(who=some, record=records(), later=st.lists(st.integers(0, 4 * HOUR), min_size=1))
    def insert(self, who: list[tuple[str, str]], record: bytes, later: list[int]) -> None:
        """Names that are new, and names of which the prediction has lapsed."""
        names = names_of(who)
        found = self.overlay.find(names)
        alive = found.rows[found.until_ms >= self.watermark_ms]
        rows = np.setdiff1d(np.arange(len(names)), alive)
        until = [self.watermark_ms + later[i % len(later)] for i in range(len(rows))]
        table = np.frombuffer(record * len(rows), np.uint8).reshape(len(rows), len(record))
        self.overlay.insert(names.take(rows), table, np.array(until, np.int64))
        for row, until_ms in zip(rows.tolist(), until, strict=True):
            self.known[names[row]] = record, until_ms

    @rule(who=some, fill=st.integers(0, 255))
    def update(self, who: list[tuple[str, str]], fill: int) -> None:
        """Other records of the same length."""
        names = names_of(who)
        found = self.overlay.find(names)
        changed = [bytes([fill]) * len(record) for record in found.records()]
        self.overlay.update(names.take(found.rows), changed, found.until_ms)
        for row, record in zip(found.rows.tolist(), changed, strict=True):
            self.known[names[row]] = record, self.known[names[row]][1]

    @rule(ms=st.integers(0, 2 * HOUR))
    def pass_time(self, ms: int) -> None:
        self.watermark_ms += ms

    @rule()
    def drop(self) -> None:
        """Whole hours go; rows that have been replaced are still among those counted."""
        hour = self.watermark_ms // HOUR
        gone = [name for name, (_, until_ms) in self.known.items() if until_ms // HOUR < hour]
        assert self.overlay.drop(self.watermark_ms) >= len(gone)
        for name_ in gone:
            del self.known[name_]

    @rule(restart=st.booleans())
    def checkpoint(self, restart: bool) -> None:
        self.base.write(self.overlay.take())
        if restart:
            self.overlay = Overlay(self.base, hash_mask=self.mask)

    @precondition(lambda self: self.known)
    @invariant()
    def finds_what_is_there(self) -> None:
        """And nothing else; names may be asked for twice."""
        names = names_of([*WHO, *WHO[::3]])
        assert by_name(names, self.overlay.find(names)) == self.known


def names_of(who: Sequence[tuple[str, str]]) -> Names:
    return Names.of_bytes([name(*each) for each in who])


def by_name(names: Names, found: Found) -> dict[bytes, tuple[bytes, int]]:
    every = zip(found.rows.tolist(), found.records(), found.until_ms.tolist(), strict=True)
    return {names[row]: (record, until_ms) for row, record, until_ms in every}


@pytest.mark.parametrize("mask", MASKS)
def test_it_is_a_dict(mask: str) -> None:
    """With hashes of few bits, too: then the names tell which row it is."""
    machine = type("Store", (Store,), {"mask": MASKS[mask]})
    case = machine.TestCase
    case.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)
    case().runTest()


def test_a_store_remembers_whether_there_is_room_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Numbers of pages that have lapsed are given out again; too many pages are refused."""
    monkeypatch.setattr(page_table, "MOST", 8)
    overlay = Overlay(DictBase())
    for hour in range(20):
        ids = [f"{hour}-{i}" for i in range(3 * ROWS)]
        overlay.drop(hour * HOUR)
        overlay.insert(Names.of("m", ids), [b"x"] * len(ids), np.full(len(ids), hour * HOUR))
        assert len(overlay.find(Names.of("m", ids))) == len(ids)
    more = Names.of("m", [f"more-{i}" for i in range(8 * ROWS)])
    with pytest.raises(ConfigurationError, match="use more shards"):
        overlay.insert(more, [b"x"] * len(more), np.full(len(more), 20 * HOUR))


def test_numbers_that_run_out_before_anything_lapsed_move_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Searches stay true, so that no page is read twice."""
    monkeypatch.setattr(page_table, "MOST", 8)
    overlay = Overlay(DictBase())
    names = Names.of("m", [f"{i}" for i in range(5 * ROWS)])
    overlay.insert(names, [b"x"] * len(names), np.full(len(names), HOUR))
    rebuilt: list[int] = []
    monkeypatch.setattr(
        hash_index.HashIndex, "rebuild", lambda self, coming, alive: rebuilt.append(coming)
    )
    some = names.take(np.arange(ROWS))
    for _ in range(2):
        found = overlay.find(some)
        overlay.update(some.take(found.rows), [b"y"] * ROWS, found.until_ms)
    assert rebuilt == []


class Counting(DictBase):
    """A base that counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[Table] = Counter()

    def get_many(self, keys: Sequence[bytes], table: Table = Table.VALUES) -> list[bytes | None]:
        self.asked[table] += len(keys)
        return super().get_many(keys, table)


def test_rows_change_without_reading_and_count_once_over_restarts() -> None:
    """Changes fill pages of their own, of which the last is read to be filled up. The newest is
    found, and one prediction lapses."""
    base = Counting()
    overlay = Overlay(base)
    names = Names.of("m", [f"p{i}" for i in range(20 * ROWS)])
    overlay.insert(names, [bytes(63)] * len(names), np.full(len(names), HOUR))
    base.write(overlay.take())
    some = names.take(np.arange(0, len(names), 10))
    for change in range(1, 5):
        found = overlay.find(some)
        base.asked.clear()
        overlay.update(some, [bytes([change]) * 63] * len(some), found.until_ms)
        assert base.asked[Table.PAGES] == base.asked.total() <= 1
        base.write(overlay.take())
        assert max(base.asked.values(), default=0) <= 2
        if change % 2:
            overlay = Overlay(base)
        expected = dict.fromkeys(some, (bytes([change]) * 63, HOUR))
        assert by_name(some, overlay.find(some)) == expected
    left = names.take(np.arange(1, len(names), 10))
    assert set(overlay.find(left).records()) == {bytes(63)}
    assert overlay.drop(2 * HOUR) == len(names)


def test_new_names_are_looked_for_without_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of ids that are not there asks the store for nothing."""
    base = Counting()
    overlay = Overlay(base)
    known = Names.of("m", [f"p{i}" for i in range(2_000)])
    overlay.insert(known, [b"x"] * 2_000, np.full(2_000, HOUR))
    base.write(overlay.take())
    overlay = Overlay(base)
    base.asked.clear()
    new = Names.of("m", [f"n{i}" for i in range(2_000)])
    assert not len(overlay.find(new))
    assert overlay.waiting(b"w", new) == {}
    assert base.asked.total() == 0
    assert len(overlay.find(known)) == 2_000
    monkeypatch.setattr(pending_rows, "_READ", 2_000)
    base.asked.clear()
    assert len(overlay.find(known)) == 2_000
    assert base.asked[Table.PAGES] == -(-2_000 // ROWS)


def test_what_waits_is_hinted_at_over_checkpoints_and_restarts() -> None:
    """Until it is gone; then it is asked for in vain, and not found."""
    base = DictBase()
    overlay = Overlay(base)
    names = Names.of("m", [f"p{i}" for i in range(3_000)])
    odd = names.take(np.arange(1, 3_000, 2))
    for each in odd:
        overlay.put(b"w" + each, b"value of " + each)
    expected = {each: b"value of " + each for each in odd}
    assert overlay.waiting(b"w", names) == expected
    assert overlay.waiting(b"s", names) == {}
    overlay.delete(b"w" + odd[0])
    del expected[odd[0]]
    assert overlay.waiting(b"w", names) == expected

"""The hash index finds each address that was put in, whatever its hashes are."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.ingest.store import hash_index
from streams.ingest.store.hash_index import FULL, HashIndex, collisions
from streams.ingest.store.names import Hashes


@pytest.fixture(autouse=True, scope="module")
def small_tables() -> Iterator[None]:
    """Indexes that begin small are rebuilt often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hash_index, "LEAST", 64)
        yield


def addresses_of(index: HashIndex, hash_: int) -> set[int]:
    """Every candidate for a hash."""
    hashes = np.array([hash_], np.uint64)
    found: set[int] = set()
    places = index.homes(hashes)
    while True:
        address, places = index.candidates(hashes, places)
        if not address[0]:
            return found
        found.add(int(address[0]))
        places = places + 1


def filled(hashes: Hashes, *, gone: int, batch: int) -> HashIndex:
    """An index of addresses from 1 on, of which those below ``gone`` may be forgotten."""
    index = HashIndex()
    for start in range(0, len(hashes), batch):
        some = hashes[start : start + batch]
        if index.full(len(some)):
            index.rebuild(len(some), lambda addresses: addresses >= gone)
        index.insert(some, np.arange(start, start + len(some)) + 1)
    return index


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_many_searches_end_where_each_alone_ends(data: st.DataObject) -> None:
    """From anywhere on, beyond the last place as well, for hashes that are there or not."""
    rng = np.random.default_rng(data.draw(st.integers(0, 1_000)))
    crowd = data.draw(st.sampled_from([1, 30, 10_000]))
    pool: Hashes = rng.integers(0, 1 << 64, crowd, dtype=np.uint64) & ~np.uint64(0xFFFF_FFFF)
    held: Hashes = rng.choice(pool, 2_000).astype(np.uint64)
    index = filled(held, gone=0, batch=500)
    hashes = np.concatenate((rng.choice(pool, 700), rng.integers(0, 1 << 64, 700, np.uint64)))
    places = np.where(rng.random(1_400) < 0.5, index.homes(hashes), index.nbytes // 8)
    addresses, ends = index.candidates(hashes, places)
    for row in rng.integers(0, 1_400, 50).tolist():
        address, end = index.candidates(hashes[row : row + 1], places[row : row + 1])
        assert (addresses[row], ends[row]) == (address[0], end[0])


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_every_address_that_is_alive_is_found(data: st.DataObject) -> None:
    """Over rebuilds and wrapped ends, with hashes that crowd one place or several."""
    rng = np.random.default_rng(data.draw(st.integers(0, 1_000)))
    count = data.draw(st.integers(1, 4_000))
    crowd = data.draw(st.sampled_from([1, 30, 10_000]))
    high = rng.choice(rng.integers(0, 1 << 64, crowd, dtype=np.uint64), count)
    if data.draw(st.booleans()):
        high |= np.uint64(0xFFFF_F000_0000_0000)
    hashes = high & ~np.uint64(0xFFFF_FFFF) | rng.integers(0, 16, count).astype(np.uint64) << 28
    gone = data.draw(st.integers(1, count))
    index = filled(hashes, gone=gone, batch=data.draw(st.integers(1, 500)))
    asked = rng.integers(gone - 1, count, 20).tolist()
    for row in asked:
        same = set((np.flatnonzero(hashes == hashes[row]) + 1).tolist())
        assert {each for each in same if each >= gone} <= addresses_of(index, int(hashes[row]))
        assert addresses_of(index, int(hashes[row])) <= same


def test_a_rebuild_forgets_what_is_not_alive_and_leaves_room() -> None:
    """Nothing of it is a candidate afterwards."""
    hashes = np.random.default_rng(1).integers(0, 1 << 64, 5_000, dtype=np.uint64)
    index = filled(hashes, gone=1, batch=100)
    index.rebuild(1_000, lambda addresses: addresses % 5 == 0)
    assert len(index) == 1_000
    assert not index.full(1_000)
    found, _ = index.candidates(hashes, index.homes(hashes))
    assert np.flatnonzero(found).tolist() == list(range(4, 5_000, 5))


def test_a_rebuild_takes_little_more_than_the_new_table() -> None:
    """And finds what it moved in many pieces, also around the end of the table."""
    count = 600_000
    hashes = np.random.default_rng(4).integers(0, 1 << 64, count, dtype=np.uint64)
    index = filled(hashes, gone=1, batch=count)
    tracemalloc.start()
    index.rebuild(1_000, lambda addresses: addresses > 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert index.nbytes <= peak < 1.5 * index.nbytes
    addresses, _ = index.candidates(hashes, index.homes(hashes))
    other = np.flatnonzero(addresses != np.arange(count) + 1)
    assert len(index) == count
    for row in other.tolist():
        assert row + 1 in addresses_of(index, int(hashes[row]))


@pytest.mark.parametrize("count", [0, 1, 3_000, 200_000])
def test_a_load_is_as_good_as_inserts(count: int) -> None:
    """And says which hashes are there more than once."""
    rng = np.random.default_rng(2)
    hashes = rng.integers(0, 1 << 64, count, dtype=np.uint64)
    hashes[: count // 10] = hashes[count // 2 : count // 2 + count // 10]
    index = HashIndex()
    slots = np.sort(index.slots(hashes, np.arange(count) + 1))
    again = collisions(slots)
    assert len(again) == 2 * (count // 10)
    index.load(slots)
    assert len(index) == count <= FULL * index.nbytes / 8
    for row in rng.integers(0, count, 50).tolist() if count else ():
        assert row + 1 in addresses_of(index, int(hashes[row]))


def test_searches_that_ended_may_be_gone_on_from() -> None:
    """Places of unsuccessful searches are where the same hashes go in."""
    hashes = np.random.default_rng(3).integers(0, 1 << 64, 600, dtype=np.uint64)
    index = HashIndex()
    index.rebuild(600, lambda addresses: addresses > 0)
    index.insert(hashes[:300], np.arange(1, 301))
    found, ends = index.candidates(hashes[300:], index.homes(hashes[300:]))
    assert not found.any()
    index.insert(hashes[300:], np.arange(301, 601), ends)
    assert all(row + 1 in addresses_of(index, int(hashes[row])) for row in range(600))

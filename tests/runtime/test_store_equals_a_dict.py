"""The join store on disk holds what a dict would, over restarts."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from streams.ingest.store import Changes, Overlay
from streams.runtime.store import JoinStore, StoreMark


def mark(sequence: int) -> StoreMark:
    return StoreMark(lineage="a", epoch=1, sequence=sequence, hint=sequence)


@pytest.mark.parametrize("seed", range(3))
def test_random_writes_deletes_scans_and_restarts(seed: int, tmp_path: Path) -> None:
    """Every read equals that of a dict; the mark is that of the last write."""
    rng = random.Random(seed)
    keys = [bytes([rng.choice(b"pwxy")]) + rng.randbytes(rng.randint(0, 3)) for _ in range(300)]
    expected: dict[bytes, bytes] = {}
    store = JoinStore(tmp_path / "join", cache_bytes=1 << 20)
    for sequence in range(60):
        changes: Changes = {
            key: None if rng.random() < 0.3 else rng.randbytes(rng.choice((0, 41, 200)))
            for key in rng.sample(keys, rng.randint(0, 40))
        }
        store.write(changes, mark(sequence))
        for key, value in changes.items():
            if value is None:
                expected.pop(key, None)
            else:
                expected[key] = value
        if rng.random() < 0.2:
            store.close()
            store = JoinStore(tmp_path / "join", cache_bytes=1 << 20)
        asked = [*rng.sample(keys, 20), b"p-unknown"]
        assert store.get_many(asked) == [expected.get(key) for key in asked]
        start, stop = sorted(rng.sample(keys, 2))
        found = list(store.scan(start, stop))
        assert found == sorted((k, v) for k, v in expected.items() if start <= k < stop)
        assert store.mark() == mark(sequence)
    store.close()


def test_a_new_store_and_a_wiped_one_are_empty(tmp_path: Path) -> None:
    """Both have no mark, and can be written."""
    store = JoinStore(tmp_path / "deep" / "join")
    assert store.mark() is None
    assert store.get_many([]) == []
    store.write({b"p1": b"x"}, mark(1))
    store.wipe()
    assert store.mark() is None
    assert store.get_many([b"p1"]) == [None]
    assert list(store.scan(b"\x00", b"\xff")) == []
    store.write({b"p2": b"y"}, mark(2))
    assert (store.get_many([b"p2"]), store.mark()) == ([b"y"], mark(2))
    store.close()


def test_the_mark_is_no_key_of_the_join(tmp_path: Path) -> None:
    """No scan over a kind of key meets it."""
    store = JoinStore(tmp_path / "join")
    store.write({b"p1": b"x", b"y9": b"z"}, mark(1))
    assert [key for key, _ in store.scan(b"p", b"z")] == [b"p1", b"y9"]
    store.close()


def test_the_overlay_shows_changes_before_they_are_committed(tmp_path: Path) -> None:
    """Scans see what is committed only; after `take` the overlay is the store again."""
    store = JoinStore(tmp_path / "join")
    store.write({b"a": b"1", b"b": b"2"}, mark(1))
    overlay = Overlay(store)
    overlay.put(b"a", b"10")
    overlay.delete(b"b")
    overlay.put(b"c", b"3")
    assert overlay.get_many([b"c", b"b", b"a", b"d"]) == [b"3", None, b"10", None]
    assert list(overlay.scan_committed(b"a", b"z")) == [(b"a", b"1"), (b"b", b"2")]
    changes = overlay.take()
    assert overlay.get_many([b"a", b"b", b"c"]) == [b"1", b"2", None]
    store.write(changes, mark(2))
    assert overlay.get_many([b"a", b"b", b"c"]) == [b"10", None, b"3"]
    store.close()

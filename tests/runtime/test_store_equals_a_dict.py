"""The join store on disk holds what dicts would, over restarts."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from rocksdict import Options, Rdict
from shards import DictBase

from streams.ingest.store.changes import Changes, Piece
from streams.ingest.store.names import Names
from streams.ingest.store.overlay import Overlay
from streams.ingest.store.tables import BY_HOUR, LAST, Table, hour_key
from streams.runtime.store import JoinStore, StoreMark, StoreMemory


def mark(sequence: int) -> StoreMark:
    return StoreMark(lineage="a", epoch=1, sequence=sequence, hint=sequence)


def content(store: JoinStore | DictBase) -> dict[Table, list[tuple[bytes, bytes]]]:
    return {table: list(store.scan(b"", LAST, table)) for table in Table}


def values(changed: dict[bytes, bytes | None]) -> Changes:
    return Changes(0, [], list(changed.items()))


@pytest.mark.parametrize("seed", range(3))
def test_random_changes_scans_and_restarts(seed: int, tmp_path: Path) -> None:
    """Every read equals that of dicts; the mark is that of the last write."""
    rng = random.Random(seed)
    keys = [bytes([rng.choice(b"wsab")]) + rng.randbytes(rng.randint(0, 3)) for _ in range(300)]
    expected = DictBase()
    memory = StoreMemory(cache_bytes=1 << 20, buffer_bytes=1 << 20)
    store = JoinStore(tmp_path / "join", memory=memory)
    overlay, hour = Overlay(expected), 0
    for sequence in range(60):
        for key in rng.sample(keys, rng.randint(0, 40)):
            if rng.random() < 0.3:
                overlay.delete(key)
            else:
                overlay.put(key, rng.randbytes(rng.choice((0, 41, 200))))
        populate(overlay, rng, sequence, hour)
        if rng.random() < 0.2:
            hour += 1
            overlay.drop(hour * 3_600_000)
        changes = overlay.take()
        store.write(changes, mark(sequence))
        expected.write(changes)
        if rng.random() < 0.2:
            store.close()
            store = JoinStore(tmp_path / "join", memory=memory)
            overlay = Overlay(store)
        asked = [*rng.sample(keys, 20), b"p-unknown"]
        assert store.get_many(asked) == expected.get_many(asked)
        start, stop = sorted(rng.sample(keys, 2))
        assert list(store.scan(start, stop)) == list(expected.scan(start, stop))
        assert store.mark() == mark(sequence)
        if rng.random() < 0.3:
            assert content(store) == content(expected)
            overlay = Overlay(expected)
    store.close()


def populate(overlay: Overlay, rng: random.Random, sequence: int, hour: int) -> None:
    """New predictions, and other records for some that are there."""
    ids = [f"{sequence}-{i}" for i in range(rng.randint(0, 150))]
    if ids:
        until = [hour * 3_600_000 + rng.randint(0, 3 * 3_600_000) for _ in ids]
        overlay.insert(Names.of("m", ids), [rng.randbytes(63) for _ in ids], np.array(until))
    known = [f"{rng.randint(0, sequence)}-{i}" for i in range(40)]
    names = Names.of("m", list(dict.fromkeys(known)))
    found = overlay.find(names)
    records = [rng.randbytes(63) for _ in found.rows]
    overlay.update(names.take(found.rows), records, found.until_ms)


def test_a_new_store_and_a_wiped_one_are_empty(tmp_path: Path) -> None:
    """Both have no mark, and can be written."""
    store = JoinStore(tmp_path / "deep" / "join")
    assert store.mark() is None
    assert store.get_many([]) == []
    store.write(values({b"w1": b"x"}), mark(1))
    store.wipe()
    assert store.mark() is None
    assert store.get_many([b"w1"]) == [None]
    assert not any(content(store).values())
    store.write(values({b"w2": b"y"}), mark(2))
    assert (store.get_many([b"w2"]), store.mark()) == ([b"y"], mark(2))
    store.close()


def test_a_store_with_tables_of_another_format_is_built_anew(tmp_path: Path) -> None:
    """It has no mark, so that its log is applied from the start."""
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    older = Rdict(str(tmp_path / "join"), options, {"labels": Options(raw_mode=True)})
    older.put(b"w1", b"x")
    older.close()
    for _ in range(2):
        store = JoinStore(tmp_path / "join")
        assert store.mark() is None
        assert not any(content(store).values())
        store.close()


@pytest.mark.parametrize("left", range(1, 9))
def test_a_store_that_was_killed_while_it_forgot_opens_empty(
    left: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of its files are gone."""
    store = JoinStore(tmp_path / "join")
    store.write(values({b"a": b"1"}), mark(1))
    store.close()
    store = JoinStore(tmp_path / "join")

    def killed(path: Path, **_: object) -> None:
        for file in sorted(path.iterdir())[left:]:
            file.unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            store.wipe()
    store = JoinStore(tmp_path / "join")
    assert store.mark() is None
    assert not any(content(store).values())
    assert [path.name for path in tmp_path.iterdir()] == ["join"]
    store.close()


def test_the_mark_is_no_value(tmp_path: Path) -> None:
    """No scan over a table meets it."""
    store = JoinStore(tmp_path / "join")
    store.write(values({b"w1": b"x", b"y9": b"z"}), mark(1))
    assert [key for key, _ in store.scan(b"", LAST)] == [b"w1", b"y9"]
    store.close()


def test_hours_that_are_dropped_leave_every_table_and_no_later_hour(tmp_path: Path) -> None:
    """Pages, hashes and what they replace are gone together."""
    store = JoinStore(tmp_path / "join")
    keys = [hour_key(hour) + bytes(4) for hour in (1, 2, 300)]
    pieces = [Piece(key, 0, b"rows", b"hashes00", b"gone") for key in keys]
    store.write(Changes(0, pieces, []), mark(1))
    store.write(Changes(2, [], []), mark(2))
    for table in BY_HOUR:
        kept = [key[:4] for key, _ in store.scan(b"", LAST, table)]
        assert kept == [hour_key(2), hour_key(300)]
    store.close()


def test_the_overlay_shows_changes_before_they_are_committed(tmp_path: Path) -> None:
    """Scans see what is committed only; after `take` the overlay is the store again."""
    store = JoinStore(tmp_path / "join")
    store.write(values({b"a": b"1", b"b": b"2"}), mark(1))
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

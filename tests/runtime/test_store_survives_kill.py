"""A join store whose process is killed is as it was after one of its writes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import join_deltas
import pytest
from shards import DictBase

from streams.ingest.store.tables import LAST, Table
from streams.runtime.store import JoinStore, StoreMark

ROOT = Path(__file__).parents[2]


def write_until_killed(directory: Path, seed: int, last: int) -> None:
    """Let another process write deltas, and kill it after one of them."""
    places = [str(ROOT), str(ROOT / "tests" / "support")]
    command = [sys.executable, join_deltas.__file__, str(directory), str(seed)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= last:
                child.kill()
                break


def assert_equal(store: JoinStore, base: DictBase) -> None:
    for table in Table:
        assert dict(store.scan(b"", LAST, table)) == base.tables[table]


@pytest.mark.parametrize("seed", range(3))
def test_all_tables_stand_where_the_mark_does(seed: int, tmp_path: Path) -> None:
    """Without a write-ahead log; what is newer is in the join log, and brings it up to date."""
    last = random.Random(seed).randint(60, 300)
    write_until_killed(tmp_path / "join", seed, last)
    store = JoinStore(tmp_path / "join")
    mark = store.mark()
    assert mark is not None
    for sequence, (changes, base) in enumerate(join_deltas.deltas(seed)):
        if sequence == mark.sequence:
            assert_equal(store, base)
        if sequence > mark.sequence:
            store.write(changes, StoreMark("ours", 1, sequence, sequence))
        if sequence > mark.sequence + 30:
            assert_equal(store, base)
            break
    store.close()

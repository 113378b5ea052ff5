"""Deltas of a join store, the same for the same seed; run as a program, it writes them to one."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from shards import HOUR, DictBase

from streams.ingest.store.changes import Changes
from streams.ingest.store.names import Names
from streams.ingest.store.overlay import Overlay
from streams.runtime.store import JoinStore, StoreMark, StoreMemory

BUFFER_BYTES = 1 << 18


def deltas(seed: int) -> Iterator[tuple[Changes, DictBase]]:
    """Changes of one checkpoint after the other, and what the store holds after each."""
    rng = random.Random(seed)
    base = DictBase()
    overlay = Overlay(base)
    for sequence in range(10_000):
        hour = sequence // 20
        ids = [f"{sequence}-{i}" for i in range(rng.randint(1, 100))]
        until_ms = [hour * HOUR + rng.randint(0, 3 * HOUR) for _ in ids]
        overlay.insert(Names.of("m", ids), [rng.randbytes(63) for _ in ids], np.array(until_ms))
        asked = [f"{rng.randint(max(sequence - 60, 0), sequence)}-{i}" for i in range(40)]
        names = Names.of("m", asked)
        found = overlay.find(names)
        records = [rng.randbytes(63) for _ in found.rows]
        overlay.update(names.take(found.rows), records, found.until_ms)
        overlay.put(b"w%d" % (sequence % 50), rng.randbytes(200))
        overlay.delete(b"w%d" % rng.randint(0, 49))
        overlay.drop(hour * HOUR)
        changes = overlay.take()
        base.write(changes)
        yield changes, base


def main() -> None:
    """Write deltas to the store of a directory, and say which are written, without end."""
    memory = StoreMemory(cache_bytes=1 << 20, buffer_bytes=BUFFER_BYTES)
    store = JoinStore(Path(sys.argv[1]), memory=memory)
    for sequence, (changes, _) in enumerate(deltas(int(sys.argv[2]))):
        store.write(changes, StoreMark("ours", 1, sequence, sequence))
        sys.stdout.write(f"{sequence}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

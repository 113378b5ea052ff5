"""What the join store takes with ten million predictions pending, in time, memory and disk.

``python -m benchmarks.store`` fills one shard's store, looks up what is not there and what is,
changes labels, opens the store again in a new process, and builds another from its log. It writes
``benchmarks/results/store.json``.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import numpy as np

from benchmarks import events, output
from detectors.outcomes.binary import Binary
from detectors.summary import Ints
from schemas import topics
from schemas.topics import TopicSpec
from streams.ingest.columns.ragged import Octets
from streams.ingest.store.names import Names
from streams.ingest.store.overlay import Overlay
from streams.ingest.store.pending import pack_new
from streams.runtime import join_log
from streams.runtime.local import LocalTransport
from streams.runtime.settings import Settings
from streams.runtime.store import JoinStore, StoreMark, StoreMemory

BATCH = 5_000
CHECKPOINT = 50_000
KEPT_MS = 30 * 86_400_000
STEP_MS = 250
"""Between two predictions: ten million span a month, as its labels' horizon does."""

REBUILT = 2_000_000
"""Predictions of which the log is held in memory, to build a store from it."""

ROUNDS = 40
"""Batches of a look-up."""

Figures: TypeAlias = dict[str, float]


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__)
    parser.add_argument("--predictions", type=int, default=10_000_000)
    options = output.parsed(parser, "store")
    count: int = options.predictions
    figures = measure(count)
    for name, value in figures.items():
        print(f"{name:48} {value:12,.2f}")
    result = {"predictions": count, "figures": figures}
    output.write(options.output, result)


def measure(count: int) -> Figures:
    """Every figure, each part of it in a process of its own."""
    figures: Figures = {}
    with TemporaryDirectory(prefix="kittiwake-store-") as folder:
        for part in (fill, restart, rebuild):
            figures |= alone(part, Path(folder) / "join", count)
    return {name: round(value, 3) for name, value in figures.items()}


def alone(part: Callable[[Path, int], Figures], directory: Path, count: int) -> Figures:
    """What a part gives in a new process, whose memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(part, directory, count).result()


def fill(directory: Path, count: int) -> Figures:
    """Predictions come, and are looked for; then labels come for some of them."""
    store = open_store(directory)
    overlay = Overlay(store)
    bare = rss_mb()
    looked, inserted, written = Watch(), Watch(), Watch()
    for start in range(0, count, BATCH):
        names, records, until_ms = batch(np.arange(start, min(start + BATCH, count)))
        with looked.over(len(names)):
            assert not len(overlay.find(names))
        with inserted.over(len(names)):
            overlay.insert(names, records, until_ms)
        if (start + BATCH) % CHECKPOINT == 0:
            with written.over(CHECKPOINT):
                checkpoint(store, overlay, start)
    with written.over(0):
        checkpoint(store, overlay, count)
    figures = {
        "find absent, us a prediction": looked.us,
        "insert, us a prediction": inserted.us,
        "checkpoint to RocksDB, us a prediction": written.us,
        "process without predictions, MB": bare,
        "process when all are pending, MB": rss_mb(),
        "process at most, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
        "disk, MB": disk_mb(directory),
    }
    labels = 0
    for kind, rows_of in (("in order", in_order), ("at random", at_random)):
        found, changed = Watch(), Watch()
        for number, rows in enumerate(rows_of(count)):
            names, _, _ = batch(rows)
            with found.over(len(rows)):
                known = overlay.find(names)
            assert len(known) == len(rows)
            ((places, records),) = known.groups
            records[:, 20] = number
            with changed.over(len(rows)):
                overlay.update(names.take(known.rows[places]), records, known.until_ms[places])
                if number % 10 == 9:
                    checkpoint(store, overlay, count + number)
            labels += len(rows)
        figures[f"find {kind}, us a label"] = found.us
        figures[f"change and checkpoint {kind}, us a label"] = changed.us
    figures["disk, bytes a label"] = 1e6 * (disk_mb(directory) - figures["disk, MB"]) / labels
    store.close()
    return figures


def disk_mb(directory: Path) -> float:
    """What the files of a store take."""
    return sum(file.stat().st_size for file in directory.iterdir()) / 1e6


def restart(directory: Path, count: int) -> Figures:
    """The same disk in a new process."""
    opened = Watch()
    with opened.over(1):
        store = open_store(directory)
        overlay = Overlay(store)
    names, _, _ = batch(np.arange(0, count, max(count // 1_000, 1)))
    assert len(overlay.find(names)) == len(names)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    store.close()
    return {"restart on the same disk, s": opened.seconds, "process after a restart, MB": peak}


def rebuild(directory: Path, count: int) -> Figures:
    """A new host: the store of a log, without the reading of Kafka."""
    rows = min(count, REBUILT)
    transport, topic = LocalTransport(), topics.JOIN_LOG
    transport.ensure_topics([TopicSpec(topic, 1, "shard", "join delta", retention_ms=None)])
    source = open_store(directory.with_name("source"))
    overlay, sender = Overlay(source), transport.sender()
    for start in range(0, rows, BATCH):
        overlay.insert(*batch(np.arange(start, min(start + BATCH, rows))))
        if (start + BATCH) % CHECKPOINT == 0:
            mark, changes = StoreMark("bench", 1, start, 0), overlay.take()
            for message in join_log.messages(topic, 0, mark, changes):
                sender.send(message)
            source.write(changes, mark)
    source.close()
    built = Watch()
    store = open_store(directory.with_name("rebuilt"))
    with built.over(rows):
        join_log.catch_up(transport, topic, 0, store, StoreMark("bench", 1, rows, 0))
    loaded = Watch()
    with loaded.over(rows):
        found = Overlay(store).find(batch(np.arange(0, rows - CHECKPOINT, 1_000))[0])
    assert len(found) == len(range(0, rows - CHECKPOINT, 1_000))
    store.close()
    return {
        "rebuild from the log, predictions a second": rows / (built.seconds + loaded.seconds),
        "log, bytes a prediction": log_bytes(transport, topic) / rows,
    }


class Watch:
    """CPU-seconds of this process, all its threads, over what is told of."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._rows = 0

    @property
    def us(self) -> float:
        """Microseconds a row."""
        return self.seconds / self._rows * 1e6

    @contextmanager
    def over(self, rows: int) -> Iterator[None]:
        """Time what happens to so many rows."""
        begun = time.process_time()
        yield
        self.seconds += time.process_time() - begun
        self._rows += rows


def batch(numbers: Ints) -> tuple[Names, Octets, Ints]:
    """Predictions with these numbers: their names, their records, and when each lapses."""
    tails = np.zeros(len(numbers), Binary.tail)
    tails["known"], tails["score"] = 1, numbers % 1_000 / 1_000
    times_ms = events.START_MS + numbers * STEP_MS
    records = pack_new(np.ones(len(numbers), np.bool_), np.zeros_like(numbers), times_ms, tails)
    names = Names.of(events.MODEL, [f"tx-{number:08d}" for number in numbers.tolist()])
    return names, records, times_ms + KEPT_MS


def in_order(count: int) -> Iterator[Ints]:
    """Numbers of predictions one after the other, from the first on."""
    for start in range(0, min(ROUNDS * BATCH, count), BATCH):
        yield np.arange(start, min(start + BATCH, count))


def at_random(count: int) -> Iterator[Ints]:
    """Numbers of predictions from anywhere."""
    rng = np.random.default_rng(1)
    for _ in range(ROUNDS):
        yield np.unique(rng.integers(0, count, BATCH))


def open_store(directory: Path) -> JoinStore:
    """A store as INGEST opens it."""
    settings = Settings()
    memory = StoreMemory(
        cache_bytes=settings.store_cache_bytes, buffer_bytes=settings.store_buffer_bytes
    )
    return JoinStore(directory, memory=memory)


def checkpoint(store: JoinStore, overlay: Overlay, sequence: int) -> None:
    """Write what has changed, as INGEST does once it is committed."""
    store.write(overlay.take(), StoreMark("bench", 1, sequence, 0))


def log_bytes(transport: LocalTransport, topic: str) -> int:
    """Bytes of a topic's values."""
    return sum(len(record.value or b"") for record in transport.read(topic, 0))


def rss_mb() -> float:
    """Memory of this process now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


if __name__ == "__main__":
    main()

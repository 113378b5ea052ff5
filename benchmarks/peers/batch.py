"""The same rows in memory: drift of eight features in windows of 10,000 rows.

In every fifth window one feature is twice as large, and a tool must say so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import events, measure, messages
from benchmarks.peers import question
from benchmarks.peers.question import PER_WINDOW, POLICY, STEP_MS, WINDOW_MS
from benchmarks.peers.tools import Said, Tool, ask
from schemas.profiling import build
from streams.records import Message
from streams.results import ResultReader
from streams.runtime.announce import activate
from streams.runtime.cluster import Cluster
from streams.runtime.settings import Settings

KITTIWAKE = "kittiwake rows"
START_MS = events.START_MS - events.START_MS % WINDOW_MS
SHIFTED, EVERY, FACTOR = "amount", 5, 2.0

Columns = dict[str, np.ndarray]


class Batch:
    """Rows of a reference and of windows, as Parquet for scripts, as Arrow batches for Kittiwake.

    Parameters
    ----------
    folder
        Where the files are written.
    count
        Rows; tools with a share get the first of them. Whole windows, five at least.
    """

    def __init__(self, folder: Path, count: int) -> None:
        if count % PER_WINDOW or count < EVERY * PER_WINDOW:
            raise ValueError(
                f"{count:,} rows are not five or more windows of {PER_WINDOW:,}; ask for more"
            )
        self._count = count
        self._known = events.features(np.random.default_rng(4), PER_WINDOW)
        self._rows = shifted(events.features(np.random.default_rng(5), count))
        self._job = {
            **question.in_scripts(events.reference()),
            "rows": str(folder / "rows.parquet"),
            "reference": str(folder / "reference.parquet"),
        }
        pq.write_table(pa.table(self._rows), folder / "rows.parquet")
        pq.write_table(pa.table(self._known), folder / "reference.parquet")

    def measure_own(self) -> float:
        """Rate of INGEST and DECIDE in one process, from a log in memory."""
        columns = {name: column.tolist() for name, column in self._known.items()}
        reference = build(events.MODEL, columns, source="benchmark")
        settings = Settings(shards=1)
        with Cluster(settings) as cluster:
            sender = cluster.transport.sender()
            activate(sender, settings, POLICY, reference)
            sender.close()
            measure.publish(cluster.transport, self._messages(settings))
            begun = time.process_time()
            cluster.drain()
            spent = time.process_time() - begun
            reader = ResultReader(cluster.transport, settings)
            reader.read()
        found = {w.start_ms: w.drifted for w in reader.results.windows.values()}
        # The last window waits for an event after it.
        answer = [found[START_MS + i * WINDOW_MS] for i in range(self._count // PER_WINDOW - 1)]
        check(KITTIWAKE, answer)
        return self._count / spent

    def measure_tool(self, tool: Tool) -> float:
        """Rate of a tool, once it has found the shifted windows."""
        windows = max(round(self._count * tool.share / PER_WINDOW), EVERY)
        said: Said = ask(tool, {**self._job, "count": windows * PER_WINDOW})
        if said.events != windows * PER_WINDOW or len(said.answer) != windows:
            raise RuntimeError(f"{tool.name} spoke of {said.events:,} rows, not of all")
        check(tool.name, said.answer)
        return said.rate

    def _messages(self, settings: Settings) -> Iterator[Message]:
        """The rows as Arrow batches of a partition each."""
        place = np.arange(self._count)
        columns = {
            "prediction_id": np.array([events.key(i) for i in place.tolist()]),
            "version": np.full(self._count, "v1"),
            "time": START_MS + STEP_MS * place,
            "score": np.random.default_rng(6).beta(1, 6, self._count).round(4),
            **{f"features.{name}": column for name, column in self._rows.items()},
        }
        return messages.in_arrow(settings, events.MODEL, columns, repeated=("version",))


def shifted(rows: Columns) -> Columns:
    """The rows with one feature larger in every fifth window."""
    windows = np.arange(len(rows[SHIFTED])) // PER_WINDOW
    factor = np.where(windows % EVERY == EVERY - 1, FACTOR, 1.0)
    return {**rows, SHIFTED: rows[SHIFTED] * factor}


def check(name: str, drifted: Sequence[Sequence[str]]) -> None:
    """Compare the drifted features of each window with the truth.

    Raises
    ------
    RuntimeError
        If a shifted window was not named.
    """
    for number in range(EVERY - 1, len(drifted), EVERY):
        if SHIFTED not in drifted[number]:
            raise RuntimeError(f"{name} did not see that {SHIFTED} moved in window {number}")

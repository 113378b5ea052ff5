"""The right answers, worked out with numpy from the bytes that were published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.events import FEATURES
from benchmarks.peers.question import WINDOW_MS
from schemas.reference import NumericReference, ReferenceProfile
from schemas.windows import WindowResult
from streams.ingest.columns.strings import Strings
from streams.records import Message
from streams.runtime.partitioner import partitions_of

Floats: TypeAlias = NDArray[np.float64]
Place: TypeAlias = tuple[Any, int]
"""A partition or a version, and the start of a window."""

Answer: TypeAlias = Mapping[Place, Sequence[float]]

SCORE = "<score>"


@dataclass(frozen=True)
class Truth:
    """Columns of all predictions of a topic, (n,) each; ``values`` are features and the score."""

    time_ms: NDArray[np.int64]
    partition: NDArray[np.int64]
    version: NDArray[np.str_]
    values: dict[str, Floats]

    @classmethod
    def of(cls, messages: Sequence[Message], partitions: int) -> Truth:
        """From what was published, decoded again."""
        rows = [msgspec.json.decode(message.value or b"") for message in messages]
        values = {
            name: np.array([row["features"][name] for row in rows], dtype=np.float64)
            for name in FEATURES
        }
        values[SCORE] = np.array([row["output"]["score"] for row in rows])
        keys = Strings.of_bytes([message.key or b"" for message in messages])
        return cls(
            time_ms=np.array([row["time"] for row in rows]),
            partition=partitions_of(keys, partitions),
            version=np.array([row["version"] for row in rows]),
            values=values,
        )

    def means(self) -> dict[Place, list[float]]:
        """Number and mean score by partition and window."""
        scores = self.values[SCORE]
        return self._by(self.partition, lambda rows: [int(rows.sum()), scores[rows].mean()])

    def together(self) -> dict[Place, list[float]]:
        """Number and mean score by window, under partition 0."""
        return replace(self, partition=np.zeros_like(self.partition)).means()

    def drift(self, reference: ReferenceProfile) -> dict[Place, list[float]]:
        """Number, and PSI of each feature, by partition and window."""
        return self._by(
            self.partition,
            lambda rows: [
                int(rows.sum()),
                *(psi(self.values[name][rows], reference.numeric[name]) for name in FEATURES),
            ],
        )

    def windows(self, reference: ReferenceProfile) -> dict[Place, list[float]]:
        """Number, and PSI of features and score less what chance adds, by version and window."""
        known = dict(reference.numeric)
        if reference.score is not None:
            known[SCORE] = reference.score
        return self._by(
            self.version,
            lambda rows: [
                int(rows.sum()),
                *(
                    psi(values[rows], known[name]) - noise(int(rows.sum()), known[name])
                    for name, values in self.values.items()
                ),
            ],
        )

    def _by(
        self, keys: NDArray[Any], of: Callable[[NDArray[np.bool_]], list[float]]
    ) -> dict[Place, list[float]]:
        starts = self.time_ms - self.time_ms % WINDOW_MS
        return {
            (key, start): of((keys == key) & (starts == start))
            for key in np.unique(keys).tolist()
            for start in np.unique(starts[keys == key]).tolist()
        }


def psi(values: Floats, known: NumericReference) -> float:
    """Population stability index with half a row more in each bin."""
    counts = np.bincount(np.searchsorted(known.edges, values, "right"), minlength=len(known.counts))
    p, q = _shares(counts), _shares(np.array(known.counts))
    return float(np.sum((p - q) * np.log(p / q)))


def noise(n: int, known: NumericReference) -> float:
    """What chance alone adds to the PSI of n rows, on average."""
    return (len(known.counts) - 1) * (1 / n + 1 / sum(known.counts))


def closed(places: Iterable[Place]) -> set[Place]:
    """The windows after which more events came: all but the last."""
    places = set(places)
    last = max(start for _, start in places)
    return {(key, start) for key, start in places if start < last}


def told(windows: Sequence[WindowResult]) -> dict[Place, list[float]]:
    """The answer of Kittiwake's windows, segments left out."""
    return {
        (window.version, window.start_ms): [
            window.predictions,
            *(_psi_of(window, name) for name in (*FEATURES, SCORE)),
        ]
        for window in windows
        if not window.segment
    }


def check(name: str, found: Answer, right: Answer) -> None:
    """Compare an answer with the right one, window by window.

    Raises
    ------
    RuntimeError
        If a closed window was not answered, an answer is wrong by more than one in 10**9, or so
        few events were asked about that no window closed.
    """
    needed = closed(right)
    if not needed:
        raise RuntimeError(f"{name} saw no window close; ask about more events")
    if missing := sorted(needed - found.keys()):
        raise RuntimeError(f"{name} said nothing of {len(missing)} windows, such as {missing[0]}")
    for place in needed:
        if not np.allclose(found[place], right[place], rtol=1e-9, atol=1e-9):
            raise RuntimeError(f"{name} says {found[place]} of {place}; it is {right[place]}")


def _shares(counts: NDArray[np.int64]) -> Floats:
    return np.asarray((counts + 0.5) / (counts.sum() + 0.5 * counts.size))


def _psi_of(window: WindowResult, feature: str) -> float:
    return next(
        metric.value if metric.value is not None else np.nan
        for metric in window.metrics
        if metric.name == "psi" and metric.feature == feature
    )

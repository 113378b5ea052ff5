"""What many tests see, in one vector: so their sums are taken at once, whatever their layouts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import BoolArray, FloatArray, as_floats
from detectors.summary import SCALE, Floats, Ints, Layout
from streams.decide.detect.contract import Evidence, Step

NOWHERE = -1
"""A place where there is nothing: 0 is read there."""


class Gathered:
    """The vectors of windows, one after the other.

    Parameters
    ----------
    seen
        Of each of N tests; tests of one window share one.

    Attributes
    ----------
    starts
        Where the sums that each test sees begin, shape (N,).
    served
        Where the sums of its predictions begin; `NOWHERE` if it has none.
    """

    def __init__(self, seen: Iterable[Evidence]) -> None:
        parts: list[Ints] = []
        places: dict[int, tuple[int, int]] = {}
        rows: list[tuple[int, int]] = []
        size = 0
        for one in seen:
            place = places.get(id(one))
            if place is None:
                start, served = size, NOWHERE
                parts.append(one.vector)
                size += one.vector.size
                if one.served is not None:
                    served = start
                    if one.served is not one.vector:
                        served = size
                        parts.append(one.served)
                        size += one.served.size
                place = places[id(one)] = (start, served)
            rows.append(place)
        found = np.array(rows, np.int64).reshape(-1, 2)
        self.starts: Ints = found[:, 0]
        self.served: Ints = found[:, 1]
        self._flat = np.concatenate([*parts, np.zeros(1, np.int64)])

    def at(self, places: Ints) -> Ints:
        """What stands at places, of their shape; 0 at `NOWHERE`."""
        found: Ints = self._flat[places]
        return found

    def fields(self, starts: Ints, size: int) -> Ints:
        """Fields of a size that begin at ``starts`` (N,), shape (N, size)."""
        return self.at(starts[:, None] + np.arange(size))


class Many(NamedTuple):
    """N tests of one kind that are about to look at windows, side by side.

    ``places`` says which evidence of those that were ``gathered`` each sees, ``rows`` are the
    settings of each, ``memory`` is what each remembers, of shape (N, W), and ``shares`` what each
    may spend.
    """

    gathered: Gathered
    places: Ints
    rows: NDArray[np.void]
    memory: FloatArray
    shares: FloatArray

    def of(self, live: Ints) -> tuple[NDArray[np.void], FloatArray, FloatArray]:
        """Rows, memory and shares of some of the tests, in order."""
        if live.size == len(self.rows):
            return self.rows, self.memory, self.shares
        return self.rows[live], self.memory[live], self.shares[live]


class Steps(NamedTuple):
    """The steps of those tests that had evidence: which they are (``live``), and as in `Step`."""

    live: Ints
    memory: FloatArray
    alarm: BoolArray
    log_e: FloatArray
    spent: FloatArray

    def each(self) -> list[Step]:
        """One by one."""
        if not self.live.size:
            return []
        columns = (self.alarm.tolist(), self.log_e.tolist(), self.spent.tolist())
        return list(map(Step, cut(self.memory), *columns))


def cut(memories: FloatArray) -> list[bytes]:
    """The bytes of each row."""
    width, every = memories[0].nbytes, memories.tobytes()
    return [every[start : start + width] for start in range(0, len(every), width)]


def scale_of(layout: Layout, name: str) -> float:
    """What an entry of a field is divided by to be a real number."""
    return float(SCALE) if layout.is_fixed(name) else 1.0


def scaled(entries: Ints, scales: FloatArray) -> Floats:
    """Entries as real numbers, as `detectors.summary.Layout.values` gives them."""
    return as_floats(entries.astype(np.float64) / scales)

"""Shedding: what rows are counted without while a shard is too far behind, cheapest loss first.

How far behind a shard is, is known at a checkpoint only, and what is shed from then on is part of
it. So rows that are read again after a death are counted as they were before.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Ints
from schemas.overload import Shed
from schemas.policy import Policy
from streams.ingest.draw import uniform

_SEED: Final = np.uint64(0x9E3779B97F4A7C15)
"""Who is in the sample does not follow from any other use of the hash."""


class Level(IntEnum):
    """What is shed; each level sheds what those below it do."""

    NONE = 0
    EXTRAS = 1
    SEGMENTS = 2
    SHADOWS = 3
    QUARTER = 4
    """Features of a quarter of the rows are kept."""
    SIXTEENTH = 5
    """Of a sixteenth."""

    def sheds(self, kind: Shed) -> bool:
        """Whether rows are counted without something.

        Examples
        --------
        >>> Level.SHADOWS.sheds(Shed.SEGMENTS), Level.SHADOWS.sheds(Shed.FEATURES)
        (True, False)
        """
        return self > list(Shed).index(kind)

    @property
    def sample(self) -> float:
        """Share of rows whose features are kept."""
        return {Level.QUARTER: 1 / 4, Level.SIXTEENTH: 1 / 16}.get(self, 1.0)


def next_level(level: Level, *, behind_ms: int, lag_ms: int) -> Level:
    """The level after a checkpoint: each begins at twice the lag of the one below it.

    It rises at once, and falls when the shard is behind by less than half of where it began.

    Parameters
    ----------
    behind_ms
        How far behind the shard is.
    lag_ms
        Where the first level begins.

    Examples
    --------
    >>> [int(next_level(Level.NONE, behind_ms=ms, lag_ms=100)) for ms in (99, 100, 250, 9_999)]
    [0, 1, 2, 5]
    >>> [int(next_level(Level.SEGMENTS, behind_ms=ms, lag_ms=100)) for ms in (100, 99, 49)]
    [2, 1, 0]
    """
    begins = {each: lag_ms << (each - 1) for each in Level if each}
    risen = max((each for each, ms in begins.items() if behind_ms >= ms), default=Level.NONE)
    held = max((each for each, ms in begins.items() if 2 * behind_ms >= ms), default=Level.NONE)
    return max(risen, min(level, held))


def levels_after(
    levels: Mapping[str, int], policies: Mapping[str, Policy], behind_ms: int
) -> dict[str, int]:
    """Levels after a checkpoint, by hash of the policy; those of nothing shed are left out.

    Parameters
    ----------
    policies
        By hash, those in force among them.

    Examples
    --------
    >>> from schemas.policy import Overload, Task
    >>> eager = Policy(model="m", task=Task.BINARY, overload=Overload(lag="1s"))
    >>> never = Policy(model="n", task=Task.BINARY)
    >>> levels_after({"gone": 3}, {"a": eager, "b": never}, behind_ms=4_000)
    {'a': 3}
    """
    after = {
        hash_: next_level(Level(levels.get(hash_, 0)), behind_ms=behind_ms, lag_ms=lag_ms)
        for hash_, policy in policies.items()
        if (lag_ms := policy.overload.lag_ms) is not None
    }
    return {hash_: int(level) for hash_, level in after.items() if level}


def sampled(level: Level, hashes: NDArray[np.uint64]) -> Ints:
    """Rows whose features are kept: the same ids whenever they come, the fewer among the more.

    Parameters
    ----------
    hashes
        Of the id of each row, 64 bits, shape (n,).

    Examples
    --------
    >>> hashes = np.arange(10_000, dtype=np.uint64)
    >>> [len(sampled(level, hashes)) for level in (Level.SHADOWS, Level.QUARTER, Level.SIXTEENTH)]
    [10000, 2462, 622]
    """
    if level.sample == 1.0:
        return np.arange(len(hashes))
    return np.flatnonzero(uniform(hashes + _SEED) < level.sample)

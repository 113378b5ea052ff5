"""Hints: whether a name may have values of a kind, without asking the store.

Few names wait for anything, and each new prediction has to know whether its own does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from detectors.summary import Ints
from streams.ingest.store.hash_index import HashIndex
from streams.ingest.store.names import Names

_HERE = 1


class Hints:
    """Names that may have a value: all that have one, and some that had.

    Parameters
    ----------
    known
        The names that have one now, and perhaps some that had; asked for when memory fills up.
    """

    def __init__(self, known: Callable[[], Iterable[bytes]]) -> None:
        self._known = known
        self._index = HashIndex()
        self._noted: list[bytes] = []
        self._load()

    def note(self, name: bytes) -> None:
        """A name has a value now."""
        self._noted.append(name)

    def among(self, names: Names) -> Ints:
        """Which of n names may have a value."""
        self._settle()
        index = self._index
        if not len(index):
            return np.zeros(0, np.int64)
        found, _ = index.candidates(names.hashes, index.homes(names.hashes))
        return np.flatnonzero(found)

    def _settle(self) -> None:
        if not self._noted:
            return
        if self._index.full(len(self._noted)):
            self._load()
        self._insert(self._noted)
        self._noted = []

    def _load(self) -> None:
        hashes = np.sort(Names.of_bytes(list(self._known())).hashes)
        self._index.load(self._index.slots(hashes, np.full(len(hashes), _HERE)))

    def _insert(self, names: list[bytes]) -> None:
        hashes = Names.of_bytes(names).hashes
        if self._index.full(len(hashes)):
            self._index.rebuild(len(hashes), lambda places: np.ones(len(places), np.bool_))
        self._index.insert(hashes, np.full(len(hashes), _HERE))

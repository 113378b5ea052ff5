"""The join store as INGEST sees it: pending predictions, and what waits for one.

The base holds what has been committed. Changes stay in the overlay until the checkpoint that logs
them has been committed; only then the runtime writes them to the base. A crash before that loses
nothing but work to be done again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from detectors.summary import Ints
from streams.ingest.columns.ragged import Octets
from streams.ingest.store import keys
from streams.ingest.store.changes import Changes, Values
from streams.ingest.store.found import Found
from streams.ingest.store.hints import Hints
from streams.ingest.store.names import Names
from streams.ingest.store.pending_rows import PendingRows
from streams.ingest.store.tables import Base


class Overlay:
    """The base and the changes since the last checkpoint.

    Parameters
    ----------
    base
        What has been committed.
    hash_mask
        As `streams.ingest.store.hash_index.HashIndex` has it.
    """

    def __init__(self, base: Base, *, hash_mask: int = (1 << 64) - 1) -> None:
        self._base = base
        self._values: Values = {}
        self._rows = PendingRows(base, hash_mask=hash_mask)
        self._hints = {kind: Hints(partial(self._named, kind)) for kind in keys.KINDS}

    @property
    def nbytes(self) -> int:
        """Bytes that committed predictions take in memory."""
        return self._rows.nbytes

    def find(self, names: Names) -> Found:
        """The pending predictions of names; each is none once the watermark is past its end."""
        return self._rows.find(names)

    def insert(self, names: Names, records: Octets | Sequence[bytes], until_ms: Ints) -> None:
        """Add predictions under names that are distinct, and not there or lapsed.

        ``records`` are packed predictions, ``until_ms`` says when each lapses, shape (n,): later
        than one of its name that has lapsed did.
        """
        self._rows.insert(names, records, until_ms)

    def update(self, names: Names, records: Octets | Sequence[bytes], until_ms: Ints) -> None:
        """Let predictions that are there, under names that are distinct, have other records.

        ``until_ms`` says when each lapses, as before, shape (n,).
        """
        self._rows.update(names, records, until_ms)

    def drop(self, until_ms: int) -> int:
        """Let go of predictions that lapsed in hours which have ended; the number of them."""
        return self._rows.drop(max(until_ms, 0) // keys.HOUR_MS)

    def waiting(self, kind: bytes, names: Names) -> dict[bytes, bytes]:
        """Values of a kind that names have."""
        some = [names[row] for row in self._hints[kind].among(names).tolist()]
        values = self.get_many([kind + name for name in some])
        return {name: value for name, value in zip(some, values, strict=True) if value is not None}

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values of keys, in their order."""
        changes = self._values
        unknown = [key for key in keys if key not in changes]
        found = iter(self._base.get_many(unknown))
        return [changes[key] if key in changes else next(found) for key in keys]

    def put(self, key: bytes, value: bytes) -> None:
        """Set a value."""
        self._values[key] = value
        if (hints := self._hints.get(key[:1])) is not None:
            hints.note(key[1:])

    def delete(self, key: bytes) -> None:
        """Forget a key."""
        self._values[key] = None

    def scan_committed(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys of the base in [start, stop); changes since the checkpoint are not among them."""
        return self._base.scan(start, stop)

    def take(self) -> Changes:
        """Changes since the last call."""
        values, self._values = self._values, {}
        return Changes(*self._rows.take(), list(values.items()))

    def _named(self, kind: bytes) -> Iterable[bytes]:
        """Names that have a value of a kind, and perhaps some that had."""
        for _, packed in self._base.scan(*keys.every_lapse(kind)):
            yield from (key[1:] for key, _ in keys.unpack_listed(packed))
        yield from (key[1:] for key in self._values if key.startswith(kind))

"""The join store as INGEST sees it: a map from bytes to bytes with an overlay of changes.

The base holds what has been committed. Changes stay in the overlay until the checkpoint that
logs them has been committed; only then the runtime writes them to the base. A crash before that
loses nothing but work to be done again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias

Changes: TypeAlias = dict[bytes, bytes | None]
"""New values by key; None deletes."""


class Base(Protocol):
    """What has been committed."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values of keys, in their order."""

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys in [start, stop) with their values, ascending."""


class Overlay:
    """The base and the changes since the last checkpoint."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._changes: Changes = {}

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values of keys, in their order."""
        changes = self._changes
        unknown = [key for key in keys if key not in changes]
        found = iter(self._base.get_many(unknown))
        if len(unknown) == len(keys):
            return list(found)
        return [changes[key] if key in changes else next(found) for key in keys]

    def put(self, key: bytes, value: bytes) -> None:
        """Set a value."""
        self._changes[key] = value

    def put_many(self, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        """Set the value of each key."""
        self._changes.update(zip(keys, values, strict=True))

    def delete(self, key: bytes) -> None:
        """Forget a key."""
        self._changes[key] = None

    def scan_committed(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys of the base in [start, stop); changes since the checkpoint are not among them."""
        return self._base.scan(start, stop)

    def take(self) -> Changes:
        """Changes since the last call."""
        taken, self._changes = self._changes, {}
        return taken

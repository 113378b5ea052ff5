"""Tables of the join store, and their keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Protocol

import numpy as np

from detectors.summary import Ints


class Table(Enum):
    """Sorted maps from bytes to bytes.

    ``VALUES`` has what waits (`streams.ingest.store.keys`). The others hold pending predictions:
    their pages, the hashes of the names in each, and for pages of rows that have changed the
    addresses of the rows that those replace. Their keys begin with the hour in which the page
    lapses.
    """

    VALUES = "values"
    PAGES = "pages"
    HASHES = "hashes"
    REPLACED = "replaced"


BY_HOUR = (Table.PAGES, Table.HASHES, Table.REPLACED)

LAST = b"\xff" * 16
"""After every key."""


class Base(Protocol):
    """What has been committed."""

    def get_many(self, keys: Sequence[bytes], table: Table = Table.VALUES) -> list[bytes | None]:
        """Values of keys, in their order."""

    def scan(
        self, start: bytes, stop: bytes, table: Table = Table.VALUES
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys in [start, stop) with their values, ascending."""


def hour_key(hour: int) -> bytes:
    """What the keys of an hour begin with."""
    return hour.to_bytes(4, "big")


def page_keys(hours: Ints, numbers: Ints) -> list[bytes]:
    """Keys of pages; shape (n,).

    Examples
    --------
    >>> page_keys(np.array([1]), np.array([513]))
    [b'\\x00\\x00\\x00\\x01\\x00\\x00\\x02\\x01']
    """
    joined = np.stack((hours, numbers), axis=1).astype(">u4").tobytes()
    return [joined[start : start + 8] for start in range(0, len(joined), 8)]


def read_page_keys(keys: Sequence[bytes]) -> tuple[Ints, Ints]:
    """Hours and numbers of keys of pages."""
    fields = np.frombuffer(b"".join(keys), ">u4").reshape(-1, 2).astype(np.int64)
    return fields[:, 0], fields[:, 1]

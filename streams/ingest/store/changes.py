"""Changes of the join store: what one checkpoint logs, and what it means to the store's tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import msgspec

from streams.ingest.store import pages
from streams.ingest.store.tables import Base, Table, hour_key

Values: TypeAlias = dict[bytes, bytes | None]
"""New values by key; None deletes."""


class Piece(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Rows that a page has from row ``first`` on, as a page, and the hashes of their names.

    ``replaced`` has the addresses of the rows that they replace, if they do.
    """

    key: bytes
    first: int
    rows: bytes
    hashes: bytes
    replaced: bytes = b""


class Changes(msgspec.Struct, array_like=True):
    """What has changed: hours before ``dropped`` are gone, pieces and values are there."""

    dropped: int = 0
    pieces: list[Piece] = []
    values: list[tuple[bytes, bytes | None]] = []

    def __bool__(self) -> bool:
        return bool(self.dropped or self.pieces or self.values)


class Writes(NamedTuple):
    """What changes make of the tables: what has a key before ``dropped`` goes first."""

    dropped: bytes
    tables: dict[Table, Values]


def writes(changes: Changes, store: Base) -> Writes:
    """What changes make of a store; the same however often."""
    packed: Values = {}
    hashes: Values = {}
    replaced: Values = {}
    for piece in changes.pieces:
        key, rows, named, gone = piece.key, piece.rows, piece.hashes, piece.replaced
        if piece.first:
            before = _known(key, packed, store, Table.PAGES)
            rows = pages.append(before, rows, first=piece.first)
            named = _known(key, hashes, store, Table.HASHES)[: 8 * piece.first] + named
            if gone:
                gone = _known(key, replaced, store, Table.REPLACED)[: 4 * piece.first] + gone
        packed[key], hashes[key] = rows, named
        if gone:
            replaced[key] = gone
    return Writes(
        hour_key(changes.dropped),
        {
            Table.VALUES: dict(changes.values),
            Table.PAGES: packed,
            Table.HASHES: hashes,
            Table.REPLACED: replaced,
        },
    )


def parts(changes: Changes, limit_bytes: int) -> Iterator[Changes]:
    """The same changes cut into parts of at most about so many bytes, to be applied in order."""
    part, size = Changes(changes.dropped, [], []), 0
    for kind in ("pieces", "values"):
        for item in getattr(changes, kind):
            fields = (item.rows, item.hashes, item.replaced) if kind == "pieces" else item
            added = sum(len(each) for each in fields if each is not None) + 48
            if part and size + added > limit_bytes:
                yield part
                part, size = Changes(0, [], []), 0
            getattr(part, kind).append(item)
            size += added
    if part:
        yield part


def _known(key: bytes, changed: Values, store: Base, table: Table) -> bytes:
    value = changed[key] if key in changed else store.get_many([key], table)[0]
    if value is None:
        raise LookupError(f"the join store lacks page {key.hex()}, of which the log has a part")
    return value

"""The join store on disk: RocksDB, one database for each shard.

The store always equals a prefix of the shard's join log: each committed delta is written in one
batch together with its mark (lineage, epoch, sequence). A store of another lineage, or one that
is ahead of the checkpoint, is wiped and rebuilt from the log.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import msgspec
from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteBatch

from streams.ingest.store import Changes

_MARK = b"\x00mark"


class StoreMark(msgspec.Struct, frozen=True):
    """How far the store follows the log.

    ``hint`` is an offset of the join log that is not after the first delta still to be applied.
    """

    lineage: str
    epoch: int
    sequence: int
    hint: int


class JoinStore:
    """A map from bytes to bytes on disk.

    Parameters
    ----------
    directory
        Where the database lives; made if it does not exist.
    cache_bytes
        Bound of the block cache.
    """

    def __init__(self, directory: Path, *, cache_bytes: int = 64 << 20) -> None:
        self._directory = directory
        self._cache_bytes = cache_bytes
        self._db = self._open()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values of keys, in their order."""
        if not keys:
            return []
        return cast("list[bytes | None]", self._db.get(list(keys)))

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys in [start, stop) with their values, ascending."""
        found = cast("Iterator[tuple[bytes, bytes]]", self._db.items(from_key=start))
        for key, value in found:
            if key >= stop:
                return
            yield key, value

    def write(self, changes: Changes, mark: StoreMark) -> None:
        """Write changes and the mark behind them, all or nothing."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(_MARK, msgspec.msgpack.encode(mark))
        self._db.write(batch)

    def mark(self) -> StoreMark | None:
        """The mark, None in a new store."""
        value = self._db.get(_MARK)
        return None if value is None else msgspec.msgpack.decode(value, type=StoreMark)

    def wipe(self) -> None:
        """Forget everything."""
        self._db.close()
        shutil.rmtree(self._directory)
        self._db = self._open()

    def close(self) -> None:
        """Close the database; what was written stays."""
        self._db.close()

    def _open(self) -> Rdict:
        self._directory.mkdir(parents=True, exist_ok=True)
        table = BlockBasedOptions()
        table.set_bloom_filter(10, block_based=False)
        table.set_block_cache(Cache(self._cache_bytes))
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_block_based_table_factory(table)
        options.set_compression_type(DBCompressionType.lz4())
        return Rdict(str(self._directory), options)

"""The join store on disk: RocksDB, one database for each shard.

The store always equals a prefix of the shard's join log: each committed delta is written in one
batch together with its mark (lineage, epoch, sequence). There is no write-ahead log, for the join
log is one: all tables are flushed together, and a store whose process died stands at an older
mark. A store of another lineage, or one that is ahead of the checkpoint, is wiped and rebuilt.
"""

from __future__ import annotations

import shutil
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Final, cast

import msgspec
from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from streams.ingest.store.changes import Changes, writes
from streams.ingest.store.tables import BY_HOUR, Table

_MARK: Final = b"\x00mark/3"
"""Key of the mark, with the format of all others: a store of another one is built anew."""


class StoreMark(msgspec.Struct, frozen=True):
    """How far the store follows the log.

    ``hint`` is an offset of the join log that is not after the first delta still to be applied.
    """

    lineage: str
    epoch: int
    sequence: int
    hint: int


class StoreMemory:
    """What all join stores of a process take together, besides their hash indexes.

    Parameters
    ----------
    cache_bytes
        Bound of what has been read.
    buffer_bytes
        Bound of what has not been written to disk.
    """

    def __init__(self, *, cache_bytes: int = 64 << 20, buffer_bytes: int = 64 << 20) -> None:
        self.cache = Cache(cache_bytes)
        self.buffer_bytes = buffer_bytes
        self.buffers = WriteBufferManager(buffer_bytes, False)


class JoinStore:
    """Tables on disk; `streams.ingest.store.tables` says which.

    Parameters
    ----------
    directory
        Where the database lives; made if it does not exist.
    memory
        Shared by the stores of a process.
    """

    def __init__(self, directory: Path, *, memory: StoreMemory | None = None) -> None:
        self._directory, self._gone = directory, directory.with_name(directory.name + ".gone")
        self._memory = memory or StoreMemory()
        self._open()

    def get_many(self, keys: Sequence[bytes], table: Table = Table.VALUES) -> list[bytes | None]:
        """Values of keys, in their order."""
        if not keys:
            return []
        return cast("list[bytes | None]", self._tables[table].get(list(keys)))

    def scan(
        self, start: bytes, stop: bytes, table: Table = Table.VALUES
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys in [start, stop) with their values, ascending."""
        found = cast("Iterator[tuple[bytes, bytes]]", self._tables[table].items(from_key=start))
        for key, value in found:
            if key >= stop:
                return
            yield key, value

    def write(self, changes: Changes, mark: StoreMark) -> None:
        """Write changes and the mark behind them, all or nothing."""
        dropped, tables = writes(changes, self)
        batch = WriteBatch(raw_mode=True)
        if changes.dropped:
            for table in BY_HOUR:
                batch.delete_range(b"", dropped, self._families[table])
        for table, values in tables.items():
            family = self._families[table]
            for key, value in values.items():
                if value is None:
                    batch.delete(key, family)
                else:
                    batch.put(key, value, family)
        batch.put(_MARK, msgspec.msgpack.encode(mark))
        self._db.write(batch)

    def mark(self) -> StoreMark | None:
        """The mark, None in a new store."""
        value = self._db.get(_MARK)
        return None if value is None else msgspec.msgpack.decode(value, type=StoreMark)

    def wipe(self) -> None:
        """Forget everything."""
        self.close()
        self._remove()
        self._open()

    def close(self) -> None:
        """Close the database; what was written stays."""
        # It closes with the last reference to it, and flushes all tables together then: its own
        # flush and close do so table by table, and a death between would part them.
        self._families.clear()
        self._tables.clear()
        del self._db

    def _open(self) -> None:
        shutil.rmtree(self._gone, ignore_errors=True)
        families = {table.value: self._options(table) for table in Table}
        if self._foreign(families):
            self._remove()
        self._directory.mkdir(parents=True, exist_ok=True)
        options = self._options(Table.VALUES)
        options.create_if_missing(True)
        options.create_missing_column_families(True)
        options.set_atomic_flush(True)
        options.set_max_background_jobs(2)
        options.set_write_buffer_manager(self._memory.buffers)
        self._db = Rdict(str(self._directory), options, families)
        unlogged = WriteOptions()
        unlogged.disable_wal = True  # type: ignore[method-assign,assignment]
        self._db.set_write_options(unlogged)
        self._tables = {table: self._db.get_column_family(table.value) for table in Table}
        self._families = {table: self._db.get_column_family_handle(table.value) for table in Table}

    def _remove(self) -> None:
        """Remove the database; half of one, after a kill, could not be opened again."""
        self._directory.rename(self._gone)
        shutil.rmtree(self._gone)

    def _foreign(self, families: Container[str]) -> bool:
        """Whether the database has tables of another format."""
        there = (self._directory / "CURRENT").exists()
        known = Rdict.list_cf(str(self._directory)) if there else []
        return any(name not in families for name in known if name != "default")

    def _options(self, table: Table) -> Options:
        format_ = BlockBasedOptions()
        if table in BY_HOUR:
            # Only what is there is asked for, and seldom again: a filter and a cache cost more.
            format_.disable_cache()
        else:
            format_.set_block_cache(self._memory.cache)
            format_.set_bloom_filter(10, block_based=False)
            format_.set_cache_index_and_filter_blocks(True)
        options = Options(raw_mode=True)
        options.set_block_based_table_factory(format_)
        options.set_write_buffer_size(self._memory.buffer_bytes // 2)
        packed = DBCompressionType.none() if table in BY_HOUR else DBCompressionType.lz4()
        options.set_compression_type(packed)
        return options

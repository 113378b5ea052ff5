"""Checkpoint: all that one transaction of a shard holds, as bytes, and the store on disk."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from benchmarks.micro import rows
from benchmarks.micro.case import Case, Do
from schemas import topics
from streams.records import Message
from streams.runtime import join_log, summary_log
from streams.runtime.store import StoreMark

TARGET = summary_log.Target(topic=topics.SUMMARIES, partitions=1, partition_of=lambda key: 0)


@contextmanager
def opened() -> Iterator[tuple[Callable[[], Do], Do]]:
    """Take a shard's changes, encode and store them; and MessagePack of bytes of that size."""
    with rows.store() as base:
        shard, turn = rows.shard(base), itertools.count()
        made: list[Message] = []

        def work() -> None:
            done = shard.checkpoint()
            mark = StoreMark("micro", done.state.epoch, done.state.sequence, 0)
            made[:] = [
                *summary_log.messages(TARGET, done),
                *join_log.messages(topics.JOIN_LOG, 0, mark, done.join_changes),
            ]
            msgspec.msgpack.encode(done.state)
            base.write(done.join_changes, mark)

        def prepare() -> Do:
            shard.take(rows.records(next(turn)))
            return work

        yield prepare, lambda: msgspec.msgpack.encode([message.value for message in made])


CASE = Case("checkpoint", "MessagePack copies bytes of the same size", opened)

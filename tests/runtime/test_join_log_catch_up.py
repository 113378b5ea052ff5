"""A join store catches up with its log from whatever state a crash left it in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
import pytest
from shards import DictBase

from schemas.errors import TransportError
from schemas.topics import TopicSpec
from streams.ingest.store.changes import Changes, Piece
from streams.ingest.store.keys import HOUR_MS
from streams.ingest.store.names import Names
from streams.ingest.store.overlay import Overlay
from streams.ingest.store.tables import LAST, Table
from streams.records import Message, Record
from streams.runtime import join_log
from streams.runtime.checkpoint import LIMIT_BYTES
from streams.runtime.local import LocalTransport
from streams.runtime.local_log import LARGEST_MESSAGE
from streams.runtime.store import JoinStore, StoreMark

TOPIC = "state.join"


class ShortenedTransport(LocalTransport):
    """A log whose first records have been deleted, as retention does."""

    start = 0

    def beginning_offset(self, topic: str, partition: int) -> int:
        return self.start

    def read(self, topic: str, partition: int, *, start: int = 0) -> Iterator[Record]:
        return super().read(topic, partition, start=max(start, self.start))


def target(epoch: int, sequence: int, lineage: str = "ours") -> StoreMark:
    return StoreMark(lineage, epoch, sequence, 0)


def changes_of(values: Mapping[bytes, bytes | None]) -> Changes:
    return Changes(0, [], list(values.items()))


CHECKPOINTS: list[tuple[int, int, Changes]] = [
    (1, 1, changes_of({b"w1": b"a", b"w2": b"b"})),
    (1, 2, changes_of({b"w1": None, b"w3": b"c"})),
    (2, 1, changes_of({b"w2": b"B"})),
    (3, 1, Changes()),
    (3, 2, changes_of({b"w4": b"d", b"w3": None})),
]
"""Epoch, sequence and changes of some checkpoints of one lineage."""

STATES: list[dict[bytes, bytes]] = [
    {b"w1": b"a", b"w2": b"b"},
    {b"w2": b"b", b"w3": b"c"},
    {b"w2": b"B", b"w3": b"c"},
    {b"w2": b"B", b"w3": b"c"},
    {b"w2": b"B", b"w4": b"d"},
]
"""What the store holds after each."""


@pytest.fixture
def transport() -> ShortenedTransport:
    """A log of one shard with all checkpoints, and a foreign record between."""
    made = ShortenedTransport()
    made.ensure_topics([TopicSpec(TOPIC, 2, "shard", "join delta", retention_ms=None)])
    sender = made.sender()
    for epoch, sequence, changes in CHECKPOINTS:
        for message in join_log.messages(TOPIC, 1, target(epoch, sequence), changes):
            sender.send(message)
        for message in join_log.messages(
            TOPIC, 1, target(9, 9, "theirs"), changes_of({b"w9": b"x"})
        ):
            sender.send(message)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JoinStore]:
    made = JoinStore(tmp_path / "join")
    yield made
    made.close()


def content(store: JoinStore) -> dict[bytes, bytes]:
    return dict(store.scan(b"", LAST))


def catch_up(transport: LocalTransport, store: JoinStore, wanted: StoreMark) -> int:
    return join_log.catch_up(transport, TOPIC, 1, store, wanted)


def assert_complete(transport: LocalTransport, store: JoinStore) -> None:
    """The store is at the last checkpoint, and would go on from the log's end."""
    assert content(store) == STATES[-1]
    end = transport.end_offset(TOPIC, 1)
    assert store.mark() == msgspec.structs.replace(target(3, 2), hint=end)
    assert catch_up(transport, store, target(3, 2)) == 0


def test_from_nothing(transport: ShortenedTransport, store: JoinStore) -> None:
    """Every delta of the lineage is applied, and no other's."""
    assert catch_up(transport, store, target(3, 2)) == 4
    assert_complete(transport, store)


@pytest.mark.parametrize("known", range(len(CHECKPOINTS)))
def test_from_the_middle(known: int, transport: ShortenedTransport, store: JoinStore) -> None:
    """Only what is newer than the store's mark is applied, wherever its hint points before."""
    epoch, sequence, _ = CHECKPOINTS[known]
    store.write(changes_of(STATES[known]), target(epoch, sequence))
    newer = sum(1 for e, s, changes in CHECKPOINTS if changes and (e, s) > (epoch, sequence))
    assert catch_up(transport, store, target(3, 2)) == newer
    assert_complete(transport, store)


def test_a_store_at_the_checkpoint_reads_nothing_again(
    transport: ShortenedTransport, store: JoinStore
) -> None:
    """The hint spares reading the log from its start at each restart."""
    catch_up(transport, store, target(3, 2))
    transport.start = transport.end_offset(TOPIC, 1)
    assert catch_up(transport, store, target(3, 2)) == 0
    assert_complete(transport, store)


class Crash(Exception):
    """The process is gone."""


class DyingStore(JoinStore):
    """A store whose process dies before a write, after ``left`` others."""

    left = 0

    def write(self, changes: Changes, mark: StoreMark) -> None:
        if self.left == 0:
            raise Crash
        self.left -= 1
        super().write(changes, mark)


@pytest.mark.parametrize("pieces_written", range(5))
def test_a_crash_between_the_pieces_of_one_checkpoint(pieces_written: int, tmp_path: Path) -> None:
    """The next start goes on with the piece at which it ended, and then the store is complete."""
    transport = LocalTransport()
    transport.ensure_topics([TopicSpec(TOPIC, 2, "shard", "join delta", retention_ms=None)])
    values = {f"w{i}".encode(): b"v" * (LIMIT_BYTES // 3) for i in range(8)}
    pieces = join_log.messages(TOPIC, 1, target(1, 1), changes_of(values))
    assert len(pieces) == 4
    for piece in pieces:
        transport.sender().send(piece)
    dying = DyingStore(tmp_path / "join")
    dying.left = pieces_written
    with pytest.raises(Crash):
        catch_up(transport, dying, target(1, 1))
    dying.close()
    store = JoinStore(tmp_path / "join")
    assert store.mark() is None or (store.mark() or target(1, 1)).epoch < 1
    assert catch_up(transport, store, target(1, 1)) <= 4 - max(pieces_written - 1, 0)
    assert content(store) == values
    store.close()


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        (StoreMark("theirs", 1, 1, 0), "of another lineage"),
        (StoreMark("ours", 3, 3, 0), "ahead of the checkpoint by a sequence"),
        (StoreMark("ours", 4, 1, 0), "ahead of the checkpoint by an epoch"),
    ],
)
def test_a_store_that_is_no_prefix_is_built_anew(
    mark: StoreMark, why: str, transport: ShortenedTransport, store: JoinStore
) -> None:
    """What it holds is not the log's: nothing of it may stay."""
    store.write(changes_of({b"w1": b"wrong", b"w7": b"wrong"}), mark)
    assert catch_up(transport, store, target(3, 2)) == 4, why
    assert_complete(transport, store)


def test_a_store_behind_the_logs_start_is_built_anew(
    transport: ShortenedTransport, store: JoinStore
) -> None:
    """Deltas that it lacks are gone, so what is left of the log is all there is."""
    store.write(changes_of(STATES[0]), StoreMark("ours", 1, 1, 0))
    transport.start = 4
    assert catch_up(transport, store, target(3, 2)) == 2
    assert content(store) == {b"w2": b"B", b"w4": b"d"}


def test_a_store_under_a_first_checkpoint_is_emptied(
    transport: ShortenedTransport, store: JoinStore
) -> None:
    """A shard without a checkpoint starts a lineage of its own: no record of the log is its."""
    store.write(changes_of(STATES[2]), StoreMark("ours", 2, 1, 0))
    assert catch_up(transport, store, target(0, 0, "new")) == 0
    assert content(store) == {}


def parts_of(changes: Changes) -> list[Changes]:
    """What the log has of changes, read again."""
    messages = join_log.messages(TOPIC, 1, target(1, 1), changes)
    assert max(len(message.value or b"") for message in messages) < LARGEST_MESSAGE
    return [
        msgspec.msgpack.decode(message.value or b"", type=join_log.Delta).changes
        for message in messages
    ]


def test_large_changes_are_cut_below_the_limit_of_a_record() -> None:
    """In order, nothing twice and nothing left out; no change, no record."""
    pieces = [
        Piece(i.to_bytes(8, "big"), i % 3, bytes(3_000), bytes(512), bytes(i % 2 * 256))
        for i in range(900)
    ]
    values = [(b"w%05d" % i, None if i % 7 == 0 else bytes(i % 4_000)) for i in range(3_000)]
    parts = parts_of(Changes(77, pieces, values))
    assert len(parts) > 8
    assert [part.dropped for part in parts] == [77, *[0] * (len(parts) - 1)]
    assert [piece for part in parts for piece in part.pieces] == pieces
    assert [change for part in parts for change in part.values] == values
    assert join_log.messages(TOPIC, 1, target(1, 1), Changes()) == []


def test_many_tiny_changes_are_cut_as_well() -> None:
    """What MessagePack adds to each counts."""
    values = {i.to_bytes(3, "big"): None for i in range(120_000)}
    assert len(parts_of(changes_of(values))) > 1


@pytest.mark.parametrize(
    "value",
    [
        b"",
        msgspec.msgpack.encode(("ours", 1, 1, [(b"p1", b"a")])),
        msgspec.msgpack.encode((2, "ours", 1, 1, (0, [], [], []))),
    ],
    ids=["nothing", "no format", "another format"],
)
def test_a_log_of_another_format_is_refused(value: bytes, store: JoinStore) -> None:
    """With its place and what to do; the store is not touched with what cannot be read."""
    transport = LocalTransport()
    transport.ensure_topics([TopicSpec(TOPIC, 2, "shard", "join delta", retention_ms=None)])
    transport.sender().send(Message(TOPIC, value, partition=1))
    with pytest.raises(TransportError, match=r"offset 0 of state.join\[1\] .* another prefix"):
        catch_up(transport, store, target(3, 2))
    assert content(store) == {}


@pytest.mark.parametrize("known", [0, 1, 7, 25, 39])
def test_predictions_of_many_checkpoints(known: int, store: JoinStore) -> None:
    """Pages that fill up bit by bit, labels that change, and hours that go."""
    base = DictBase()
    transport = LocalTransport()
    transport.ensure_topics([TopicSpec(TOPIC, 2, "shard", "join delta", retention_ms=None)])
    overlay = Overlay(base)
    for sequence in range(1, 40):
        names = Names.of("m", [f"{sequence}-{i}" for i in range(sequence % 7)])
        records = [bytes([sequence]) * 63] * len(names)
        overlay.insert(names, records, np.full(len(names), sequence // 9 * HOUR_MS))
        asked = Names.of("m", [f"{i}-1" for i in range(sequence)])
        found = overlay.find(asked)
        changed = [bytes([sequence]) * 63] * len(found)
        overlay.update(asked.take(found.rows), changed, found.until_ms)
        overlay.drop(sequence // 20 * HOUR_MS)
        changes = overlay.take()
        base.write(changes)
        if sequence <= known:
            store.write(changes, target(1, sequence))
        for message in join_log.messages(TOPIC, 1, target(1, sequence), changes):
            transport.sender().send(message)
    catch_up(transport, store, target(1, 39))
    for table in Table:
        assert dict(store.scan(b"", LAST, table)) == base.tables[table]
        assert base.tables[table] or table is Table.VALUES

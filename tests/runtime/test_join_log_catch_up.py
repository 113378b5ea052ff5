"""A join store catches up with its log from whatever state a crash left it in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from schemas.topics import TopicSpec
from streams.ingest.store import Changes
from streams.records import Record
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


CHECKPOINTS: list[tuple[int, int, Changes]] = [
    (1, 1, {b"p1": b"a", b"p2": b"b"}),
    (1, 2, {b"p1": None, b"p3": b"c"}),
    (2, 1, {b"p2": b"B"}),
    (3, 1, {}),
    (3, 2, {b"p4": b"d", b"p3": None}),
]
"""Epoch, sequence and changes of some checkpoints of one lineage."""

STATES: list[dict[bytes, bytes]] = [
    {b"p1": b"a", b"p2": b"b"},
    {b"p2": b"b", b"p3": b"c"},
    {b"p2": b"B", b"p3": b"c"},
    {b"p2": b"B", b"p3": b"c"},
    {b"p2": b"B", b"p4": b"d"},
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
        for message in join_log.messages(TOPIC, 1, target(9, 9, "theirs"), {b"p9": b"x"}):
            sender.send(message)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JoinStore]:
    made = JoinStore(tmp_path / "join")
    yield made
    made.close()


def content(store: JoinStore) -> dict[bytes, bytes]:
    return dict(store.scan(b"p", b"z"))


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
    store.write(dict(STATES[known]), target(epoch, sequence))
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
    changes: Changes = {f"p{i}".encode(): b"v" * (LIMIT_BYTES // 3) for i in range(8)}
    pieces = join_log.messages(TOPIC, 1, target(1, 1), changes)
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
    assert content(store) == changes
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
    store.write({b"p1": b"wrong", b"p7": b"wrong"}, mark)
    assert catch_up(transport, store, target(3, 2)) == 4, why
    assert_complete(transport, store)


def test_a_store_behind_the_logs_start_is_built_anew(
    transport: ShortenedTransport, store: JoinStore
) -> None:
    """Deltas that it lacks are gone, so what is left of the log is all there is."""
    store.write(dict(STATES[0]), StoreMark("ours", 1, 1, 0))
    transport.start = 4
    assert catch_up(transport, store, target(3, 2)) == 2
    assert content(store) == {b"p2": b"B", b"p4": b"d"}


def test_a_store_under_a_first_checkpoint_is_emptied(
    transport: ShortenedTransport, store: JoinStore
) -> None:
    """A shard without a checkpoint starts a lineage of its own: no record of the log is its."""
    store.write(dict(STATES[2]), StoreMark("ours", 2, 1, 0))
    assert catch_up(transport, store, target(0, 0, "new")) == 0
    assert content(store) == {}


def test_large_changes_are_cut_below_the_limit_of_a_record() -> None:
    """In order, nothing twice and nothing left out; no change, no record."""
    changes: Changes = {
        f"p{i:05}".encode(): None if i % 7 == 0 else bytes(i % 4_000) for i in range(3_000)
    }
    messages = join_log.messages(TOPIC, 1, target(1, 1), changes)
    assert len(messages) > 3
    assert max(len(message.value or b"") for message in messages) < LARGEST_MESSAGE
    found = [
        change
        for message in messages
        for change in msgspec.msgpack.decode(message.value or b"", type=join_log.Delta).changes
    ]
    assert found == list(changes.items())
    assert join_log.messages(TOPIC, 1, target(1, 1), {}) == []


def test_many_tiny_changes_are_cut_as_well() -> None:
    """What MessagePack adds to each counts."""
    changes: Changes = {i.to_bytes(3, "big"): None for i in range(120_000)}
    messages = join_log.messages(TOPIC, 1, target(1, 1), changes)
    assert len(messages) > 1
    assert max(len(message.value or b"") for message in messages) < LARGEST_MESSAGE

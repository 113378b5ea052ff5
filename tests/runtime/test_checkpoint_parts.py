"""Checkpoints: parts of a state, the barrier, and values that are cut to fit a record."""

from __future__ import annotations

import random

import msgspec
import pytest

from schemas.errors import TransportError
from schemas.topics import TopicSpec
from streams.records import Message
from streams.runtime import checkpoint, outbox
from streams.runtime.local import LocalTransport
from streams.runtime.local_log import LARGEST_MESSAGE

TOPIC = "state.checkpoint"


def test_the_last_value_of_each_part_is_the_state() -> None:
    """Owners of one partition do not see each other, also where one name begins another."""
    transport = LocalTransport()
    transport.ensure_topics([TopicSpec(TOPIC, 2, "part", "checkpoint", compacted=True)])
    sender = transport.sender()
    for owner, changes in (
        ("ingest/1", {"state": b"old", "route/0": b"r0"}),
        ("ingest/11", {"state": b"other"}),
        ("decide/1", {"offset": b"5"}),
        ("ingest/1", {"state": b"new", "route/1": b"r1"}),
        ("ingest/1", {"route/0": None, "never": None}),
    ):
        for message in checkpoint.messages(TOPIC, 1, owner, changes):
            sender.send(message)
    assert checkpoint.read(transport, TOPIC, 1, "ingest/1") == {"state": b"new", "route/1": b"r1"}
    assert checkpoint.read(transport, TOPIC, 1, "decide/1") == {"offset": b"5"}
    assert checkpoint.read(transport, TOPIC, 0, "ingest/1") == {}


def test_the_barrier_lets_equal_offsets_through() -> None:
    """Other partitions of the group are no concern; a new shard has nothing to compare."""
    checkpoint.check_barrier({("predictions", 1): 7}, {("predictions", 1): 7, ("feedback", 1): 3})
    checkpoint.check_barrier({}, {("predictions", 1): 7})


@pytest.mark.parametrize("committed", [None, 6, 8])
def test_the_barrier_stops_a_state_of_another_transaction(committed: int | None) -> None:
    """The message names topic, partition, both offsets and the way out."""
    with pytest.raises(TransportError) as caught:
        checkpoint.check_barrier({("predictions", 1): 7}, {("predictions", 1): committed})
    message = str(caught.value)
    for part in ("predictions[1]", "offset 7", f"the group at {committed}", "restore them"):
        assert part in message


@pytest.mark.parametrize("seed", range(5))
def test_values_are_cut_below_the_limit_and_found_again(seed: int) -> None:
    """In their order; no part is larger than a record may be."""
    rng = random.Random(seed)
    longest = rng.choice((3, 1_000, 400_000))
    count = {3: 400_000, 1_000: 5_000, 400_000: 12}[longest]
    values = [bytes(rng.randint(0, longest)) for _ in range(count)]
    parts = checkpoint.cut("out", values)
    assert len(parts) > 1
    assert list(parts) == [f"out/{i}" for i in range(len(parts))]
    assert max(map(len, parts.values())) < LARGEST_MESSAGE
    found = [v for part in parts.values() for v in msgspec.msgpack.decode(part, type=list[bytes])]
    assert found == values


def letter(i: int, size: int) -> Message:
    headers = (("ce_id", str(i).encode()), ("content-type", b"application/json"))
    return Message(topic="windows", key=b"fraud", value=b"%d" % i + bytes(size), headers=headers)


def test_an_outbox_beyond_one_record_comes_back_in_order() -> None:
    """Eleven and more parts: their numbers are not sorted as text."""
    letters = [letter(i, 90_000) for i in range(150)]
    parts = outbox.pack(letters)
    assert len(parts) > 11
    shuffled = dict(random.Random(1).sample(list(parts.items()), len(parts)))
    state = {"offset": b"x", "state/window:1": b"y", **shuffled}
    assert outbox.unpack(state) == letters


def test_an_empty_outbox_has_no_parts() -> None:
    """And none of a state that never decided anything."""
    assert outbox.pack([]) == {}
    assert outbox.unpack({"offset": b"x"}) == []

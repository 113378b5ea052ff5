"""Rows written to the local log at once are those written one by one."""

from __future__ import annotations

import pytest

from schemas.errors import TransportError
from schemas.topics import TopicSpec
from streams.records import Message, Record
from streams.runtime.local import LocalTransport
from streams.runtime.local_log import LARGEST_MESSAGE

TOPIC, PARTITIONS = "predictions", 3
ROWS = [(1_000 + n, b"key-%d" % n, b"{%d}" % n) for n in range(40)]


def transport() -> LocalTransport:
    """One topic of some partitions."""
    found = LocalTransport()
    found.ensure_topics([TopicSpec(TOPIC, PARTITIONS, "key", "Event")])
    return found


def records(log: LocalTransport) -> list[list[Record]]:
    """All records of each partition."""
    return [list(log.read(TOPIC, number)) for number in range(PARTITIONS)]


def test_as_one_by_one() -> None:
    """Partitions, offsets, times and bytes, after rows that were there before."""
    at_once, alone = transport(), transport()
    sender = alone.sender()
    for rows in (ROWS[:7], ROWS[7:]):
        at_once.extend(TOPIC, rows)
        for time_ms, key, value in rows:
            sender.send(Message(TOPIC, value, key=key, timestamp_ms=time_ms))
    assert records(at_once) == records(alone)
    assert all(records(alone))


def test_what_cannot_be_written_is_refused() -> None:
    """No such topic, and a row larger than a message may be."""
    log = transport()
    with pytest.raises(TransportError, match="no partition 0 of topic other"):
        log.extend("other", ROWS)
    with pytest.raises(TransportError, match="write it in parts"):
        log.extend(TOPIC, [(1_000, b"k", bytes(LARGEST_MESSAGE))])

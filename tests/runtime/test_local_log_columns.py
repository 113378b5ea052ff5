"""What the log in memory gives in columns are its records."""

from __future__ import annotations

import pytest

from schemas.topics import TopicSpec
from streams.records import Message, Records
from streams.runtime.local_log import LocalLog, LocalReader

TOPIC = "predictions"
PLACE = (TOPIC, 0)


def written() -> LocalLog:
    """Nine records of one partition; every third begins behind the mark of a transaction."""
    log = LocalLog(clock=lambda: 7)
    log.create(TopicSpec(TOPIC, 1, "key", "Event"))
    for first in range(0, 9, 3):
        log.append(
            [
                Message(TOPIC, None if n == 4 else b"%d" % n, key=b"k", timestamp_ms=n * 100)
                for n in range(first, first + 3)
            ]
        )
    return log


def rows(found: Records) -> list[tuple[int, int, bytes]]:
    """The columns, row by row."""
    return list(zip(found.offsets, found.timestamps_ms, found.values, strict=True))


@pytest.mark.parametrize("start", range(13))
@pytest.mark.parametrize("count", [1, 4, 20])
def test_columns_are_those_of_the_records(start: int, count: int) -> None:
    """From any offset on, also from one that a mark took; a value that is missing is empty."""
    partition = written().partition(PLACE)
    offsets = [0, 1, 2, 4, 5, 6, 8, 9, 10]
    assert [record.offset for record in partition.records] == offsets
    found = partition.since(start, count)
    expected = [record for record in partition.records if record.offset >= start][:count]
    assert found.each() == list(found) == expected
    assert rows(found) == [(r.offset, r.timestamp_ms, r.value or b"") for r in expected]
    assert found.stamps_ms.tolist() == [record.timestamp_ms for record in expected]
    if expected:
        later = found.since(expected[-1].offset)
        assert later.each() == expected[-1:]
        assert rows(later) == rows(found)[-1:]


def test_a_missing_value_stays_missing_in_its_record() -> None:
    """Only the column has bytes instead."""
    found = written().partition(PLACE).since(5, 1)
    assert (found[0].value, found.values) == (None, [b""])


def test_what_was_taken_does_not_change_with_the_log() -> None:
    """A batch is worked on while others write."""
    log = written()
    reader = LocalReader(log, {PLACE: 0})
    (taken,) = reader.take(4)
    before = rows(taken)
    log.write(Message(TOPIC, b"more", key=b"k", timestamp_ms=5))
    assert rows(taken) == before
    (rest,) = reader.take(20)
    assert [*taken.offsets, *rest.offsets] == [0, 1, 2, 4, 5, 6, 8, 9, 10, 12]


def test_a_time_that_is_none_leaves_nothing_behind() -> None:
    """A record is written whole, or not at all."""
    log = written()
    with pytest.raises(TypeError):
        log.write(Message(TOPIC, b"{}", key=b"k", timestamp_ms=1.5))  # type: ignore[arg-type]
    partition = log.partition(PLACE)
    sizes = {len(partition.records), len(partition.offsets), len(partition.values)}
    assert sizes == {len(partition.timestamps_ms)} == {9}

"""Records: what is read from the log and written to it, whatever the log is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

Headers = tuple[tuple[str, bytes], ...]


class Record(NamedTuple):
    """A record as read. A tuple: made once for each event, at a quarter of a dataclass' cost.

    Parameters
    ----------
    offset
        Place in the partition. Offsets grow, but not by one: transactions take offsets too.
    timestamp_ms
        What the producer or the broker stamped, in milliseconds since the epoch.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Message:
    """A record to be written.

    Parameters
    ----------
    partition
        None lets the key choose, by `partitioner.partition_of`; no key, no promise.
    timestamp_ms
        Milliseconds since the epoch; None stamps the moment of sending.
    """

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: Headers = ()
    timestamp_ms: int | None = None

"""Reads the control topics whole, then follows them."""

from __future__ import annotations

from schemas import topics
from streams.control import Control
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport


class ControlReader:
    """Keeps a `Control` up to date.

    Parameters
    ----------
    transport, settings
        Where the control topics are.
    """

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self.control = Control()
        self._transport = transport
        self._names = {settings.topic(name): name for name in topics.CONTROL}
        self._follower = transport.tail(list(self._names), from_beginning=True)
        self.catch_up()

    def catch_up(self) -> None:
        """Read all that is in the log by now: its ends are asked for, not remembered."""
        ends = {place: self._transport.end_offset(*place) for place in self._follower.positions()}
        while any(self._follower.positions()[place] < end for place, end in ends.items()):
            self.poll(timeout_ms=100)

    def poll(self, *, timeout_ms: int = 0) -> bool:
        """Read what is new; True if there was anything."""
        records = self._follower.poll(max_records=1_000, timeout_ms=timeout_ms)
        for record in records:
            if record.value is not None:
                self.control.apply(self._names[record.topic], record.value)
        return bool(records)

    def close(self) -> None:
        """Stop reading."""
        self._follower.close()

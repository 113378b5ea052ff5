"""Reads the control topics whole, then follows them."""

from __future__ import annotations

from collections.abc import Callable

from schemas import topics
from schemas.dead_letters import DeadLetter
from schemas.errors import BadRecord
from streams.control import Control
from streams.dead_letters import refusal
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport


class ControlReader:
    """Keeps a `Control` up to date.

    Parameters
    ----------
    transport, settings
        Where the control topics are.
    refuse
        Told of each record that cannot be used. Everybody reads these topics; one, DECIDE, tells.
    """

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        refuse: Callable[[DeadLetter], None] = lambda letter: None,
    ) -> None:
        self.control = Control()
        self._refuse = refuse
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
            if record.value is None:
                continue
            try:
                self.control.apply(self._names[record.topic], record.value)
            except BadRecord as bad:
                self._refuse(refusal(record, bad))
        return bool(records)

    def close(self) -> None:
        """Stop reading."""
        self._follower.close()

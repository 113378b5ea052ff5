"""The journal: what was delivered and executed, which stands in the topic ``commands``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from schemas import topics
from schemas.commands import Delivered, Executed
from streams.act.apart import Apart
from streams.records import Message, Record
from streams.runtime.envelope import command_message
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport

SOURCE = "act"


class _Entry(msgspec.Struct, frozen=True):
    """The few fields of a command that count here."""

    kind: str
    event_id: str = ""
    target: str = ""
    settled: bool = True
    idempotency_key: str = ""


_ENTRY = msgspec.json.Decoder(_Entry)


class Journal:
    """Remembers acknowledgements; nothing counts as done before the log holds it.

    One record tells everybody: this journal, that of the next process, and DECIDE, which then
    says the event no more. Kafka is spoken to from one thread of its own, so that a slow broker
    does not hold up the event loop.

    Parameters
    ----------
    transport, settings
        Where ``commands`` is; it is read whole before the constructor returns.
    """

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self._transport = transport
        self._settings = settings
        # Of events that are not settled yet; there are few of these.
        self._delivered: dict[str, set[str]] = {}
        self._settled: set[str] = set()
        self._executed: set[str] = set()
        self._sender = transport.sender()
        self._follower = transport.tail([settings.topic(topics.COMMANDS)], from_beginning=True)
        self._apart = Apart("journal")
        self._closing = False
        self._catch_up()

    def delivered(self, event_id: str) -> frozenset[str]:
        """The targets that have an unsettled event, or to which it was given up."""
        return frozenset(self._delivered.get(event_id, ()))

    def settled(self, event_id: str) -> bool:
        """Whether every target has the event, or was given up."""
        return event_id in self._settled

    def executed(self, idempotency_key: str) -> bool:
        """Whether an executor's acknowledgement of the key is recorded."""
        return idempotency_key in self._executed

    async def record(
        self, command: Delivered | Executed, *, beside: Sequence[Message] = ()
    ) -> None:
        """Write an acknowledgement; returns once the log holds it.

        Parameters
        ----------
        beside
            What must be in the log before it, such as a dead letter.

        Raises
        ------
        TransportError
            If the log does not take it in time; it may still arrive later.
        """
        await self._apart.do(lambda: self._record(command, beside))

    async def refresh(self) -> None:
        """Take in what other processes wrote, as far as it has come."""
        await self._apart.do(self._poll)

    async def catch_up(self) -> None:
        """Read to the end of the log as it is now, as after a change of partitions."""
        await self._apart.do(self._catch_up)

    async def close(self) -> None:
        """Stop reading and writing."""
        self._closing = True
        await self._apart.close(self._close)

    def _record(self, command: Delivered | Executed, beside: Sequence[Message]) -> None:
        for message in beside:
            self._sender.send(message)
        if beside:
            self._sender.flush()
        self._sender.send(command_message(command, self._settings, source=SOURCE))
        self._sender.flush()
        self._apply(command.model_dump_json().encode())

    def _catch_up(self) -> None:
        ends = {place: self._transport.end_offset(*place) for place in self._follower.positions()}
        # While no broker answers nothing comes, and the process has to end nevertheless.
        while not self._closing and any(
            self._follower.positions()[place] < end for place, end in ends.items()
        ):
            self._take(self._follower.poll(max_records=5_000, timeout_ms=100))

    def _poll(self) -> None:
        while records := self._follower.poll(max_records=5_000, timeout_ms=0):
            self._take(records)

    def _take(self, records: list[Record]) -> None:
        for record in records:
            if record.value is not None:
                self._apply(record.value)

    def _apply(self, value: bytes) -> None:
        try:
            entry = _ENTRY.decode(value)
        except msgspec.DecodeError:
            return  # DECIDE refuses it aloud; here it acknowledges nothing.
        if entry.kind == "delivered":
            if entry.settled:
                self._settled.add(entry.event_id)
                self._delivered.pop(entry.event_id, None)
            elif entry.event_id not in self._settled:
                self._delivered.setdefault(entry.event_id, set()).add(entry.target)
        elif entry.kind == "executed":
            self._executed.add(entry.idempotency_key)

    def _close(self) -> None:
        self._follower.close()
        self._sender.close()

"""What the topic ``commands`` says of schedules and silences: read whole, then followed."""

from __future__ import annotations

from pydantic import ValidationError

from schemas import topics
from schemas.commands import Delivered, Silence, Unsilence, read_command
from streams.act.notices import Standing
from streams.act.schedule import last_done
from streams.records import Record
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport

HOLDS = (b'"silence"', b'"unsilence"', b'"schedule/')
"""What a command that counts here holds; the others, nearly all, need not be parsed."""


class History:
    """Which runs are done, and which silences are in force.

    Parameters
    ----------
    transport, settings
        Where ``commands`` is; it is read whole before the constructor returns.
    """

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self._done: dict[str, int] = {}
        self._silences: dict[str, Standing] = {}
        self._ended: set[str] = set()
        self._transport = transport
        topic = settings.topic(topics.COMMANDS)
        self._follower = transport.tail([topic], from_beginning=True)
        ends = {place: transport.end_offset(*place) for place in self._follower.positions()}
        while any(self._follower.positions()[place] < end for place, end in ends.items()):
            self.poll(timeout_ms=100)

    @property
    def done_ms(self) -> dict[str, int]:
        """When each schedule was last due and done, by name, milliseconds since the epoch."""
        return dict(self._done)

    def silences(self) -> list[Standing]:
        """Silences that nobody ended; their time may be over."""
        return [one for id_, one in self._silences.items() if id_ not in self._ended]

    def poll(self, *, timeout_ms: int = 0) -> None:
        """Take in what is new."""
        for record in self._follower.poll(max_records=5_000, timeout_ms=timeout_ms):
            self._take(record)

    def close(self) -> None:
        """Stop reading."""
        self._follower.close()

    def _take(self, record: Record) -> None:
        value = record.value
        if value is None or not any(part in value for part in HOLDS):
            return
        try:
            command = read_command(value)
        except ValidationError:
            return  # DECIDE refuses it aloud.
        match command:
            case Silence():
                # A command read twice counts once, from its first time.
                self._silences.setdefault(command.id, Standing(command, record.timestamp_ms))
            case Unsilence():
                self._ended.add(command.silence_id)
            case Delivered(settled=True):
                for name, due_ms in last_done([command.event_id]).items():
                    self._done[name] = max(due_ms, self._done.get(name, due_ms))
            case _:
                pass

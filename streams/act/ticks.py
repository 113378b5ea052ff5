"""Ticks: time goes on in DECIDE, although no event may come."""

from __future__ import annotations

from schemas.commands import Tick
from streams.records import Message
from streams.runtime.clock import Clock
from streams.runtime.envelope import command_message
from streams.runtime.settings import Settings
from streams.runtime.transport import Sender

EVERY_MODEL = "*"
"""A tick is about no model, and about all of its partition."""


def ticks(settings: Settings, *, partitions: int, now_ms: int) -> list[Message]:
    """A tick for each partition of ``ticks``.

    The broker stamps them, and that is the time they tell; ``now_ms`` makes their ids unique.
    Several workers may tick: that changes nothing.

    Examples
    --------
    >>> two = ticks(Settings(worker="a"), partitions=2, now_ms=5)
    >>> [(message.partition, message.headers[1][1]) for message in two]
    [(0, b'tick/a/5/0'), (1, b'tick/a/5/1')]
    """
    return [_tick(settings, partition, now_ms) for partition in range(partitions)]


def _tick(settings: Settings, partition: int, now_ms: int) -> Message:
    tick = Tick(
        kind="tick",
        id=f"tick/{settings.worker}/{now_ms}/{partition}",
        model=EVERY_MODEL,
        time=now_ms,
        by="act",
    )
    return command_message(tick, settings, source="act", partition=partition)


class Ticker:
    """Publishes ticks.

    Parameters
    ----------
    sender
        Of the transport that has ``ticks``; its errors pass.
    clock
        Whose time makes ids unique.
    partitions
        Of ``ticks``.
    """

    def __init__(
        self, sender: Sender, settings: Settings, *, clock: Clock, partitions: int
    ) -> None:
        self._sender = sender
        self._settings = settings
        self._clock = clock
        self._partitions = partitions

    def step(self) -> None:
        """Publish a tick to every partition and wait until the log has them."""
        now_ms = self._clock.wall_ms()
        for message in ticks(self._settings, partitions=self._partitions, now_ms=now_ms):
            self._sender.send(message)
        self._sender.flush()

    def close(self) -> None:
        """Tick no more."""
        self._sender.close()

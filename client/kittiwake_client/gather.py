"""Events that come one by one and are sent as tables: held back for a moment, by model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from kittiwake_client.events import plain_event
from kittiwake_client.kinds import PREDICTION

Event = dict[str, Any]

MOST_HELD = 20_000
"""Events that a gatherer holds back at most: the thread that sends them comes every 0.1 s."""


class Gatherer:
    """Predictions of one model on their way into a table; `Publisher.gather` makes one.

    Parameters
    ----------
    reserve
        Takes a place in the publisher's queue, if there is room here; False if the event is
        dropped.
    send
        Sends events as a table, or says False where that cannot be done yet.
    """

    def __init__(
        self,
        model: str,
        *,
        linger_ms: int,
        reserve: Callable[[bool], bool],
        send: Callable[[str, list[Event]], bool],
    ) -> None:
        self._model = model
        self._linger_s = linger_ms / 1_000
        self._reserve = reserve
        self._send = send
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._since_s = 0.0

    def add(self, event: Mapping[str, object] | None = None, /, **fields: object) -> bool:
        """Take a prediction event without its ``model``; False if it was dropped.

        Raises
        ------
        InvalidEvent
            As by `Publisher.prediction`.
        """
        whole = {**(event or {}), **fields, "model": self._model}
        taken = plain_event(PREDICTION, whole, now_ms=time.time_ns() // 1_000_000)
        with self._lock:
            if not self._reserve(len(self._events) < MOST_HELD):
                return False
            if not self._events:
                self._since_s = time.monotonic()
            self._events.append(taken)
        return True

    def send(self, *, now: bool = False) -> None:
        """Send what has been held back for long enough, or all of it ``now``."""
        with self._lock:
            due = now or time.monotonic() - self._since_s >= self._linger_s
            if not (due and self._events):
                return
            events, self._events = self._events, []
        if not self._send(self._model, events):
            with self._lock:
                self._events = [*events, *self._events]

    def abandon(self) -> int:
        """Forget what is held back; how many events that were."""
        with self._lock:
            events, self._events = self._events, []
        return len(events)

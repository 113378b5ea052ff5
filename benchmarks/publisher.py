"""A process that publishes predictions and their truth at a steady rate.

``python -m benchmarks.publisher --rate 20000 --seconds 60 --truth-after 10,40`` sends that many
predictions each second, and the truth of each: of every second one after ten seconds, of the
others after forty. Events have the time of the wall clock, or ``--speed`` times as fast and so that
the last of them is of now. Each second it says, as a line of JSON, what it has sent so far; the
last line counts what the broker has acknowledged.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence

from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as Delivered

from benchmarks import events
from schemas import topics
from streams.records import Message
from streams.runtime.partitioner import PARTITIONER
from streams.runtime.settings import Settings

KINDS = 1_000
"""So many different predictions take turns."""

TICK_S = 0.02


class Templates:
    """Encoded events with a place for the id and the time."""

    def __init__(self, settings: Settings) -> None:
        self._predictions = _cut(list(events.predictions(settings, KINDS)))
        self._truths = _cut(list(events.feedback(settings, KINDS)), later_ms=600_000)

    def prediction(self, number: int, key: bytes, time_ms: bytes) -> bytes:
        """A prediction."""
        head, middle, tail = self._predictions[number % KINDS]
        return b"".join((head, key, middle, time_ms, tail))

    def truth(self, number: int, key: bytes, time_ms: bytes) -> bytes:
        """Its truth."""
        head, middle, tail = self._truths[number % KINDS]
        return b"".join((head, key, middle, time_ms, tail))


class Publisher:
    """Sends what is due by now.

    Parameters
    ----------
    rate
        Predictions a second.
    truth_after_s
        How long after the predictions their truths come; the predictions take turns.
    start_ms, speed
        Event time at the start, and how much faster than the clock it goes.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        rate: float,
        truth_after_s: Sequence[float] = (),
        start_ms: int,
        speed: float = 1,
    ) -> None:
        self._templates = Templates(settings)
        self._topics = settings.topic(topics.PREDICTIONS), settings.topic(topics.FEEDBACK)
        self._rate = rate
        self._start_ms, self._speed = start_ms, speed
        self._delays_s = truth_after_s
        self._run = f"{time.time_ns() // 1_000_000:x}-".encode()
        self._turns = [0] * len(truth_after_s)
        self.predictions = self.told = self.failed = 0
        self._producer = Producer(
            {
                "bootstrap.servers": settings.bootstrap,
                "enable.idempotence": True,
                "partitioner": PARTITIONER,
                "compression.type": "lz4",
                "linger.ms": 20,
                "queue.buffering.max.kbytes": 65_536,
                "delivery.report.only.error": True,
                "on_delivery": self._delivered,
            }
        )

    def send_due(self, elapsed_s: float) -> None:
        """Send what is due so long after the start."""
        time_ms = self._start_ms + int(1_000 * self._speed * elapsed_s)
        self.predict(int(self._rate * elapsed_s), time_ms)
        turns = len(self._delays_s)
        for turn, delay_s in enumerate(self._delays_s):
            told = self._turns[turn]
            until = max(told, int(self._rate * (elapsed_s - delay_s)) // turns)
            self.tell(range(told * turns + turn, until * turns + turn, turns), time_ms)
            self._turns[turn] = until
        self.poll()

    def predict(self, until: int, time_ms: int) -> None:
        """Send predictions of one time until there are so many."""
        now = b"%d" % time_ms
        for number in range(self.predictions, until):
            key = b"%b%010d" % (self._run, number)
            self._send(self._topics[0], key, self._templates.prediction(number, key, now))
        self.predictions = max(self.predictions, until)

    def tell(self, numbers: Iterable[int], time_ms: int) -> None:
        """Send the truths of these predictions."""
        now = b"%d" % time_ms
        for number in numbers:
            key = b"%b%010d" % (self._run, number)
            self._send(self._topics[1], key, self._templates.truth(number, key, now))
            self.told += 1

    def poll(self) -> None:
        """Let the client say what was not delivered."""
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until the broker has everything."""
        self.failed += self._producer.flush(60)

    def _send(self, topic: str, key: bytes, value: bytes) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key)
                return
            except BufferError:
                self._producer.poll(0.05)

    def _delivered(self, error: KafkaError | None, _message: Delivered) -> None:
        self.failed += error is not None


def main() -> int:
    """Publish until the time is over, or SIGTERM; 1 if something was not delivered."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publisher", description=__doc__)
    parser.add_argument("--rate", type=float, required=True, help="predictions a second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument(
        "--truth-after", default="", help="delays of truths in seconds, with commas; '' for none"
    )
    parser.add_argument("--speed", type=float, default=1, help="of event time")
    options = parser.parse_args()
    publisher = Publisher(
        Settings(),
        rate=options.rate,
        truth_after_s=[float(text) for text in options.truth_after.split(",") if text],
        start_ms=int(1_000 * (time.time() - (options.speed - 1) * options.seconds)),
        speed=options.speed,
    )
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    began = said = time.monotonic()
    while (now := time.monotonic()) - began < options.seconds and not stopped.is_set():
        publisher.send_due(now - began)
        if now - said >= 1:
            said = now
            say(publisher, now - began)
        time.sleep(max(0.0, TICK_S - (time.monotonic() - now)))
    publisher.flush()
    say(publisher, time.monotonic() - began)
    return 1 if publisher.failed else 0


def say(publisher: Publisher, elapsed_s: float) -> None:
    """A line of JSON; ``cpu_s`` is what it took to publish."""
    line = {
        "seconds": round(elapsed_s, 3),
        "predictions": publisher.predictions,
        "truths": publisher.told,
        "failed": publisher.failed,
        "cpu_s": round(time.process_time(), 3),
    }
    print(json.dumps(line), flush=True)


def _cut(messages: Sequence[Message], *, later_ms: int = 0) -> list[tuple[bytes, ...]]:
    """Each event as what stands before the id, between id and time, and after the time."""
    parts: list[tuple[bytes, ...]] = []
    for number, message in enumerate(messages):
        time_ms = b"%d" % (events.START_MS + number * events.STEP_MS + later_ms)
        head, _, rest = (message.value or b"").partition(message.key or b"?")
        middle, _, tail = rest.partition(time_ms)
        if not tail:
            raise ValueError(f"no id and time in {message.value!r}")
        parts.append((head, middle, tail))
    return parts


if __name__ == "__main__":
    sys.exit(main())

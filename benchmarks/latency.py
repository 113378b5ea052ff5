"""From the close of a pane to the alert.

``python -m benchmarks.latency`` starts a Kafka, INGEST and DECIDE as processes, and publishes
predictions of many models at a steady rate. Each model begins to fail at the start of a window of
its own, so that alerts open at the close of every window. A pane is closed once the broker has, in
every partition, an event past the end of the window and the lateness; the alert has come when a
consumer holds it. Writes ``benchmarks/results/latency.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Thread

import numpy as np
from confluent_kafka import KafkaError, Producer
from confluent_kafka import Message as Delivered

from benchmarks import output
from benchmarks.processes import Processes
from benchmarks.publisher import TICK_S
from benchmarks.stand import DECIDE, INGEST, Stand, stand
from schemas import topics
from schemas.alerts import Alert, AlertAction
from schemas.policy import Budgets, Policy, Task
from schemas.summaries import decode
from streams.runtime.partitioner import PARTITIONER

METRIC = "service_errors"
PANE_MS, LATENESS_MS = 5_000, 500

QUIET_WINDOWS = 2
"""Before the first model fails."""

PATIENCE_MS = 60_000
"""Longest wait for the last alert."""

STAGES = ("checkpoint of INGEST", "decision", "delivery")
"""Until INGEST has written the last sums, until DECIDE sends the alert, until it is received."""


@dataclass(frozen=True, slots=True)
class Received:
    """An alert, when DECIDE sent it and when it was held here, in milliseconds."""

    alert: Alert
    sent_ms: int
    received_ms: int


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--models", type=int, default=120, help="each gives an alert")
    parser.add_argument("--windows", type=int, default=10, help="in which models begin to fail")
    parser.add_argument("--rate", type=int, default=4_000, help="predictions a second")
    parser.add_argument("--runs", type=int, default=1)
    options = output.parsed(parser, "latency")
    runs = []
    for _ in range(options.runs):
        runs.append(run(options.models, options.windows, options.rate))
        print(f"run {len(runs)}: {json.dumps(runs[-1])}", flush=True)
    result = {
        "models": options.models,
        "predictions_per_second": options.rate,
        "checkpoint_ms": 1_000,
        "runs": runs,
    }
    output.write(options.output, result)


def run(models: int, windows: int, rate: int) -> dict[str, object]:
    """Seconds from close to alert, in all and by stage."""
    with stand(map(policy, names(models)), None) as place:
        for name in (INGEST, DECIDE):
            place.processes.start(name)
        ready(place.processes)
        listener = Listener(place)
        traffic = Traffic(place, models, windows, rate)
        traffic.publish(listener)
        alerts = listener.stop()
        marks = summaries(place)
    opened = [one for one in alerts if is_wanted(one.alert)]
    stages = [stages_of(one, traffic.stamps, marks) for one in opened]
    total = [sum(each) for each in stages]
    return {
        "alerts": len(opened),
        **spread(total),
        "stages": {name: spread([each[i] for each in stages]) for i, name in enumerate(STAGES)},
    }


def is_wanted(alert: Alert) -> bool:
    """Whether it is of the failure that was staged."""
    return alert.action is AlertAction.OPENED and alert.metric == METRIC


def stages_of(
    one: Received, stamps: Mapping[int, Sequence[Stamp]], marks: Mapping[int, Sequence[Stamp]]
) -> tuple[float, float, float]:
    """Seconds of each stage of an alert."""
    due_ms = one.alert.window_end_ms + LATENESS_MS
    closed_ms = max(first_past(own, due_ms) for own in stamps.values())
    summed_ms = max(first_past(own, due_ms) for own in marks.values())
    return (
        (summed_ms - closed_ms) / 1_000,
        (one.sent_ms - summed_ms) / 1_000,
        (one.received_ms - one.sent_ms) / 1_000,
    )


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Quantiles."""
    p50, p99 = np.quantile(seconds, [0.5, 0.99])
    return {
        "p50_s": round(float(p50), 3),
        "p99_s": round(float(p99), 3),
        "max_s": round(max(seconds), 3),
    }


Stamp = tuple[int, int]
"""An event time, and when it was there; both ascending in a list of them."""


def first_past(stamps: Sequence[Stamp], time_ms: int) -> int:
    """When an event time was reached first.

    Examples
    --------
    >>> first_past([(100, 7), (200, 8), (200, 9), (300, 10)], 150)
    8
    """
    return stamps[bisect_left(stamps, (time_ms, 0))][1]


def names(models: int) -> list[str]:
    """Of all models."""
    return [f"model-{number:03d}" for number in range(models)]


def policy(model: str) -> Policy:
    """Service errors in windows of one pane; quick to tell, so that the way is what is measured."""
    return Policy(
        model=model,
        task=Task.BINARY,
        pane=f"{PANE_MS}ms",
        lateness=f"{LATENESS_MS}ms",
        budgets=Budgets(service_errors=0.05),
    )


class Traffic:
    """Predictions of all models in turn; model i fails from window ``i % windows`` on."""

    def __init__(self, place: Stand, models: int, windows: int, rate: int) -> None:
        self._topic = place.settings.topic(topics.PREDICTIONS)
        self._models = [name.encode() for name in names(models)]
        self._windows, self._rate = windows, rate
        self.stamps: dict[int, list[Stamp]] = {n: [] for n in range(place.settings.shards)}
        self._producer = Producer(
            {
                "bootstrap.servers": place.settings.bootstrap,
                "enable.idempotence": True,
                "partitioner": PARTITIONER,
                "linger.ms": 5,
            }
        )

    def publish(self, listener: Listener) -> None:
        """At the pace of the clock, until every model fails and all have been heard of."""
        pace_ms = 1_000 / self._rate
        first_ms = time.time_ns() // 1_000_000
        start_ms = (first_ms // PANE_MS + 1 + QUIET_WINDOWS) * PANE_MS
        until_ms = start_ms + self._windows * PANE_MS + PATIENCE_MS
        number = 0
        while listener.opened < len(self._models):
            now_ms = time.time_ns() // 1_000_000
            if now_ms > until_ms:
                raise RuntimeError(f"{listener.opened} of {len(self._models)} alerts came")
            for _ in range(number, int((now_ms - first_ms) / pace_ms)):
                self._send(number, now_ms, (now_ms - start_ms) // PANE_MS)
                number += 1
            self._producer.poll(0)
            listener.check()
            time.sleep(TICK_S / 4)
        self._producer.flush(30)

    def _send(self, number: int, now_ms: int, window: int) -> None:
        place = number % len(self._models)
        turn = number // len(self._models)
        error = b',"error":"timeout"' if place % self._windows <= window and turn % 2 else b""
        key = b"p%012d" % number
        value = (
            b'{"prediction_id":"%b","model":"%b","version":"v1","time":%d,"output":{"score":0.1}%b}'
        ) % (key, self._models[place], now_ms, error)

        def delivered(failed: KafkaError | None, message: Delivered) -> None:
            if failed is not None:
                raise RuntimeError(f"an event was not delivered: {failed}")
            stamps = self.stamps[message.partition() or 0]
            time_ms = max(now_ms, stamps[-1][0]) if stamps else now_ms
            stamps.append((time_ms, message.timestamp()[1]))

        self._producer.produce(self._topic, value, key, on_delivery=delivered)


class Listener:
    """Follows the alerts from a thread of its own."""

    def __init__(self, place: Stand) -> None:
        self._follower = place.transport.tail([place.settings.topic(topics.ALERTS)])
        self._stopped, self._found = Event(), list[Received]()
        self._thread = Thread(target=self._listen, daemon=True)
        self._place = place
        self._thread.start()

    def check(self) -> None:
        """Every process runs."""
        list(self._place.processes.running())

    @property
    def opened(self) -> int:
        """How many of the staged failures have been told."""
        return sum(is_wanted(one.alert) for one in self._found)

    def stop(self) -> list[Received]:
        """All alerts that came."""
        self._stopped.set()
        self._thread.join()
        self._follower.close()
        return self._found

    def _listen(self) -> None:
        while not self._stopped.is_set():
            records = self._follower.poll(max_records=500, timeout_ms=100)
            now_ms = time.time_ns() // 1_000_000
            for record in records:
                alert = Alert.model_validate_json(record.value or b"")
                self._found.append(Received(alert, record.timestamp_ms, now_ms))


def ready(processes: Processes) -> None:
    """Wait until both serve metrics, and give them time to take their partitions."""
    while any(processes.scrape(name) is None for name in (INGEST, DECIDE)):
        list(processes.running())
        time.sleep(0.2)


def summaries(place: Stand) -> dict[int, list[Stamp]]:
    """For each shard, how far its summaries had come, and when INGEST wrote them."""
    topic = place.settings.topic(topics.SUMMARIES)
    found: dict[int, list[Stamp]] = {n: [] for n in range(place.settings.shards)}
    for partition in range(place.settings.models):
        for record in place.transport.read(topic, partition):
            mark = decode(record.value or b"").mark
            if mark.predictions_ms is not None:
                found[mark.shard].append((mark.predictions_ms, record.timestamp_ms))
    return found


if __name__ == "__main__":
    main()

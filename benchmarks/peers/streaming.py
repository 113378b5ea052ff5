"""The same predictions from a Kafka: read by the floor, by Kittiwake, and by stream processors."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import events, measure
from benchmarks.peers import question, truth
from benchmarks.peers.question import POLICY, STEP_MS
from benchmarks.peers.tools import Said, Tool, ask
from benchmarks.peers.truth import Place, Truth
from schemas import topics
from streams.records import Message
from streams.results import ResultReader
from streams.runtime.announce import activate
from streams.runtime.clock import SystemClock
from streams.runtime.decide_worker import DecideWorker
from streams.runtime.kafka import KafkaTransport
from streams.runtime.metrics import Metrics
from streams.runtime.partitioner import partition_of
from streams.runtime.settings import Settings
from streams.runtime.transport import TopicPartition

FLOOR, JSON, DRIFT = "floor", "kittiwake json", "kittiwake json with drift"
ARROW = "kittiwake arrow"
OWN = (FLOOR, JSON, DRIFT)

QUIET_STEPS = 10
"""After so many empty steps DECIDE has read all: a step waits for 50 ms."""


class Streams:
    """A Kafka, what is asked about, and what is right.

    Parameters
    ----------
    bootstrap
        A running Kafka.
    count
        Predictions of a run; tools with a share get the first of them.
    """

    def __init__(self, bootstrap: str, count: int) -> None:
        self._bootstrap = bootstrap
        self._count = count
        self._reference = events.reference()
        self._job = question.in_scripts(self._reference)
        self._topics: dict[tuple[int, bool], str] = {}

    def measure_own(self, number: int) -> dict[str, float]:
        """Rates of the floor, of INGEST, and of INGEST and DECIDE together."""
        with TemporaryDirectory(prefix="kittiwake-bench-") as folder:
            settings = self._settings(f"json-{number}.", folder)
            messages = list(question.predictions(settings, self._count))
            transport = self._published(settings, messages)
            values = measure.in_kafka(settings)
            floor = measure.floor(values, self._count)
            values.close()
            ingest, decide = self._kittiwake(JSON, transport, settings, len(messages))
        seconds = {FLOOR: floor, JSON: ingest, DRIFT: ingest + decide}
        return {name: self._count / spent for name, spent in seconds.items()}

    def measure_arrow(self, number: int) -> dict[str, float]:
        """Rate of INGEST of the same predictions in Arrow batches."""
        with TemporaryDirectory(prefix="kittiwake-bench-") as folder:
            settings = self._settings(f"arrow-{number}.", folder)
            messages = list(events.arrow_predictions(settings, self._count, step_ms=STEP_MS))
            transport = self._published(settings, messages)
            ingest, _ = self._kittiwake(ARROW, transport, settings, len(messages))
        return {ARROW: self._count / ingest}

    def _settings(self, prefix: str, folder: str) -> Settings:
        return Settings(bootstrap=self._bootstrap, prefix=prefix, data=Path(folder))

    def _published(self, settings: Settings, messages: Sequence[Message]) -> KafkaTransport:
        """A connection, once the policy and all predictions are there."""
        transport = KafkaTransport(self._bootstrap)
        transport.ensure_topics(settings.topics())
        sender = transport.sender()
        activate(sender, settings, POLICY, self._reference)
        sender.close()
        measure.publish(transport, messages)
        return transport

    def _kittiwake(
        self, name: str, transport: KafkaTransport, settings: Settings, records: int
    ) -> tuple[float, float]:
        """CPU-seconds of INGEST and of DECIDE, once their windows are found to be right."""
        ingest = measure.ingest(transport, settings, topics.PREDICTIONS, records)
        decide = decided(transport, settings)
        reader = ResultReader(transport, settings)
        reader.read(timeout_ms=500)
        reader.close()
        transport.close()
        right = self._truth(self._count).windows(self._reference)
        truth.check(name, truth.told(list(reader.results.windows.values())), right)
        return ingest, decide

    def _truth(self, count: int) -> Truth:
        """What is right about the first ``count`` predictions."""
        settings = Settings()
        messages = list(islice(question.predictions(settings, self._count), count))
        return Truth.of(messages, settings.shards)

    def measure_tool(self, tool: Tool, number: int) -> float:
        """Rate of a tool, once its answer is found to be right."""
        count = round(self._count * tool.share)
        job = {
            **self._job,
            "bootstrap": self._bootstrap,
            "topic": self._topic(count, tool.by_partition),
            "group": f"{tool.environment}-{tool.question}-{number}",
            "count": count,
        }
        said = ask(tool, job)
        self._check(tool, said, count)
        return said.rate

    def _topic(self, count: int, by_partition: bool) -> str:
        """A topic with the first ``count`` predictions; written when it is first asked for."""
        if (count, by_partition) not in self._topics:
            keys = "partitions" if by_partition else "ids"
            settings = Settings(bootstrap=self._bootstrap, prefix=f"first-{count}-by-{keys}.")
            transport = KafkaTransport(self._bootstrap)
            name = settings.topic(topics.PREDICTIONS)
            transport.ensure_topics([spec for spec in settings.topics() if spec.name == name])
            messages = islice(question.predictions(settings, self._count), count)
            measure.publish(
                transport, keyed(messages, settings.shards) if by_partition else messages
            )
            transport.close()
            self._topics[count, by_partition] = name
        return self._topics[count, by_partition]

    def _check(self, tool: Tool, said: Said, count: int) -> None:
        if said.events != count:
            raise RuntimeError(f"{tool.name} read {said.events} of {count} predictions")
        if tool.question == "trivial":
            return
        known = self._truth(count)
        right = known.drift(self._reference) if tool.question == "drift" else known.means()
        if tool.question == "regrouped":
            right = known.together()
        truth.check(tool.name, found(said.answer), right)


class TimedDecide(DecideWorker):
    """A DECIDE worker that knows when it had restored its state."""

    begun = 0.0

    def assigned(
        self,
        partitions: Sequence[TopicPartition],
        committed: Mapping[TopicPartition, int | None],
    ) -> Mapping[TopicPartition, int]:
        """Restore, then start the clock."""
        starts = super().assigned(partitions, committed)
        self.begun = measure.started()
        return starts


def decided(transport: KafkaTransport, settings: Settings) -> float:
    """CPU-seconds of DECIDE over all that INGEST has said."""
    worker = TimedDecide(
        transport=transport, settings=settings, clock=SystemClock(), metrics=Metrics("decide")
    )
    while not worker.step():
        pass
    quiet = 0
    while quiet < QUIET_STEPS:
        quiet = 0 if worker.step() else quiet + 1
    spent = time.process_time() - worker.begun
    worker.close()
    return spent


def keyed(messages: Iterator[Message], partitions: int) -> Iterator[Message]:
    """The same messages in the same partitions, each with the number of its partition as key."""
    for message in messages:
        number = partition_of(message.key or b"", partitions)
        yield replace(message, key=b"%d" % number, partition=number)


def found(answer: Sequence[Sequence[Any]]) -> dict[Place, list[float]]:
    """A script's answer by place; a PSI of each feature comes as a list."""
    return {(key, start): flat(values) for key, start, *values in answer}


def flat(values: Sequence[Any]) -> list[float]:
    """Numbers and lists of numbers, one after the other."""
    return [
        number for value in values for number in (value if isinstance(value, list) else [value])
    ]

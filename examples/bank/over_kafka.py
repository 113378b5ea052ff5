"""The demo over a real Apache Kafka: this script is the bank, and whoever listens to alerts.

It publishes with `kittiwake_client.Publisher` and hears of alerts and rollbacks through
`kittiwake_client.AlertConsumer`, as a service would; INGEST and DECIDE run under ``kittiwake up``.
"""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from kittiwake_client import AlertConsumer, InvalidEvent, Publisher, Received
from rich.console import Console

from examples.bank.events import DEPLOYMENTS, PREDICTIONS, Publication
from schemas.policy import Policy
from schemas.reference import ReferenceProfile
from streams.records import Message
from streams.replay import DAY_MS
from streams.results import News, ResultReader, Results
from streams.runtime.announce import activate
from streams.runtime.broker import Broker
from streams.runtime.kafka import KafkaTransport
from streams.runtime.ledgers import read_ledgers
from streams.runtime.progress import decided, ingested
from streams.runtime.settings import Settings
from streams.supervise import command

RATE = 3_000
"""Events published in a second: slow enough that a rollback still meets its canary."""


class OverKafka:
    """Events over a broker of its own, which ends with the demo."""

    def __init__(self, policy: Policy, console: Console) -> None:
        self._scratch = TemporaryDirectory(prefix="kittiwake-demo-")
        folder = Path(self._scratch.name)
        with console.status("Apache Kafka is fetched, if need be, and started"):
            self._broker = Broker(folder / "kafka")
            self._broker.start()
        self._settings = Settings(bootstrap=self._broker.bootstrap, data=folder / "state")
        console.print(f"[dim]Apache Kafka on {self._settings.bootstrap}[/]")
        self._transport = KafkaTransport(self._settings.bootstrap)
        self._transport.ensure_topics(self._settings.topics())
        self._sender = self._transport.sender()
        activate(self._sender, self._settings, policy)
        self._job = _up(self._settings, folder / "up.log")
        self._publisher = Publisher(self._settings.bootstrap, source="/examples/bank")
        self._heard: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self._consumer = AlertConsumer(self._settings.bootstrap, group="demo")
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._reader = ResultReader(self._transport, self._settings)
        self._began = time.monotonic()
        self._sent = 0
        self._told = 0
        self._due_ms: int | None = None

    @property
    def results(self) -> Results:
        """Everything on the output topics so far."""
        return self._reader.results

    def feed(self, publication: Publication) -> News | None:
        """Publish one event; at the end of each day a heartbeat, and what was heard."""
        news = None
        if self._due_ms is None:
            self._due_ms = publication.time_ms - publication.time_ms % DAY_MS + DAY_MS
        if publication.time_ms >= self._due_ms:
            self._due_ms = publication.time_ms - publication.time_ms % DAY_MS
            self._publisher.heartbeat(self._due_ms)
            self._due_ms += DAY_MS
            self._pace()
            news = self._news()
        self._publish(publication)
        return news

    def activate(self, policy: Policy, profile: ReferenceProfile, effective_at_ms: int) -> None:
        """Let a reference hold from a time on."""
        activate(self._sender, self._settings, policy, profile, effective_at_ms=effective_at_ms)

    def finish(self, until_ms: int) -> News:
        """Let time come to ``until_ms`` and wait until all is decided and heard."""
        self._publisher.heartbeat(until_ms)
        self._publisher.flush(30)
        for reached in (ingested, decided):
            while not reached(self._transport, self._settings):
                if self._job.poll() is not None:
                    raise RuntimeError("`kittiwake up` has ended by itself")
                time.sleep(0.2)
        news = News(windows=self._reader.read(timeout_ms=1_000).windows)
        deadline = time.monotonic() + 10
        wanted = len(self.results.alerts) + len(self.results.rollouts)
        while self._told < wanted and time.monotonic() < deadline:
            time.sleep(0.1)
            news.add(self._news())
        self.results.ledgers = read_ledgers(self._transport, self._settings)
        return news

    def close(self) -> None:
        """Stop everything."""
        self._consumer.stop()
        self._listener.join(timeout=10)
        self._publisher.close()
        self._reader.close()
        self._sender.close()
        self._transport.close()
        self._job.send_signal(signal.SIGTERM)
        self._job.wait(timeout=60)
        self._broker.stop()
        self._scratch.cleanup()

    def _listen(self) -> None:
        self._consumer.run(self._heard.put)

    def _news(self) -> News:
        """What the consumer heard since the last call."""
        heard, news = Results(), News()
        news.windows += self._reader.read().windows
        while not self._heard.empty():
            received = self._heard.get()
            news.add(heard.add(received.topic, json.dumps(received.body).encode()))
        self._told += len(news.alerts) + len(news.rollouts)
        return news

    def _publish(self, publication: Publication) -> None:
        kinds: dict[str, Callable[..., bool]] = {
            PREDICTIONS: self._publisher.prediction,
            DEPLOYMENTS: self._publisher.deployment,
        }
        send = kinds.get(publication.topic, self._publisher.feedback)
        self._sent += 1
        try:
            while not send(publication.event):
                time.sleep(0.05)
        except InvalidEvent:
            self._publish_broken(publication)

    def _publish_broken(self, publication: Publication) -> None:
        """The publisher refuses broken events; a careless service would not."""
        value = json.dumps(publication.event).encode()
        topic = self._settings.topic(publication.topic)
        self._sender.send(Message(topic=topic, key=publication.key.encode(), value=value))

    def _pace(self) -> None:
        time.sleep(max(0.0, self._began + self._sent / RATE - time.monotonic()))


def _up(settings: Settings, log: Path) -> subprocess.Popen[bytes]:
    arguments = ["up", "--bootstrap", settings.bootstrap, "--data", str(settings.data)]
    with log.open("wb") as file:
        return subprocess.Popen(
            command([*arguments, "--metrics-port", "0"]), stdout=file, stderr=file
        )

"""Replay: events from anywhere through the pipeline of production, in one process.

The same workers, transport contract, checkpoints and outbox as in production; only the log is in
memory and the clock stands still, so that the same input gives the same results.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from schemas import cloudevents, topics
from schemas.policy import Policy
from schemas.reference import ReferenceProfile
from streams.lines import Line
from streams.records import Message, Record
from streams.results import News, ResultReader, Results
from streams.runtime import collector
from streams.runtime.announce import FROM_THE_START, activate
from streams.runtime.clock import ManualClock
from streams.runtime.cluster import Cluster
from streams.runtime.ledgers import read_ledgers
from streams.runtime.local import LocalTransport
from streams.runtime.metrics import Metrics, Unread
from streams.runtime.settings import Settings

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Start:
    """A policy and reference, and the event time from which they hold."""

    policy: Policy
    reference: ReferenceProfile | None = None
    effective_at_ms: int = FROM_THE_START


@dataclass(frozen=True, slots=True)
class Step:
    """What DECIDE was given between two looks: deployments as published, and batches of panes."""

    deployments: tuple[bytes, ...]
    batches: tuple[bytes, ...]


class Replay:
    """Feeds events to a cluster in this process.

    Parameters
    ----------
    starts
        Policies to begin with.
    step_ms
        Results are worked out whenever the time of publication has moved on by so much.
    metrics
        Where the run shows what it does; None where nobody reads that.
    """

    def __init__(
        self,
        starts: Iterable[Start],
        *,
        shards: int = 1,
        step_ms: int = DAY_MS,
        metrics: Metrics | None = None,
    ) -> None:
        settings = Settings(
            shards=shards, checkpoint_ms=1 << 60, checkpoint_records=1 << 60, poll_ms=0
        )
        self._settings = settings
        self._read = settings.topic(topics.DEPLOYMENTS), settings.topic(topics.SUMMARIES)
        self._transport = LocalTransport()
        self.cluster = Cluster(
            settings,
            transport=self._transport,
            clock=ManualClock(),
            metrics=metrics or Unread("replay"),
        )
        self._sender = self._transport.sender()
        self._waiting: defaultdict[str, list[tuple[int, bytes, bytes]]] = defaultdict(list)
        for start in starts:
            self.activate(start)
        self.cluster.start()
        self._reader = ResultReader(self._transport, settings)
        self._step_ms = step_ms
        self._due_ms: int | None = None
        self._ends: list[tuple[int, int]] = []

    @property
    def results(self) -> Results:
        """Everything that came out so far."""
        return self._reader.results

    def activate(self, start: Start) -> None:
        """Let a policy and reference hold from a time on."""
        activate(
            self._sender,
            self._settings,
            start.policy,
            start.reference,
            effective_at_ms=start.effective_at_ms,
        )

    def feed(self, line: Line) -> News | None:
        """Take one event; what is new, whenever a step of time is over.

        What was taken since the last step is published at its end, at once.
        The step ends with a heartbeat, so that windows close on time though nobody called.
        """
        news = None
        time_ms, topic, key, value = line
        if self._due_ms is None:
            self._due_ms = time_ms - time_ms % self._step_ms + self._step_ms
        if time_ms >= self._due_ms:
            # Of many steps without an event the last one says it all.
            last_ms = time_ms - time_ms % self._step_ms
            for due_ms in sorted({self._due_ms, last_ms}):
                self._beat(due_ms)
                news = self._work(news)
            self._due_ms = last_ms + self._step_ms
        self._waiting[topic].append((time_ms, key, value))
        return news

    def finish(self, until_ms: int) -> News:
        """Say that time has come to ``until_ms``, so that every window before it closes."""
        self._beat(until_ms)
        news = self._work(None)
        self.results.ledgers = read_ledgers(self._transport, self._settings)
        return news

    def close(self) -> None:
        """Stop everything; results stay."""
        self._reader.close()
        self.cluster.close()

    def steps(self) -> list[Step]:
        """What DECIDE has been given so far, step by step."""
        deployments, summaries = (list(self._transport.read(topic, 0)) for topic in self._read)
        return [
            Step(_between(deployments, told, until), _between(summaries, summed, end))
            for (told, summed), (until, end) in pairwise([(0, 0), *self._ends])
        ]

    def _work(self, before: News | None) -> News:
        self.cluster.drain()
        told, summed = (self._transport.end_offset(topic, 0) for topic in self._read)
        self._ends.append((told, summed))
        news = before or News()
        news.add(self._reader.read())
        return news

    def _beat(self, time_ms: int) -> None:
        """Publish what was taken, and that no earlier event follows."""
        for name, rows in self._waiting.items():
            self._transport.extend(self._settings.topic(name), rows)
        self._waiting.clear()
        headers = cloudevents.headers(
            type=cloudevents.HEARTBEAT,
            source=cloudevents.SOURCE + "/replay",
            id=str(time_ms),
            time_ms=time_ms,
        )
        for topic in (topics.PREDICTIONS, topics.FEEDBACK):
            for partition in range(self._settings.shards):
                self._sender.send(
                    Message(
                        topic=self._settings.topic(topic),
                        partition=partition,
                        value=b'{"time": %d}' % time_ms,
                        headers=headers,
                        timestamp_ms=time_ms,
                    )
                )


def _between(records: Sequence[Record], first: int, end: int) -> tuple[bytes, ...]:
    """Values of the records at offsets in [first, end); transactions take offsets, too."""
    start, stop = (bisect_left(records, offset, key=lambda r: r.offset) for offset in (first, end))
    return tuple(record.value or b"" for record in records[start:stop])


def replay(
    lines: Iterable[Line],
    starts: Iterable[Start],
    *,
    shards: int = 1,
    step_ms: int = DAY_MS,
    seen: Callable[[Line, News | None], None] = lambda line, news: None,
    metrics: Metrics | None = None,
) -> Results:
    """Results of all events; ``seen`` is told of each event and of what is new.

    ``metrics`` shows what the run does and finds.

    At the end, time moves on past the horizon of every policy, so that nothing stays open for
    want of events.
    """
    with replayed(lines, starts, shards=shards, step_ms=step_ms, seen=seen, metrics=metrics) as run:
        return run.results


@contextmanager
def replayed(
    lines: Iterable[Line],
    starts: Iterable[Start],
    *,
    shards: int = 1,
    step_ms: int = DAY_MS,
    seen: Callable[[Line, News | None], None] = lambda line, news: None,
    metrics: Metrics | None = None,
) -> Iterator[Replay]:
    """The same, with the finished run, whose log can still be read."""
    starts = list(starts)
    run = Replay(starts, shards=shards, step_ms=step_ms, metrics=metrics)
    try:
        latest = 0
        with collector.relaxed():
            for line in lines:
                seen(line, run.feed(line))
                latest = line.time_ms
            horizon = max((s.policy.horizon_ms + s.policy.window_ms for s in starts), default=0)
            run.finish(latest + horizon + DAY_MS)
        yield run
    finally:
        run.close()

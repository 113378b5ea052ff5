"""INGEST with ten million predictions pending: its memory, and what a truth costs.

``python -m benchmarks.pending`` starts a Kafka and INGEST as a process, publishes the predictions,
and then in turns some more predictions and the truths of some that were drawn at random. Rates are
events by CPU-second of the process, all its threads; it is halted while they are published, so
that its batches are full. Writes ``benchmarks/results/pending.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from benchmarks import events, output
from benchmarks.figures import share
from benchmarks.processes import Processes
from benchmarks.publisher import Publisher
from benchmarks.stand import INGEST, Stand, stand
from benchmarks.usage import usage
from streams.runtime import catalogue

PREDICTIONS, TRUTHS = "predictions per CPU-second", "feedback per CPU-second"

CHUNK = 50_000
"""Predictions that share one event time."""

AHEAD = 1_000_000
"""Published but not yet taken in, at most, while the store is filled."""

PATIENCE_S = 120

LOOK_S = 0.25
"""Between two looks at the metrics, which cost INGEST some CPU."""


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pending", description=__doc__)
    parser.add_argument("--pending", type=int, default=10_000_000)
    parser.add_argument("--events", type=int, default=200_000, help="of each kind in a run")
    parser.add_argument("--runs", type=int, default=5)
    options = output.parsed(parser, "pending")
    if options.runs * options.events > options.pending:
        parser.error("a truth is told once: --runs times --events must not exceed --pending")
    with stand([events.POLICY], events.reference()) as place:
        place.processes.start(INGEST)
        publisher = Publisher(place.settings, rate=0, start_ms=now_ms())
        began = time.monotonic()
        fill(place, publisher, options.pending)
        print(f"{options.pending:,} pending after {time.monotonic() - began:.0f} s", flush=True)
        rng = np.random.default_rng(1)
        drawn = rng.choice(options.pending, options.runs * options.events, replace=False)
        runs: list[dict[str, float]] = []
        memory = [usage(place.processes.pid(INGEST))]
        for own in np.split(drawn, options.runs):
            runs.append(run(place, publisher, own.tolist()))
            memory.append(usage(place.processes.pid(INGEST)))
            print(f"run {len(runs)}: {runs[-1]}, {memory[-1].rss_mb:.0f} MB", flush=True)
        pending = taken(place.processes, catalogue.PENDING)
    result = {
        "pending": pending,
        "events_per_run": options.events,
        "runs": runs,
        "ratio": share(runs, TRUTHS, PREDICTIONS).rounded(),
        "peak_mb": round(memory[-1].peak_mb, 1),
        "rss_mb": round(max(each.rss_mb for each in memory), 1),
        "anonymous_mb": round(max(each.anonymous_mb for each in memory), 1),
    }
    print(json.dumps(result, indent=2))
    output.write(options.output, result)


def fill(place: Stand, publisher: Publisher, count: int) -> None:
    """Publish predictions until so many wait for their truth."""
    while publisher.predictions < count:
        publisher.predict(min(count, publisher.predictions + CHUNK), now_ms())
        publisher.poll()
        deadline = time.monotonic() + PATIENCE_S
        while taken(place.processes, catalogue.RECORDS) < publisher.predictions - AHEAD:
            wait_until(deadline)
    publisher.flush()
    until_taken(place.processes, publisher.predictions + publisher.told)


def run(place: Stand, publisher: Publisher, drawn: Sequence[int]) -> dict[str, float]:
    """Rates of as many new predictions, and of the truths of those that were drawn."""
    members = taken(place.processes, catalogue.REBALANCES)
    with halted(place.processes.pid(INGEST)):
        publisher.predict(publisher.predictions + len(drawn), now_ms())
        publisher.flush()
    rates: dict[str, float] = {PREDICTIONS: round(len(drawn) / spent(place, publisher))}
    with halted(place.processes.pid(INGEST)):
        publisher.tell(drawn, now_ms())
        publisher.flush()
    rates[TRUTHS] = round(len(drawn) / spent(place, publisher))
    if taken(place.processes, catalogue.REBALANCES) != members:
        raise RuntimeError("INGEST lost its membership while it stood still: give fewer --events")
    return rates


def spent(place: Stand, publisher: Publisher) -> float:
    """CPU-seconds until INGEST has taken in all that was published."""
    before = usage(place.processes.pid(INGEST)).cpu_s
    until_taken(place.processes, publisher.predictions + publisher.told)
    return usage(place.processes.pid(INGEST)).cpu_s - before


@contextmanager
def halted(pid: int) -> Iterator[None]:
    """A process stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def until_taken(processes: Processes, count: int) -> None:
    """Wait until INGEST has read so many records in its life, and a checkpoint saw no lag."""
    deadline = time.monotonic() + PATIENCE_S
    while taken(processes, catalogue.RECORDS) < count or taken(processes, catalogue.LAG):
        wait_until(deadline)


def taken(processes: Processes, declared: catalogue.Declared) -> float:
    """A metric of INGEST, all series together."""
    list(processes.running())
    scrape = processes.scrape(INGEST)
    return 0 if scrape is None else scrape.total(declared)


def wait_until(deadline: float) -> None:
    """A moment; fails once the deadline has passed."""
    if time.monotonic() > deadline:
        raise RuntimeError(f"INGEST did not get there within {PATIENCE_S} s")
    time.sleep(LOOK_S)


def now_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    main()

"""One INGEST process and two on the same kind of rows, and what the parts of a cluster cost.

``python -m benchmarks.scale`` starts a Kafka and `kittiwake ingest` as processes. In each round the
workers stand still while rows are published, and then take them in. CPU is that of the processes,
all their threads; bytes are those of the broker's segment files. It writes
``benchmarks/results/scale.json``, on which `benchmarks.sizing` rests.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import measure, output
from benchmarks.figures import Spread
from benchmarks.pending import halted
from benchmarks.shapes import Shape
from benchmarks.stand import INGEST, Stand, stand
from benchmarks.usage import usage
from schemas import topics
from schemas.summaries import decode
from streams.records import Message
from streams.runtime import catalogue
from streams.runtime.announce import activate
from streams.runtime.ingest_worker import GROUP
from streams.runtime.settings import Settings

SECOND = "ingest-1"

NARROW, WIDE = Shape(features=8), Shape(features=30)
SHORT = Shape(features=8, pane="1s")
"""Truths that come at once belong to many panes, as they do where labels come late."""
SHAPES = (NARROW, WIDE, SHORT)
MEASURED = (topics.PREDICTIONS, topics.FEEDBACK, topics.SUMMARIES, topics.JOIN_LOG)

TRUTH, SPREAD = "truth", "truth, one pane a second"

WARM_ROWS = 4_000
"""Rows that a new assignment takes in before it is measured: they make the plans of the models."""

LOOK_S = 0.1
COMMIT_LOOK_S = 0.5
"""Between two looks at what is committed, which cost the broker some CPU."""

PATIENCE_S = 90
STILL_S = 4.0
"""How long a worker is watched with nothing to do, and with little."""

Figures = dict[str, float]
Rows = Callable[[Settings, range], Iterator[Message]]


class Bench:
    """Processes on a stand, and numbers for the rows they get."""

    def __init__(self, place: Stand) -> None:
        self.place = place
        self._next = 0
        self._broker = broker_pid(place)

    def numbers(self, rows: int) -> range:
        """Numbers of predictions that were not there before."""
        self._next += rows
        return range(self._next - rows, self._next)

    def start(self, name: str) -> None:
        """Start one more worker, and wait until it has its shards."""
        self.place.processes.start(name)
        each = 2 * self.place.settings.shards / len(self.workers)
        self._until(lambda: self._owned(name) >= each)
        self._settle()

    def stop(self, name: str) -> None:
        """Let a worker leave; the others take its shards over."""
        self.place.processes.stop(name)
        self._settle()

    def take(self, messages: Sequence[Message], rows: int) -> Figures:
        """Publish, let the workers take it in, and tell what a row cost."""
        before = self.metric(catalogue.RECORDS)
        members = self.metric(catalogue.REBALANCES)
        panes = self._panes()
        sizes = {topic: segment_bytes(self.place, topic) for topic in MEASURED}
        with ExitStack() as still:
            for name in self.workers:
                still.enter_context(halted(self.place.processes.pid(name)))
            broker_s = usage(self._broker).cpu_s
            measure.publish(self.place.transport, messages)
            spent = self._cpu_s()
            began = time.monotonic()
        self._until(lambda: self.metric(catalogue.RECORDS) >= before + len(messages))
        wall_s = time.monotonic() - began
        self._until(self._committed, look_s=COMMIT_LOOK_S)
        spent = [after - earlier for after, earlier in zip(self._cpu_s(), spent, strict=True)]
        if self.metric(catalogue.REBALANCES) != members:
            raise RuntimeError("a worker lost its membership while it stood still: publish less")
        return {
            "cpu_us": round(1e6 * sum(spent) / rows, 3),
            "broker_us": round(1e6 * (usage(self._broker).cpu_s - broker_s) / rows, 3),
            "wall_rows_per_second": round(rows / wall_s),
            "busiest_share": round(max(spent) / sum(spent), 3),
            "panes": (self._panes() - panes) / rows,
            **{
                f"{topic}_bytes": round((segment_bytes(self.place, topic) - size) / rows, 2)
                for topic, size in sizes.items()
            },
        }

    def _panes(self) -> int:
        """Panes that all summaries so far speak of."""
        return len(pane_sizes(self.place))

    def idle(self) -> tuple[float, float]:
        """Cores that a worker takes with nothing to do, and CPU seconds of a checkpoint.

        The second from a trickle of rows, of which each commit holds a few for every shard; the
        small polls before it are part of it.
        """
        still_s, _ = self._watch(lambda: None)
        trickle = iter(list(NARROW.json(self.place.settings, self.numbers(4_000))))
        sender = self.place.transport.sender()

        def few() -> None:
            for _ in range(20):
                sender.send(next(trickle))
            sender.flush()

        busy_s, commits = self._watch(few)
        sender.close()
        self._until(self._committed, look_s=COMMIT_LOOK_S)
        return still_s / STILL_S, (busy_s - still_s) / commits

    def _watch(self, do: Callable[[], None]) -> tuple[float, float]:
        """CPU seconds and checkpoints meanwhile."""
        commits = self.metric(catalogue.CHECKPOINTS)
        spent = sum(self._cpu_s())
        until = time.monotonic() + STILL_S
        while time.monotonic() < until:
            do()
            time.sleep(LOOK_S)
        used = sum(self._cpu_s()) - spent
        return used, self.metric(catalogue.CHECKPOINTS) - commits

    @property
    def workers(self) -> list[str]:
        """Names of the INGEST processes that run."""
        return list(self.place.processes.running())

    def metric(self, declared: catalogue.Declared) -> float:
        """A metric of all workers, all series together."""
        scrapes = [self.place.processes.scrape(name) for name in self.workers]
        return sum(0 if one is None else one.total(declared) for one in scrapes)

    def _cpu_s(self) -> list[float]:
        return [usage(self.place.processes.pid(name)).cpu_s for name in self.workers]

    def _settle(self) -> None:
        """Let the workers take in a few rows of each model, in all shards."""
        for shape in SHAPES:
            measure.publish(
                self.place.transport, shape.json(self.place.settings, self.numbers(WARM_ROWS))
            )
        self._until(self._committed, look_s=COMMIT_LOOK_S)

    def _committed(self) -> bool:
        """Whether checkpoints cover all that was published."""
        settings, log = self.place.settings, self.place.transport
        places = [
            (settings.topic(topic), number)
            for topic in (topics.PREDICTIONS, topics.FEEDBACK)
            for number in range(settings.shards)
        ]
        offsets = log.committed(settings.prefix + GROUP, places)
        return all((offsets[place] or 0) >= log.end_offset(*place) for place in places)

    def _owned(self, name: str) -> int:
        scrape = self.place.processes.scrape(name)
        return 0 if scrape is None else scrape.count(catalogue.LAG)

    def _until(self, done: Callable[[], bool], *, look_s: float = LOOK_S) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            if time.monotonic() > deadline:
                processes = self.place.processes
                said = {name: processes.log(name).read_text()[-500:] for name in self.workers}
                raise RuntimeError(f"INGEST did not get there within {PATIENCE_S} s: {said}")
            time.sleep(look_s)


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="rows of a round")
    parser.add_argument("--runs", type=int, default=3)
    options = output.parsed(parser, "scale")
    with stand([], None) as place:
        sender = place.transport.sender()
        for shape in SHAPES:
            activate(sender, place.settings, shape.policy, shape.reference)
        sender.close()
        bench = Bench(place)
        bench.start(INGEST)
        costs = parts(bench, options.events, options.runs)
        idle_cores, checkpoint_s = bench.idle()
        entries = pane_sizes(place)
        entry_bytes = segment_bytes(place, topics.SUMMARIES) / sum(entries)
        workers: dict[str, list[Figures]] = {"1": [], "2": []}
        for number in range(options.runs):
            workers["1"].append(round_of(bench, NARROW.json, options.events))
            bench.start(SECOND)
            workers["2"].append(round_of(bench, NARROW.json, options.events))
            bench.stop(SECOND)
            print(f"run {number + 1}: {text(workers)}", flush=True)
        shards = place.settings.shards
    ratios = {
        name: Spread.of(
            two[name] / one[name] for one, two in zip(workers["1"], workers["2"], strict=True)
        ).rounded()
        for name in ("wall_rows_per_second", "cpu_us")
    }
    result = {
        "shards": shards,
        "rows_of_a_round": options.events,
        "workers": workers,
        "two_to_one": ratios,
        "parts": costs,
        "idle_cores": round(idle_cores, 4),
        "checkpoint_us": round(1e6 * checkpoint_s, 1),
        "summary_bytes_an_entry": round(entry_bytes, 3),
    }
    print(json.dumps(ratios | {"idle": idle_cores, "checkpoint": checkpoint_s}, indent=2))
    output.write(options.output, result)


def parts(bench: Bench, rows: int, runs: int) -> dict[str, dict[str, dict[str, float]]]:
    """What a row of each kind costs one worker and the broker, and its bytes by topic."""
    found: dict[str, list[Figures]] = {}

    def note(name: str, figures: Figures) -> None:
        found.setdefault(name, []).append(figures)
        print(f"{name}: {figures}", flush=True)

    for _ in range(runs):
        for shape in (NARROW, WIDE):
            note(f"JSON, {shape.features} features", round_of(bench, shape.json, rows // 2))
            note(f"Arrow, {shape.features} features", round_of(bench, shape.arrow, 2 * rows))
        for name, shape in ((TRUTH, NARROW), (SPREAD, SHORT)):
            numbers = bench.numbers(rows // 2)
            bench.take(list(shape.json(bench.place.settings, numbers)), len(numbers))
            told = list(shape.truths(bench.place.settings, numbers))
            random.Random(1).shuffle(told)
            note(name, bench.take(told, len(numbers)))
    return {
        name: {key: Spread.of(run[key] for run in each).rounded() for key in each[0]}
        for name, each in found.items()
    }


def round_of(bench: Bench, rows: Rows, number: int) -> Figures:
    """A round with so many new predictions."""
    return bench.take(list(rows(bench.place.settings, bench.numbers(number))), number)


def pane_sizes(place: Stand) -> list[int]:
    """How many entries each pane of all summaries has."""
    topic = place.settings.topic(topics.SUMMARIES)
    return [
        len(pane.index)
        for number in range(place.settings.models)
        for record in place.transport.read(topic, number)
        for pane in decode(record.value or b"").panes
    ]


def segment_bytes(place: Stand, topic: str) -> int:
    """Bytes of a topic's records as the broker keeps them, compressed as they came."""
    folder = place.settings.data.parent / "kafka" / "data"
    return sum(path.stat().st_size for path in folder.glob(f"{topic}-[0-9]*/*.log"))


def broker_pid(place: Stand) -> int:
    """The process id of the stand's broker, known by the settings it was started with."""
    own = str(place.settings.data.parent / "kafka" / "server.properties").encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if own in path.read_bytes().split(b"\0"):
                return int(path.parent.name)
        except OSError:
            continue
    raise RuntimeError("the broker does not run")


def text(workers: Mapping[str, Sequence[Figures]]) -> str:
    """The last round of each in one line."""
    return "; ".join(
        f"{name} worker(s) {each[-1]['wall_rows_per_second']:,.0f}/s,"
        f" {each[-1]['cpu_us']:.2f} us of CPU a row"
        for name, each in workers.items()
    )


if __name__ == "__main__":
    main()

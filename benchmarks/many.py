"""What many models and segments cost one INGEST worker, beside one model in the same run.

``python -m benchmarks.many`` sends the same rows twice through a worker on the log in memory: all
of one model, and each of a model drawn at random, so that every batch holds rows of every model.
It writes ``benchmarks/results/many.json``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks import measure, output
from benchmarks.figures import Spread
from benchmarks.usage import usage
from schemas import topics
from schemas.policy import Budgets, LatencyBudget, Policy, Task
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from streams.records import Message
from streams.runtime import catalogue
from streams.runtime.announce import activate
from streams.runtime.clock import SystemClock
from streams.runtime.ingest_worker import IngestWorker
from streams.runtime.local import LocalTransport
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings

START_MS = 1_750_000_000_000
WARM_ROWS = 10_000
"""Rows before the clock starts: the first of a model make its plan, which is kept."""

FEATURES = tuple(f"feature_{i:02}" for i in range(30))


@dataclass(frozen=True, slots=True)
class Figures:
    """One run, in millions of bytes.

    ``panes`` and ``held_mb`` are the most that a checkpoint handed on, ``summary_mb`` the mean of
    the messages it became. ``grown_mb`` is what the process grew by at most, with the
    ``written_mb`` of messages that the log in memory keeps.
    """

    models: int
    rows_per_cpu_second: int
    checkpoints: int
    panes: int
    held_mb: float
    summary_mb: float
    grown_mb: float
    written_mb: float


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="predictions of one run")
    parser.add_argument("--models", type=int, default=1_000)
    parser.add_argument("--segments", type=int, default=20, help="values of the one segment key")
    parser.add_argument("--runs", type=int, default=3)
    options = output.parsed(parser, "many")
    runs: list[tuple[Figures, Figures]] = []
    for number in range(options.runs):
        one, many = (run(models, options.rows, options.segments) for models in (1, options.models))
        runs.append((one, many))
        print(f"run {number + 1}", text(one), text(many), sep="\n  ", flush=True)
    ratio = Spread.of(many.rows_per_cpu_second / one.rows_per_cpu_second for one, many in runs)
    print(
        f"\n{options.models:,} models, {options.segments} segments, {len(FEATURES)} features each:"
        f" {ratio.median:.2f} ({ratio.minimum:.2f} to {ratio.maximum:.2f}) of the rate of one model"
    )
    result = {
        "rows": options.rows,
        "segments": options.segments,
        "features": len(FEATURES),
        "runs": [[asdict(figures) for figures in pair] for pair in runs],
        "ratio": ratio.rounded(),
    }
    output.write(options.output, result)


def run(models: int, rows: int, segments: int) -> Figures:
    """Rows of so many models through a worker that starts with nothing."""
    names = [f"model-{i:04}" for i in range(models)]
    with TemporaryDirectory(prefix="kittiwake-bench-") as folder:
        # Checkpoints by what was read: the clock of a busy machine would set them anywhere.
        settings = Settings(shards=1, data=Path(folder), checkpoint_ms=60_000)
        transport = LocalTransport()
        transport.ensure_topics(settings.topics())
        sender = transport.sender()
        profile = reference()
        for name in names:
            own = profile.model_copy(update={"model": name})
            activate(sender, settings, policy(name, segments), own)
        sender.close()
        measure.publish(transport, predictions(settings, names, WARM_ROWS + rows, segments))
        return _measure(transport, settings, models, rows)


def _measure(transport: LocalTransport, settings: Settings, models: int, rows: int) -> Figures:
    metrics = Metrics("ingest")
    worker = IngestWorker(
        transport=transport, settings=settings, clock=SystemClock(), metrics=metrics
    )
    source = settings.topic(topics.PREDICTIONS)
    while (metrics.value(catalogue.RECORDS, topic=source) or 0) < WARM_ROWS:
        worker.step()
    worker.checkpoint()
    started = metrics.value(catalogue.CHECKPOINTS) or 0
    warm = int(metrics.value(catalogue.RECORDS, topic=source) or 0)
    # As in a process of its own, where the log does not lie in memory for the collector to look at.
    gc.collect()
    gc.freeze()
    begun = time.process_time()
    before_mb = usage(os.getpid()).anonymous_mb
    held = panes = grown_mb = looking_s = 0.0
    done = False
    while True:
        worker.checkpoint() if done else worker.step()
        began = time.process_time()
        held = max(held, metrics.value(catalogue.HELD_BYTES, shard="0") or 0)
        panes = max(panes, metrics.value(catalogue.OPEN_PANES, shard="0") or 0)
        grown_mb = max(grown_mb, usage(os.getpid()).anonymous_mb - before_mb)
        if done:
            break
        done = (metrics.value(catalogue.RECORDS, topic=source) or 0) >= WARM_ROWS + rows
        looking_s += time.process_time() - began
    looking_s += time.process_time() - began
    spent = time.process_time() - begun - looking_s
    checkpoints = int((metrics.value(catalogue.CHECKPOINTS) or 0) - started)
    worker.close()
    gc.unfreeze()
    written = {
        spec.name: sum(
            len(record.value or b"")
            for number in range(spec.partitions)
            for record in transport.read(spec.name, number)
        )
        for spec in settings.topics()
        if spec.name != source
    }
    summaries = written[settings.topic(topics.SUMMARIES)]
    return Figures(
        models=models,
        rows_per_cpu_second=round((WARM_ROWS + rows - warm) / spent),
        checkpoints=checkpoints,
        held_mb=round(held / 1e6, 1),
        panes=int(panes),
        summary_mb=round(summaries / (started + checkpoints) / 1e6, 2),
        grown_mb=round(grown_mb, 1),
        written_mb=round(sum(written.values()) / 1e6, 1),
    )


def policy(model: str, segments: int) -> Policy:
    """A binary model with one segment key."""
    return Policy(
        model=model,
        task=Task.BINARY,
        segments=["region"],
        max_segments=segments,
        budgets=Budgets(error_rate=0.2, latency=LatencyBudget(limit_ms=200)),
    )


def reference() -> ReferenceProfile:
    """A profile of such rows, the same for every model."""
    rng = np.random.default_rng(3)
    columns = {name: rng.normal(size=5_000).tolist() for name in FEATURES}
    return build("any", columns, score=rng.beta(1, 6, 5_000).tolist(), source="benchmark")


def predictions(
    settings: Settings, models: Sequence[str], rows: int, segments: int
) -> Iterator[Message]:
    """Rows in order of time, a thousand in each second, each of a model drawn at random."""
    rng = np.random.default_rng(1)
    model = rng.integers(len(models), size=rows).tolist()
    region = rng.integers(segments, size=rows).tolist()
    scores = rng.beta(1, 6, rows).round(4).tolist()
    latency = rng.lognormal(3.5, 0.6, rows).round(2).tolist()
    for i in range(rows):
        event = {
            "prediction_id": f"tx-{i:08d}",
            "model": models[model[i]],
            "version": "v1",
            "time": START_MS + i,
            "output": {"score": scores[i]},
            "features": dict(zip(FEATURES, rng.normal(size=30).round(3).tolist(), strict=True)),
            "segments": {"region": f"r{region[i]}"},
            "latency_ms": latency[i],
        }
        value = json.dumps(event, separators=(",", ":")).encode()
        yield Message(settings.topic(topics.PREDICTIONS), value, key=f"tx-{i:08d}".encode())


def text(figures: Figures) -> str:
    """The figures of a run in one line."""
    return (
        f"{figures.models:,} models: {figures.rows_per_cpu_second:,} rows per CPU-second,"
        f" {figures.panes:,} panes of {figures.held_mb} MB in a checkpoint,"
        f" {figures.summary_mb} MB of summaries, grown by {figures.grown_mb} MB"
        f" with {figures.written_mb} MB written to the log"
    )


if __name__ == "__main__":
    main()

"""``up``, ``ingest`` and ``decide``: the processes."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from streams.act.settings import load
from streams.commands.options import (
    Bootstrap,
    Data,
    MetricsPort,
    Models,
    Prefix,
    Shards,
    Worker,
    console,
    kafka,
    settings_of,
)
from streams.runtime import collector, malloc
from streams.runtime.clock import SystemClock
from streams.runtime.decide_worker import DecideWorker
from streams.runtime.ingest_worker import IngestWorker
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.supervise import Child, Supervisor


def ingest(
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
    data: Data = None,
    worker: Worker = None,
    metrics_port: MetricsPort = None,
) -> None:
    """Join predictions with feedback and sum up panes. Run as many as there are shards."""
    malloc.bound()
    settings = settings_of(
        bootstrap=bootstrap, prefix=prefix, data=data, worker=worker, metrics_port=metrics_port
    )
    settings = settings.model_copy(update={"data": settings.data / f"ingest-{settings.worker}"})
    _run("ingest", IngestWorker, settings)


def decide(
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
    worker: Worker = None,
    metrics_port: MetricsPort = None,
) -> None:
    """Merge panes, test, and publish windows, alerts and rollouts."""
    settings = settings_of(
        bootstrap=bootstrap, prefix=prefix, worker=worker, metrics_port=metrics_port
    )
    _run("decide", DecideWorker, settings)


def up(
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
    shards: Shards = None,
    models: Models = None,
    data: Data = None,
    ingests: Annotated[int, typer.Option(help="How many INGEST workers.", min=1)] = 1,
    act: Annotated[
        Path | None,
        typer.Option(help="A plan: run ACT by it as well.", dir_okay=False),
    ] = None,
    metrics_port: Annotated[
        int,
        typer.Option(
            help="First port of /metrics; each process takes the next. 0 picks free ones."
        ),
    ] = 9464,
) -> None:
    """Run all processes on this machine and start again those that die. Creates the topics."""
    if act is not None:
        load(act)  # A plan that cannot be read is said once, not at every start of a child.
    settings = settings_of(
        bootstrap=bootstrap, prefix=prefix, shards=shards, models=models, data=data
    )
    transport = kafka(settings)
    transport.ensure_topics(settings.topics())
    transport.close()
    supervisor = Supervisor(
        children=children(settings, ingests, act, metrics_port),
        say=lambda line: console.print(f"[dim]{line}[/]"),
    )
    raise typer.Exit(supervisor.run())


def children(settings: Settings, ingests: int, act: Path | None, port: int) -> list[Child]:
    """What `up` runs: INGEST workers, DECIDE, and ACT if there is a plan; each on the next port."""
    common = ["--bootstrap", settings.bootstrap, "--prefix", settings.prefix]
    every = {
        f"ingest {i}": ["ingest", *common, "--data", str(settings.data), "--worker", str(i)]
        for i in range(ingests)
    }
    every["decide"] = ["decide", *common, "--worker", "0"]
    if act is not None:
        every["act"] = ["act", *common, "--config", str(act), "--worker", "0"]
    return [
        Child(name, [*arguments, "--metrics-port", str(port + i if port else 0)])
        for i, (name, arguments) in enumerate(every.items())
    ]


def _serve(process: str, settings: Settings) -> Metrics:
    metrics = Metrics(process)
    port = metrics.start_http(settings.metrics_port, settings.metrics_host)
    console.print(f"[dim]{process} {settings.worker}: metrics on port {port}[/]")
    return metrics


def _run(process: str, kind: type[IngestWorker] | type[DecideWorker], settings: Settings) -> None:
    """Step until SIGTERM or SIGINT, then leave in order; also if they come while it starts."""
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    metrics, transport = _serve(process, settings), kafka(settings)
    worker = kind(transport=transport, settings=settings, clock=SystemClock(), metrics=metrics)
    collector.relax()
    while not stopping:
        worker.step()
    worker.close()
    transport.close()

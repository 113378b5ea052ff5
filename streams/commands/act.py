"""``act``: deliver, execute, keep schedules and probe."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from schemas import topics
from schemas.act import ActPlan
from streams.act.settings import load
from streams.commands.options import (
    Bootstrap,
    MetricsPort,
    Prefix,
    Worker,
    console,
    kafka,
    settings_of,
)
from streams.runtime.clock import SystemClock
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.runtime.transport import check_topics

Plan = Annotated[
    Path,
    typer.Option(
        "--config", help="Targets, routes, executors, schedules and probe, YAML.", dir_okay=False
    ),
]


def act(
    config: Plan,
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
    worker: Worker = None,
    metrics_port: MetricsPort = None,
    check: Annotated[bool, typer.Option("--check", help="Read the plan, and do nothing.")] = False,
) -> None:
    """Deliver alerts and decisions, run rollbacks, keep schedules, and probe the pipe."""
    plan = load(config)
    if check:
        console.print(f"[green]{config} is good[/]", soft_wrap=True)
        return
    settings = settings_of(
        bootstrap=bootstrap, prefix=prefix, worker=worker, metrics_port=metrics_port
    )
    asyncio.run(_serve(plan, settings))


async def _serve(plan: ActPlan, settings: Settings) -> None:
    # Faust takes its time to import, and no other command needs it.
    from streams.act.app import assemble, build, serve
    from streams.act.clockwork import clockwork

    with Metrics("act") as metrics:
        port = metrics.start_http(settings.metrics_port, settings.metrics_host)
        console.print(f"[dim]act {settings.worker}: metrics on port {port}[/]")
        transport = kafka(settings)
        names = map(settings.topic, (topics.COMMANDS, topics.TICKS, topics.ALERTS, topics.ROLLOUTS))
        check_topics(
            {name: transport.partition_count(name) for name in names}, co_partitioned=False
        )
        act = assemble(
            settings=settings,
            plan=plan,
            environ=os.environ,
            transport=transport,
            clock=SystemClock(),
            metrics=metrics,
        )
        await serve(build(act, [clockwork]), act)
        transport.close()

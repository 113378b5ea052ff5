"""``demo``: the main job on real data."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from streams.commands.options import console
from streams.runtime.metrics import Metrics


def demo(
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Over a real Apache Kafka, fetched and started.")
    ] = False,
    limit: Annotated[int | None, typer.Option(help="Only the first calls.", min=1)] = None,
    out: Annotated[Path, typer.Option(help="Where the results go.")] = Path("out/demo"),
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve /metrics on this port while it runs.")
    ] = None,
    hold_s: Annotated[
        float, typer.Option("--hold", help="Go on serving /metrics for so many seconds after.")
    ] = 0.0,
) -> None:
    """Two and a half years of a bank's calls: a canary rolled back, a crisis noticed."""
    from examples.bank import demo as bank

    if kafka:
        from examples.bank.over_kafka import OverKafka

        bank.run(console, lambda policy: OverKafka(policy, console), limit=limit, out=out)
        return
    with Metrics("demo") as metrics:
        if metrics_port is not None:
            console.print(f"[dim]metrics on port {metrics.start_http(metrics_port)}[/]")
        bank.run(console, lambda policy: bank.InProcess(policy, metrics), limit=limit, out=out)
        time.sleep(hold_s)

"""Ask Kittiwake and other tools the same question about the same events, in turn.

``python -m benchmarks.peers`` starts a Kafka, makes an environment for each tool when it is first
needed, checks every answer, and writes ``benchmarks/results/peers.json`` and ``peers.svg``. Tools
that are not asked keep their figures there, with their date.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import output
from benchmarks.peers import report
from benchmarks.peers.batch import KITTIWAKE, Batch
from benchmarks.peers.question import PER_WINDOW
from benchmarks.peers.report import Rates
from benchmarks.peers.streaming import ARROW, FLOOR, OWN, Streams
from benchmarks.peers.tools import BATCHES, STREAMS, Tool
from streams.runtime.broker import Broker

EVENTS, ROWS = 100_000, 100 * PER_WINDOW
Measurement = Callable[[int], Rates]
"""Rates of one thing, given the number of the run."""


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="tools, such as quix,faust; all if left out")
    parser.add_argument("--events", type=int, default=EVENTS, help="predictions in Kafka")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows in memory")
    parser.add_argument("--report", action="store_true", help="only rewrite the README's table")
    options = output.parsed(parser, "peers", beside=("runs", "only", "report"))
    if not options.report:
        only = [name for name in options.only.split(",") if name]
        runs, failures = measure(
            runs=options.runs, events=options.events, rows=options.rows, only=only
        )
        found = report.entries(runs, events=options.events, rows=options.rows)
        report.write(options.output, found, failures)
    stored = json.loads(options.output.read_text())
    print(report.table(stored))
    if options.output == report.RESULT:
        report.into_readme(stored)


def measure(
    *, runs: int = 5, events: int = EVENTS, rows: int = ROWS, only: Collection[str] = ()
) -> tuple[list[Rates], dict[str, str]]:
    """The rates of each run, and the last words of the tools that failed.

    Parameters
    ----------
    runs
        How often everything is measured; each run begins one measurement later in the order.
    events
        Predictions in Kafka.
    rows
        Rows in memory; whole windows.
    only
        Names of tools or of their environments; all if empty. Kittiwake is always measured with
        them.
    """
    found: list[Rates] = []
    failures: dict[str, str] = {}
    with ExitStack() as stack:
        order = measurements(stack, events, rows, only)
        for number in range(runs):
            rates: Rates = {}
            first = number % len(order)
            for name, one in order[first:] + order[:first]:
                try:
                    rates |= one(number)
                except (RuntimeError, subprocess.SubprocessError) as error:
                    failures[name] = str(error)
                    print(f"run {number + 1}, {name} failed: {error}", flush=True)
                    continue
                print(f"run {number + 1}, {name}: {text(rates, name)}", flush=True)
            found.append(rates)
    return found, failures


def measurements(
    stack: ExitStack, events: int, rows: int, only: Collection[str]
) -> list[tuple[str, Measurement]]:
    """What is measured in a run; what it needs is started, and closed with the stack."""
    streams = [tool for tool in STREAMS if wanted(tool, only)]
    batches = [tool for tool in BATCHES if wanted(tool, only)]
    order: list[tuple[str, Measurement]] = []
    if streams:
        folder = stack.enter_context(TemporaryDirectory(prefix="kittiwake-kafka-"))
        source = Streams(stack.enter_context(Broker(Path(folder))).bootstrap, events)
        order.append((FLOOR, source.measure_own))
        order.append((ARROW, source.measure_arrow))
        order += [(tool.name, _of_stream(source, tool)) for tool in streams]
    if batches:
        place = stack.enter_context(TemporaryDirectory(prefix="kittiwake-rows-"))
        table = Batch(Path(place), rows)
        order.append((KITTIWAKE, lambda number: {KITTIWAKE: table.measure_own()}))
        order += [(tool.name, _of_batch(table, tool)) for tool in batches]
    if not order:
        raise SystemExit(f"no tool is called {', '.join(only)}")
    return order


def wanted(tool: Tool, only: Collection[str]) -> bool:
    """Whether a tool was asked for, by its name or that of its environment."""
    return not only or tool.name in only or tool.environment in only


def text(rates: Rates, name: str) -> str:
    """What was just measured; the floor comes with Kittiwake's rates."""
    if name != FLOOR:
        return f"{rates[name]:,.0f}/s"
    return ", ".join(f"{own} {rates[own]:,.0f}/s" for own in OWN)


def _of_stream(source: Streams, tool: Tool) -> Measurement:
    return lambda number: {tool.name: source.measure_tool(tool, number)}


def _of_batch(table: Batch, tool: Tool) -> Measurement:
    return lambda number: {tool.name: table.measure_tool(tool)}


if __name__ == "__main__":
    main()

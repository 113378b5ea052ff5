"""How much of the speed of "read and decode" is left when INGEST does all its work.

``python -m benchmarks.ingest`` measures both in turn, several times, on the log in memory and on
a Kafka that it starts, and writes ``benchmarks/results/ingest.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import events, measure, output
from benchmarks.figures import Spread, share
from schemas import topics
from streams.runtime.announce import activate
from streams.runtime.broker import Broker
from streams.runtime.kafka import KafkaTransport
from streams.runtime.local import LocalTransport
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport

FLOOR, INGEST, FEEDBACK = "read and decode", "INGEST of predictions", "INGEST of feedback"
ARROW = "INGEST of Arrow batches"
TARGETS = ((INGEST, FLOOR, 0.6), (ARROW, INGEST, 5.0), (FEEDBACK, INGEST, 0.5))
"""A rate, the rate it is compared with, and the least share of it."""

ARROW_TIMES = 5
"""So many times as many rows come in Arrow batches, to take about as long."""

Rates = dict[str, float]
"""Events per CPU-second by what was measured, of one run."""


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="predictions of one run")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=["memory", "kafka"], help="one of the two logs")
    options = output.parsed(parser, "ingest")
    found: dict[str, list[Rates]] = {}
    logs = [options.only] if options.only else ["memory", "kafka"]
    with ExitStack() as stack:
        bootstrap = ""
        if "kafka" in logs:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="kittiwake-kafka-")))
            bootstrap = stack.enter_context(Broker(folder)).bootstrap
        for number in range(options.runs):
            for log in logs:
                rates = run(log, bootstrap, number, options.events)
                found.setdefault(log, []).append(rates)
                print(f"run {number + 1}, {log}: " + text(rates), flush=True)
    for log, runs in found.items():
        print(f"\n{log}", *lines(runs), sep="\n  ")
    size = sum(len(m.value or b"") for m in events.predictions(Settings(), 1_000)) / 1_000
    write(options.output, found, events_per_run=options.events, bytes_per_event=round(size))


def run(log: str, bootstrap: str, number: int, count: int) -> Rates:
    """One run: the floor, the predictions, and then the truth of each of them."""
    with TemporaryDirectory(prefix="kittiwake-bench-") as folder:
        settings = Settings(bootstrap=bootstrap, prefix=f"bench-{number}.", data=Path(folder))
        transport = opened(log, bootstrap, settings)
        measure.publish(transport, events.predictions(settings, count))
        seconds = {FLOOR: floor(log, transport, settings, count)}
        seconds[INGEST] = measure.ingest(transport, settings, topics.PREDICTIONS, count)
        measure.publish(transport, events.feedback(settings, count))
        seconds[FEEDBACK] = measure.ingest(transport, settings, topics.FEEDBACK, count)
        transport.close()
    rates = {name: count / spent for name, spent in seconds.items()}
    return rates | {ARROW: arrow(log, bootstrap, number, ARROW_TIMES * count)}


def arrow(log: str, bootstrap: str, number: int, count: int) -> float:
    """Rate of the same predictions in Arrow batches, under a prefix of their own."""
    with TemporaryDirectory(prefix="kittiwake-bench-") as folder:
        settings = Settings(bootstrap=bootstrap, prefix=f"arrow-{number}.", data=Path(folder))
        transport = opened(log, bootstrap, settings)
        messages = list(events.arrow_predictions(settings, count))
        measure.publish(transport, messages)
        spent = measure.ingest(transport, settings, topics.PREDICTIONS, len(messages))
        transport.close()
    return count / spent


def opened(log: str, bootstrap: str, settings: Settings) -> Transport:
    """A log with topics and a policy."""
    transport: Transport = KafkaTransport(bootstrap) if log == "kafka" else LocalTransport()
    transport.ensure_topics(settings.topics())
    sender = transport.sender()
    activate(sender, settings, events.POLICY, events.reference())
    sender.close()
    return transport


def floor(log: str, transport: Transport, settings: Settings, count: int) -> float:
    """The floor of a log."""
    kafka = log == "kafka"
    values = measure.in_kafka(settings) if kafka else measure.in_memory(transport, settings)
    spent = measure.floor(values, count)
    values.close()
    return spent


def text(rates: Mapping[str, float]) -> str:
    """The rates of a run in one line."""
    return ", ".join(f"{name} {rate:,.0f}/s" for name, rate in rates.items())


def lines(runs: list[Rates]) -> Iterator[str]:
    """Rates and ratios over all runs, each ratio beside its target."""
    yield f"{'events per CPU-second':32} {'minimum':>9} {'median':>9} {'maximum':>9}"
    for name in (FLOOR, INGEST, ARROW, FEEDBACK):
        each = Spread.of(rates[name] for rates in runs)
        yield f"{name:32} {each.minimum:9,.0f} {each.median:9,.0f} {each.maximum:9,.0f}"
    for name, base, target in TARGETS:
        each = share(runs, name, base)
        verdict = "met" if each.median >= target else "missed"
        yield (
            f"{name} / {base}: {each.median:.2f} ({each.minimum:.2f} to {each.maximum:.2f}), "
            f"target {target}: {verdict}"
        )


def write(path: Path, found: Mapping[str, list[Rates]], **about: int) -> None:
    """Write every run, the ratios and the machine."""
    result = {
        **about,
        "logs": {
            log: {
                "events_per_cpu_second": [
                    {name: round(rate) for name, rate in rates.items()} for rates in runs
                ],
                "ratios": [
                    {
                        "of": name,
                        "to": base,
                        "target": target,
                        **share(runs, name, base).rounded(),
                    }
                    for name, base, target in TARGETS
                ],
            }
            for log, runs in found.items()
        },
    }
    output.write(path, result)


if __name__ == "__main__":
    main()

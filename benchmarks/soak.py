"""An hour of steady traffic through the processes of production: does memory stay where it is?

``python -m benchmarks.soak`` starts a Kafka, INGEST and DECIDE as processes, and a publisher of
predictions and of a truth for each. Event time goes faster than the clock, so that an hour is some
days. The label horizon is chosen so that a stated number of predictions is pending once it has
passed; from then on as many lapse as come. Every few seconds memory, lag and progress are noted.
Writes ``benchmarks/results/soak.json`` and ``soak.svg``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from confluent_kafka.admin import AdminClient

# `confluent_kafka.admin` shows these at run time, but does not export them to type checkers.
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from benchmarks import events, output
from benchmarks.figures import at
from benchmarks.processes import Processes
from benchmarks.quality.drawing import sheet
from benchmarks.stand import DECIDE, INGEST, stand
from benchmarks.trend import SETTLED, trend
from benchmarks.usage import usage
from schemas import topics
from schemas.policy import Labels, Policy
from streams.runtime import catalogue
from streams.runtime.settings import Settings

WATCHED = (INGEST, DECIDE)
PUBLISHER = "publisher"

TRUTH_AFTER = (0.2, 0.6)
MATURITY = 0.7
"""When truths come, and when cohorts are judged, as shares of the horizon."""

SEGMENT_BYTES = 64 << 20
KEPT_BYTES = 2 << 30
"""Of each partition; the broker looks every five minutes."""

DRAIN_S = 60
"""How long INGEST may take for what is left after the last event."""

Sample = dict[str, float]


def main() -> int:
    """Run, print, write; 1 if a process died."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument(
        "--rate",
        type=float,
        help="events a second, half of them truths; default: half of what results/ingest.json says",
    )
    parser.add_argument("--pending", type=int, default=10_000_000, help="predictions that wait")
    parser.add_argument("--speed", type=float, default=60, help="of event time")
    parser.add_argument("--every", type=float, default=5, help="seconds between samples")
    options = output.parsed(parser, "soak", beside=("rate", "every"))
    rate = options.rate or half_of_top()
    horizon_s = options.pending / (rate / 2)
    samples: list[Sample] = []
    result: dict[str, object] = {
        "minutes": options.minutes,
        "events_per_second": rate,
        "label_horizon_s": round(horizon_s),
        "speed_of_event_time": options.speed,
    }
    try:
        totals = soak(
            Traffic(rate, horizon_s, options.minutes * 60, options.speed), options.every, samples
        )
        result |= summary(samples, totals)
    except RuntimeError as error:
        result["ended_early"] = str(error)
    result["samples"] = samples
    print(json.dumps({key: value for key, value in result.items() if key != "samples"}, indent=2))
    output.write(options.output, result, indent=1)
    options.output.with_suffix(".svg").write_text(sheet(pictures(samples)))
    return 1 if "ended_early" in result else 0


def half_of_top() -> float:
    """Half of the predictions that INGEST takes in on Kafka in a CPU-second, as last measured."""
    stored = json.loads((output.RESULTS / "ingest.json").read_text())
    rates = at(stored, "logs/kafka/events_per_cpu_second/*/INGEST of predictions")
    return float(round(median(rates) / 2, -2))


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is published.

    ``rate`` counts events of both kinds a second; times are of the clock, and event time goes
    ``speed`` times as fast.
    """

    rate: float
    horizon_s: float
    seconds: float
    speed: float

    @property
    def policy(self) -> Policy:
        """The policy of the benchmarks with a window about each minute, and labels that lapse."""

        def event_time(seconds: float) -> str:
            return f"{max(1, round(seconds * self.speed))}s"

        labels = Labels(
            horizon=event_time(self.horizon_s),
            maturity=event_time(MATURITY * self.horizon_s),
            lateness=event_time(10),
        )
        changes = {
            "pane": event_time(10),
            "window": event_time(60),
            "lateness": event_time(2),
            "labels": labels.model_dump(),
        }
        return Policy.model_validate(events.POLICY.model_dump() | changes)

    @property
    def arguments(self) -> list[str]:
        """Those of the publisher."""
        delays = ",".join(str(share * self.horizon_s) for share in TRUTH_AFTER)
        options = {"rate": self.rate / 2, "seconds": self.seconds, "speed": self.speed}
        given = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        return ["-m", "benchmarks.publisher", *given, "--truth-after", delays]


def soak(traffic: Traffic, every_s: float, samples: list[Sample]) -> dict[str, int]:
    """What was published and taken in; ``samples`` are added to as they are taken.

    Raises
    ------
    RuntimeError
        If a process ended by itself.
    """
    with stand([traffic.policy], events.reference()) as place:
        bound_disk(place.settings, traffic.horizon_s)
        processes = place.processes
        for name in WATCHED:
            processes.start(name)
        while sample(processes) is None:
            time.sleep(0.2)
        processes.run(PUBLISHER, traffic.arguments)
        watch(processes, traffic.seconds, every_s, samples)
        processes.wait(PUBLISHER, timeout_s=120)
        published = json.loads(processes.log(PUBLISHER).read_text().splitlines()[-1])
        return {
            "predictions": published["predictions"],
            "truths": published["truths"],
            "refused_by_the_broker": published["failed"],
            "taken_in": drained(processes, published["predictions"] + published["truths"]),
        }


def bound_disk(settings: Settings, horizon_s: float) -> None:
    """Let the log forget by size, so that an hour fits on any disk; the join log by the horizon."""
    by_size = {"segment.bytes": SEGMENT_BYTES, "retention.bytes": KEPT_BYTES}
    wanted = dict.fromkeys(
        (topics.PREDICTIONS, topics.FEEDBACK, topics.SUMMARIES, topics.WINDOWS, topics.AUDIT),
        by_size,
    )
    wanted[topics.JOIN_LOG] = {
        "segment.bytes": SEGMENT_BYTES,
        "retention.ms": round(2 * horizon_s + 600) * 1_000,
    }
    resources = [
        ConfigResource(
            ResourceType.TOPIC,
            settings.topic(topic),
            incremental_configs=[
                ConfigEntry(key, str(value), incremental_operation=AlterConfigOpType.SET)
                for key, value in values.items()
            ],
        )
        for topic, values in wanted.items()
    ]
    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    for answer in admin.incremental_alter_configs(resources).values():
        answer.result()


def watch(processes: Processes, seconds: float, every_s: float, samples: list[Sample]) -> None:
    """Take a sample every few seconds until the time is over."""
    began = time.monotonic()
    while (elapsed_s := time.monotonic() - began) < seconds:
        taken = sample(processes)
        if taken is not None:
            samples.append({"seconds": round(elapsed_s, 1), **taken})
            if len(samples) % 12 == 1:
                print(line(samples[-1]), flush=True)
        time.sleep(max(0.0, began + elapsed_s + every_s - time.monotonic()))


def sample(processes: Processes) -> Sample | None:
    """Memory and progress of the processes now; None until all of them serve metrics."""
    if set(WATCHED) - set(processes.running()):
        raise RuntimeError("a process ended before the soak was over; see its log")
    shown = {name: processes.scrape(name) for name in WATCHED}
    taken: Sample = {}
    for name, scrape in shown.items():
        if scrape is None:
            return None
        used = usage(processes.pid(name))
        taken |= {f"{name} {what}": round(value, 2) for what, value in asdict(used).items()}
        taken[f"{name} lag"] = scrape.total(catalogue.LAG)
        taken[f"{name} records"] = scrape.total(catalogue.RECORDS)
        taken[f"{name} dead letters"] = scrape.total(catalogue.DEAD_LETTERS)
    ingest, decide = shown.values()
    if ingest is not None and decide is not None:
        taken["pending"] = ingest.total(catalogue.PENDING)
        taken["windows"] = decide.total(catalogue.WINDOWS)
    return taken


def drained(processes: Processes, published: int) -> int:
    """What INGEST has taken in once nothing is left to read, or the patience is over."""
    deadline = time.monotonic() + DRAIN_S
    while True:
        scrape = processes.scrape(WATCHED[0])
        records = 0 if scrape is None else int(scrape.total(catalogue.RECORDS))
        if records >= published or time.monotonic() > deadline:
            return records
        time.sleep(0.5)


def summary(samples: Sequence[Sample], totals: dict[str, int]) -> dict[str, object]:
    """Levels, growth and the verdict, over all but the first quarter."""
    settled = [one for one in samples if one["seconds"] >= SETTLED * samples[-1]["seconds"]]
    seconds = [one["seconds"] for one in samples]
    memory = {}
    for name in WATCHED:
        for what in ("rss_mb", "anonymous_mb"):
            values = [one[f"{name} {what}"] for one in samples]
            found = trend(seconds, values)
            memory[f"{name} {what}"] = {
                "maximum": max(values),
                "level": found.level,
                "per_hour": found.per_hour,
                "flat": found.flat,
            }
    return {
        "totals": totals,
        "nothing_missing": totals["taken_in"] == totals["predictions"] + totals["truths"],
        "dead_letters": sum(samples[-1][f"{name} dead letters"] for name in WATCHED),
        "pending": {
            "median": median(one["pending"] for one in settled),
            "maximum": max(one["pending"] for one in settled),
        },
        "lag": {
            name: {
                "median": median(one[f"{name} lag"] for one in settled),
                "maximum": max(one[f"{name} lag"] for one in settled),
            }
            for name in WATCHED
        },
        "cores_used": {name: cores(settled, name) for name in WATCHED},
        "memory": memory,
        "flat": all(each["flat"] for what, each in memory.items() if what.endswith("rss_mb")),
    }


def cores(samples: Sequence[Sample], name: str) -> float:
    """CPU-seconds of a process in a second."""
    first, last = samples[0], samples[-1]
    spent = last[f"{name} cpu_s"] - first[f"{name} cpu_s"]
    return round(spent / (last["seconds"] - first["seconds"]), 3)


def line(taken: Sample) -> str:
    """A sample for people."""
    return (
        f"{taken['seconds'] / 60:5.1f} min  ingest {taken['ingest-0 rss_mb']:.0f} MB,"
        f" lag {taken['ingest-0 lag']:,.0f}, {taken['ingest-0 records']:,.0f} records,"
        f" pending {taken['pending']:,.0f}; decide {taken['decide-0 rss_mb']:.0f} MB,"
        f" {taken['windows']:,.0f} windows"
    )


def pictures(samples: Sequence[Sample]) -> list[dict[str, object]]:
    """Memory of each process, what is pending, and the lag, over time."""
    minutes = [one["seconds"] / 60 for one in samples]

    def chart(title: str, series: dict[str, str], scale: float = 1) -> dict[str, object]:
        lines = [
            {"name": name, "x": minutes, "y": [one[key] * scale for one in samples]}
            for name, key in series.items()
        ]
        return {"title": title, "x": "minutes", "y": "value", "lines": lines, "marks": []}

    both = {
        f"{name.partition('-')[0]}, {words}": f"{name} {what}"
        for name in WATCHED
        for words, what in (("resident", "rss_mb"), ("own", "anonymous_mb"))
    }
    return [
        chart("Memory, million bytes", both),
        chart("Predictions that wait for a label, millions", {"pending": "pending"}, 1e-6),
        chart("Lag, records", {name.partition("-")[0]: f"{name} lag" for name in WATCHED}),
    ]


if __name__ == "__main__":
    raise SystemExit(main())

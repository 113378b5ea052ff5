"""From kill -9 of INGEST until it has caught up, on the same disk and on a new host.

``python -m benchmarks.recovery`` starts a Kafka, INGEST and DECIDE as processes, lets a number of
predictions wait for their truth, and publishes more of both at a steady rate. INGEST is killed and
started again at once, in turns with its disk and without. It has caught up when it owns all shards
and its lag is back to what it was, give or take a second of traffic: so much may come between two
checkpoints, which tell the lag. At the end the windows must hold every prediction and every
truth exactly once. Writes ``benchmarks/results/recovery.json``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time

from benchmarks import events, output
from benchmarks.pending import fill, now_ms
from benchmarks.processes import Processes
from benchmarks.publisher import Publisher
from benchmarks.stand import DECIDE, INGEST, Stand, stand
from benchmarks.usage import usage
from schemas import cloudevents, topics
from schemas.policy import Labels, Policy
from streams.records import Message
from streams.results import ResultReader
from streams.runtime import catalogue
from streams.runtime.progress import decided, ingested

PUBLISHER = "publisher"
SAME, NEW = "same disk", "new host"

SETTLE_S = 6
"""Steady traffic before a kill."""

CATCH_UP_S = 90
"""Longest wait for a worker to come back."""

POLICY = Policy.model_validate(
    events.POLICY.model_dump()
    | {
        "pane": "10s",
        "labels": Labels(horizon="1h", maturity="30m", lateness="10m").model_dump(),
    }
)
"""Windows short enough that the last closes within the allowed skew of the clock."""


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description=__doc__)
    parser.add_argument("--pending", type=int, default=4_000_000)
    parser.add_argument(
        "--rate", type=float, default=5_000, help="predictions a second, and truths"
    )
    parser.add_argument("--runs", type=int, default=2)
    options = output.parsed(parser, "recovery")
    with stand([POLICY], events.reference()) as place:
        for name in (INGEST, DECIDE):
            place.processes.start(name)
        waiting = Publisher(place.settings, rate=0, start_ms=now_ms())
        fill(place, waiting, options.pending)
        print(f"{options.pending:,} pending", flush=True)
        seconds = options.runs * 2 * (SETTLE_S + CATCH_UP_S)
        arguments = ["--rate", str(options.rate), "--seconds", str(seconds), "--truth-after", "2"]
        place.processes.run(PUBLISHER, ["-m", "benchmarks.publisher", *arguments])
        runs = []
        for _ in range(options.runs):
            runs.append(run(place, slack=2 * options.rate))
            print(f"run {len(runs)}: {runs[-1]}", flush=True)
        place.processes.stop(PUBLISHER)
        published = json.loads(place.processes.log(PUBLISHER).read_text().splitlines()[-1])
        published["predictions"] += options.pending
        counted = windows(place)
    result = {
        "pending": options.pending,
        "events_per_second": 2 * options.rate,
        "runs": runs,
        "published": published,
        "counted": counted,
        "exact": all(counted[name] == published[name] for name in ("predictions", "truths")),
    }
    print(json.dumps(result, indent=2))
    output.write(options.output, result)


def run(place: Stand, *, slack: float) -> dict[str, dict[str, float]]:
    """Kill INGEST with its disk, and without; wall and CPU seconds until it has caught up."""
    same = killed(place, slack=slack, lose_disk=False)
    scrape = place.processes.scrape(INGEST)
    joined = 0.0 if scrape is None else scrape.total(catalogue.PENDING)
    new = killed(place, slack=slack, lose_disk=True)
    more = {
        f"{name}_per_million": round((new[key] - same[key]) / (joined / 1e6), 3)
        for name, key in (("seconds", "caught_up_s"), ("cpu_seconds", "cpu_s"))
    }
    return {SAME: same, NEW: new | {"join_records": joined} | more}


def killed(place: Stand, *, slack: float, lose_disk: bool) -> dict[str, float]:
    """Seconds from the kill until the new process owns all shards and the lag is what it was.

    ``slack`` is how many records it may be above that.
    """
    processes = place.processes
    allowed = steady_lag(processes) + slack
    began = time.monotonic()
    processes.kill(INGEST)
    if lose_disk:
        shutil.rmtree(place.settings.data / INGEST)
    processes.start(INGEST)
    places = 2 * place.settings.shards
    while True:
        waited_s = time.monotonic() - began
        scrape = processes.scrape(INGEST)
        owns_all = scrape is not None and scrape.count(catalogue.LAG) == places
        if scrape is not None and owns_all and scrape.total(catalogue.LAG) <= allowed:
            used = usage(processes.pid(INGEST))
            return {"caught_up_s": round(waited_s, 2), "cpu_s": used.cpu_s}
        if waited_s > CATCH_UP_S:
            raise RuntimeError(f"INGEST had not caught up {CATCH_UP_S} s after it was killed")
        list(processes.running())
        time.sleep(0.1)


def steady_lag(processes: Processes) -> float:
    """The largest lag that a few seconds of steady traffic show."""
    seen = []
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        scrape = processes.scrape(INGEST)
        seen.append(0.0 if scrape is None else scrape.total(catalogue.LAG))
        time.sleep(0.25)
    return max(seen)


def windows(place: Stand) -> dict[str, int]:
    """Predictions and truths in all windows of all versions, once every window has closed."""
    sender = place.transport.sender()
    for message in heartbeats(place, now_ms() + POLICY.pane_ms + POLICY.lateness_ms):
        sender.send(message)
    sender.close()
    deadline = time.monotonic() + CATCH_UP_S
    for reached in (ingested, decided):
        while not reached(place.transport, place.settings):
            if time.monotonic() > deadline:
                raise RuntimeError(f"not {reached.__name__} within {CATCH_UP_S} s")
            time.sleep(0.2)
    reader = ResultReader(place.transport, place.settings)
    reader.read(timeout_ms=500)
    reader.close()
    whole = [one for one in reader.results.windows.values() if not one.segment]
    return {
        "predictions": sum(one.predictions for one in whole),
        "truths": sum(one.coverage.labelled for one in whole),
        "dead_letters": reader.results.dead_letters,
    }


def heartbeats(place: Stand, time_ms: int) -> list[Message]:
    """Say on every partition that no event before this time will follow."""
    headers = cloudevents.headers(
        type=cloudevents.HEARTBEAT, source="/benchmarks", id=str(time_ms), time_ms=time_ms
    )
    return [
        Message(
            topic=place.settings.topic(topic),
            partition=partition,
            value=b'{"time": %d}' % time_ms,
            headers=headers,
        )
        for topic in (topics.PREDICTIONS, topics.FEEDBACK)
        for partition in range(place.settings.shards)
    ]


if __name__ == "__main__":
    main()

"""A million events through ``kittiwake replay``, and another policy on the same panes.

``python -m benchmarks.backtest`` writes a week of predictions and of their truth to a file, off the
clock, reads and replays it as the command does, and then decides on the panes anew under a policy
with other budgets. Seconds are CPU time of the process; beside them stands what it takes to read
the lines and decode each, for the same machine is not always as fast. Writes
``benchmarks/results/backtest.json``.
"""

from __future__ import annotations

import argparse
import gc
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

import msgspec

from benchmarks import events, output
from benchmarks.publisher import Templates
from schemas.policy import Policy
from streams import files
from streams.backtest import decide_again
from streams.replay import Start, replayed
from streams.runtime.settings import Settings

DAYS = 7
LABELS = {"horizon": "2d", "maturity": "1h", "lateness": "10m"}
DELAY_MS = 600_000

FIRST = Policy.model_validate(events.POLICY.model_dump() | {"labels": LABELS})
OTHER = Policy.model_validate(
    FIRST.model_dump()
    | {
        "budgets": {"error_rate": 0.14, "latency": {"limit_ms": 200, "rate": 0.05}},
        "false_alarms": {"pages": 3, "per": "30d"},
    }
)
"""Windows of an hour; the other policy has other budgets, and more false alarms to spend."""


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backtest", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="half of them truths")
    parser.add_argument("--runs", type=int, default=2)
    options = output.parsed(parser, "backtest")
    runs = []
    with TemporaryDirectory(prefix="kittiwake-backtest-") as name:
        path = Path(name) / "events.jsonl"
        write(path, options.events // 2)
        for _ in range(options.runs):
            runs.append(run(path))
            print(f"run {len(runs)}: {runs[-1]}", flush=True)
    result = {
        "events": options.events,
        "days": DAYS,
        "runs": runs,
    }
    output.write(options.output, result)


def run(path: Path) -> dict[str, float]:
    """Seconds to read and replay the file, and to decide anew on its panes.

    Each run begins as a process does: to find what the one before left in cycles is off the clock.
    """
    gc.collect()
    plain_s = plain(path)
    start = Start(FIRST, events.reference())
    begun = process_time()
    lines = files.read([path], model=FIRST.model)
    with replayed(lines, [start], step_ms=FIRST.pane_ms) as done:
        first_s = process_time() - begun
        windows, steps = len(done.results.windows), done.steps()
    begun = process_time()
    again = decide_again(steps, start, OTHER)
    other_s = process_time() - begun
    if not again.ledgers[0].spent:
        raise RuntimeError("the other policy judged nothing")
    return {
        "seconds": round(first_s, 3),
        "another_policy_s": round(other_s, 3),
        "read_and_decode_s": round(plain_s, 3),
        "windows": windows,
    }


def plain(path: Path) -> float:
    """Seconds to read the file and decode every line, and nothing else."""
    decode = msgspec.json.Decoder().decode
    begun = process_time()
    with path.open("rb") as file:
        for line in file:
            decode(line)
    return process_time() - begun


def write(path: Path, count: int) -> None:
    """Predictions over some days and the truth of each, in order of publication."""
    step_ms = DAYS * 86_400_000 // count
    behind = DELAY_MS // step_ms
    templates = Templates(Settings())
    with path.open("wb") as file:
        for turn in range(count + behind):
            time_ms = b"%d" % (events.START_MS + turn * step_ms)
            if turn < count:
                file.write(templates.prediction(turn, b"tx-%08d" % turn, time_ms) + b"\n")
            if turn >= behind:
                place = turn - behind
                file.write(templates.truth(place, b"tx-%08d" % place, time_ms) + b"\n")


if __name__ == "__main__":
    main()

"""``python -m benchmarks``: every number to hold, measured, and whether it is met.

Runs the parts one after another, each a process of its own with few runs, and prints one table of
what they stored; the table is written to ``benchmarks/results/targets.md`` as well. A part can be
run by itself, with more runs, as ``python -m benchmarks.<part>``. The soak takes an hour and runs
only when it is named.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.targets import TARGETS, counted, judge, table

RESULTS = Path(__file__).parent / "results"

PARTS: Mapping[str, tuple[str, ...]] = {
    "detectors": ("--runs", "3"),
    "ingest": ("--runs", "3"),
    "store": (),
    "decide": (),
    "pending": (),
    "latency": (),
    "recovery": (),
    "backtest": (),
    "peers": ("--only", "faust,quix,bytewax"),
    "soak": (),
}
"""What is run in this order, and with which options, unless others are named."""

LONG = ("soak",)
"""Parts that run only when they are named."""


def main() -> int:
    """Measure and report; 1 if a part broke down, never because a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", help="parts, with commas: " + ", ".join(PARTS))
    parser.add_argument(
        "--report", action="store_true", help="print what is stored, and run nothing"
    )
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else [p for p in PARTS if p not in LONG]
    unknown = sorted(set(chosen) - set(PARTS))
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    broken = [] if options.report else [part for part in chosen if not run(part)]
    report()
    for part in broken:
        print(f"{part} broke down, and its figures are those of an earlier run", file=sys.stderr)
    return 1 if broken else 0


def run(part: str) -> bool:
    """Run a part; False if it broke down."""
    began = time.monotonic()
    print(f"== {part}", flush=True)
    command = [sys.executable, "-m", f"benchmarks.{part}", *PARTS[part]]
    status = subprocess.run(command, check=False).returncode
    print(f"== {part}: {time.monotonic() - began:.0f} s, status {status}\n", flush=True)
    return status == 0


def report() -> None:
    """Print the table and write it."""
    judged = [judge(target, RESULTS) for target in TARGETS]
    lines = [*table(judged), "", f"{counted(judged)}."]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "targets.md").write_text("\n".join(lines) + "\n")
    print(*lines, sep="\n")


if __name__ == "__main__":
    sys.exit(main())

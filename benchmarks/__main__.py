"""``python -m benchmarks``: every number to hold, measured, and whether it is met.

Runs the parts one after another, each a process of its own with few runs, and prints one table of
what they stored; the table is written beside it, as ``targets.md``. Whole runs are stored in
``benchmarks/results``, and the tables of ``benchmarks/README.md`` and ``docs/sizing.md`` follow
them. With ``--small`` every part runs at a small size, to see that it works here:
its figures go to ``out/bench``, and none of them speaks of a target. A part can be run by itself,
with more runs, as ``python -m benchmarks.<part>``.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.output import RESULTS, SMALL
from benchmarks.pages import pages
from benchmarks.targets import TARGETS, counted, judge, table


@dataclass(frozen=True, slots=True)
class Part:
    """A part, its options for a whole run and for a small one, and how long these take.

    ``seconds`` and ``small_seconds`` are of the clock, about, on two cores. A ``named`` part
    runs only when it is named.
    """

    name: str
    options: str
    seconds: int
    small: str
    small_seconds: int
    named: bool = False

    def command(self, *, small: bool) -> list[str]:
        """What is run."""
        options = f"{self.small} --output {SMALL / self.name}.json" if small else self.options
        return [sys.executable, "-m", f"benchmarks.{self.name}", *shlex.split(options)]


PARTS = (
    Part("detectors", "", 25, "--runs 1 --tests 1000", 3),
    Part("ingest", "", 140, "--runs 1 --events 20000", 40),
    Part("many", "", 120, "--runs 1 --rows 20000 --models 100", 20),
    Part("store", "", 40, "--predictions 200000", 25),
    Part("decide", "", 300, "--windows 1 --only 'many tests'", 45),
    Part("pending", "", 180, "--pending 300000 --events 50000 --runs 2", 60),
    Part("latency", "", 120, "--models 20 --windows 2 --rate 1000", 60),
    Part("recovery", "", 160, "--pending 50000 --rate 1000 --runs 1", 90),
    Part("backtest", "", 45, "--events 50000 --runs 1", 45),
    Part("scale", "", 250, "--events 10000 --runs 1", 110),
    Part(
        "peers",
        "",
        700,
        "--only faust,quix,bytewax --runs 1 --events 25000",
        120,
    ),
    Part("soak", "", 3_700, "--minutes 1 --rate 4000 --pending 20000", 120, named=True),
)
"""In the order in which they run."""


def main() -> int:
    """Measure and report; 1 if a part broke down, never because a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog="\n".join(times()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", help="parts, with commas: " + ", ".join(p.name for p in PARTS))
    parser.add_argument("--small", action="store_true", help="small sizes, stored in out/bench")
    parser.add_argument(
        "--report", action="store_true", help="print what is stored, and run nothing"
    )
    options = parser.parse_args()
    named = options.only.split(",") if options.only else []
    unknown = sorted(set(named) - {part.name for part in PARTS})
    if unknown:
        parser.error(f"no part {', '.join(unknown)}; --help names them")
    chosen = [part for part in PARTS if (part.name in named if named else not part.named)]
    broken = [] if options.report else [p for p in chosen if not run(p, small=options.small)]
    report(SMALL if options.small else RESULTS, whole=not options.small)
    for part in broken:
        print(f"{part.name} broke down; what is stored of it is older", file=sys.stderr)
    return 1 if broken else 0


def times() -> Iterator[str]:
    """How long each part takes, for people."""
    yield f"  {'about how long':14} {'whole':>8} {'small':>8}"
    for part in PARTS:
        note = "  only when it is named" if part.named else ""
        yield f"  {part.name:14} {clock(part.seconds)} {clock(part.small_seconds)}{note}"
    usual = [part for part in PARTS if not part.named]
    whole, small = sum(part.seconds for part in usual), sum(part.small_seconds for part in usual)
    yield f"  {'all':14} {clock(whole)} {clock(small)}"


def clock(seconds: int) -> str:
    """Seconds as minutes, if there are many.

    Examples
    --------
    >>> clock(45), clock(250)
    ('    45 s', '   4 min')
    """
    return f"{seconds:6} s" if seconds < 90 else f"{round(seconds / 60):4} min"


def run(part: Part, *, small: bool) -> bool:
    """Run a part; False if it broke down."""
    began = time.monotonic()
    print(f"== {part.name}", flush=True)
    status = subprocess.run(part.command(small=small), check=False).returncode
    print(f"== {part.name}: {time.monotonic() - began:.0f} s, status {status}\n", flush=True)
    return status == 0


def report(results: Path, *, whole: bool) -> None:
    """Print the table of what is stored there, and write it beside."""
    judged = [judge(target, results, whole=whole) for target in TARGETS]
    lines = [*table(judged), "", f"{counted(judged)}."]
    results.mkdir(parents=True, exist_ok=True)
    (results / "targets.md").write_text("\n".join(lines) + "\n")
    if whole:
        for path, text in pages().items():
            path.write_text(text, encoding="utf-8")
    print(*lines, sep="\n")


if __name__ == "__main__":
    sys.exit(main())

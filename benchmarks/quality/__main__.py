"""Run the cases and write ``quality.json``, ``quality.html`` and ``quality.md`` to ``results/``.

``python -m benchmarks.quality --only G3,G4 --seeds 2 --output out/quality`` tries a few.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.quality import markdown, report, streams
from benchmarks.quality.case import Case, Run
from benchmarks.quality.cases import CASES
from benchmarks.quality.stored import results_of
from benchmarks.quality.table import CaseResult, result_of

RESULTS = Path(__file__).parents[1] / "results"
CHUNK = 5
"""Seeds of a case that one process runs in a row: what they share is read once."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, write, and print the targets."""
    options = _options(arguments)
    if not streams.present():
        print(f"{streams.DATA}: no data here; set KITTIWAKE_QUALITY_DATA", file=sys.stderr)
        return 1
    chosen = [case for case in CASES if not options.only or case.name in options.only.split(",")]
    if not chosen:
        known = ", ".join(case.name for case in CASES)
        print(f"--only {options.only}: no such case; there are {known}", file=sys.stderr)
        return 1
    begun = time.perf_counter()
    runs, seconds = measured(chosen, seeds=options.seeds, processes=options.processes)
    results = [
        result_of(case, runs[case.name], results_of(case), seconds=round(seconds[case.name], 1))
        for case in chosen
    ]
    elapsed = time.perf_counter() - begun
    write(results, options.output, elapsed)
    for line in summary(results):
        print(line)
    print(f"{elapsed:.0f} s; written: {options.output}/quality.html, .md and .json")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality")
    parser.add_argument("--only", default="", help="cases, such as G1,G4; all if empty")
    parser.add_argument("--seeds", type=int, help="at most so many seeds of each case")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS)
    return parser.parse_args(arguments)


def measured(
    chosen: Sequence[Case], *, seeds: int | None, processes: int
) -> tuple[dict[str, list[Run]], dict[str, float]]:
    """Runs of each case, and the CPU-seconds of all its processes together."""
    jobs = [
        (case.name, range(start, min(start + CHUNK, count)))
        for case in chosen
        for count in (min(case.seeds, seeds or case.seeds),)
        for start in range(0, count, CHUNK)
    ]
    runs: dict[str, list[Run]] = defaultdict(list)
    seconds: dict[str, float] = defaultdict(float)
    with ProcessPoolExecutor(processes) as pool:
        for (name, _), (found, took) in zip(
            jobs, pool.map(_job, *zip(*jobs, strict=True)), strict=True
        ):
            runs[name] += found
            seconds[name] += took
    return runs, seconds


def _job(name: str, seeds: Iterable[int]) -> tuple[list[Run], float]:
    case = next(case for case in CASES if case.name == name)
    begun = time.process_time()
    return [run for seed in seeds for run in case.run(seed)], time.process_time() - begun


def write(results: Sequence[CaseResult], folder: Path, seconds: float) -> None:
    """The results, the page with its pictures, and the tables alone."""
    content = {
        "machine": describe(),
        "seconds": round(seconds),
        "cases": [result.stored() for result in results],
    }
    folder.mkdir(parents=True, exist_ok=True)
    stored = json.dumps(content, separators=(",", ":"))
    (folder / "quality.json").write_text(stored + "\n")
    (folder / "quality.html").write_text(report.page(json.loads(stored)))
    (folder / "quality.md").write_text(markdown.page(json.loads(stored)))


def summary(results: Iterable[CaseResult]) -> Iterable[str]:
    """A line for each target."""
    for result in results:
        for target in result.targets:
            value = "not measured" if target.measured is None else f"{target.measured:.4g}"
            verdict = {True: "met", False: "MISSED", None: "?"}[target.met]
            yield (
                f"{result.name:<7} {verdict:<7} {target.text}: {value} "
                f"({target.sense} {target.limit:g})"
            )


if __name__ == "__main__":
    sys.exit(main())

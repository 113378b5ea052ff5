"""``python -m benchmarks.micro``: each stage beside its floor, and beside what was last recorded.

A stage that costs a fifth more of its floor than in ``benchmarks/results/micro.json`` is called a
regression; nothing fails for that, as ratios move with the machine. ``--record`` stores those of
this run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks import machine
from benchmarks.figures import Spread
from benchmarks.micro import checkpoint, contract, decode, join, merge, pane, tests
from benchmarks.micro.case import measure

RESULT = Path(__file__).parents[1] / "results" / "micro.json"
CASES = (
    *(decode.CASE, contract.CASE, join.CASE, pane.CASE),
    *(merge.CASE, tests.CASE, checkpoint.CASE),
)
WORSE = 1.2


def main() -> None:
    """Measure, print, and store if asked to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro", description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--only", choices=[case.name for case in CASES])
    parser.add_argument("--record", action="store_true", help="store the ratios of this run")
    options = parser.parse_args()
    before = recorded(RESULT)
    found: dict[str, Spread] = {}
    print(f"{'stage / floor':12} {'minimum':>9} {'median':>9} {'maximum':>9} {'recorded':>9}")
    for case in CASES:
        if options.only in (None, case.name):
            found[case.name] = measure(case, options.repeats)
            print(line(case.name, found[case.name], before.get(case.name)), flush=True)
    for name in regressions(found, before):
        print(
            f"REGRESSION {name}: {found[name].median:.3g} times its floor, was {before[name]:.3g}"
        )
    if options.record:
        write(RESULT, found)


def line(name: str, spread: Spread, before: float | None) -> str:
    """A stage in one line."""
    last = "" if before is None else f"{before:9.3g}"
    return f"{name:12} {spread.minimum:9.3g} {spread.median:9.3g} {spread.maximum:9.3g} {last:>9}"


def regressions(found: Mapping[str, Spread], before: Mapping[str, float]) -> list[str]:
    """Stages that became worse by more than a fifth."""
    return [
        name
        for name, spread in found.items()
        if name in before and spread.median > WORSE * before[name]
    ]


def recorded(path: Path) -> dict[str, float]:
    """The medians that were stored last; none if nothing was."""
    if not path.exists():
        return {}
    stored = json.loads(path.read_text())["times_the_floor"]
    return {name: spread["median"] for name, spread in stored.items()}


def write(path: Path, found: Mapping[str, Spread]) -> None:
    """Store the ratios, those of stages that were not measured as they were, and the machine."""
    kept = json.loads(path.read_text())["times_the_floor"] if path.exists() else {}
    new = {case.name: spread for case in CASES if (spread := found.get(case.name))}
    result = {
        "machine": machine.describe(),
        "floors": {case.name: case.floor for case in CASES},
        "times_the_floor": kept | {name: spread.rounded() for name, spread in new.items()},
    }
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written to {path}")


if __name__ == "__main__":
    main()

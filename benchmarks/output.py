"""Where a benchmark writes what it found, and that a small run never replaces a whole one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Mapping
from pathlib import Path

from benchmarks import machine

RESULTS = Path(__file__).parent / "results"
SMALL = Path(__file__).parents[1] / "out" / "bench"
"""Results of runs of another size than the whole one."""


def parsed(
    parser: argparse.ArgumentParser,
    part: str,
    arguments: list[str] | None = None,
    *,
    beside: Collection[str] = ("runs",),
) -> argparse.Namespace:
    """The options of a part, and ``output``: where its result goes unless the caller says.

    Parameters
    ----------
    parser
        With every option of the part, each with the value of a whole run as its default.
    part
        Names the file.
    arguments
        Those of the command line if left out.
    beside
        Options that do not change the size of what is measured.

    Examples
    --------
    >>> parser = argparse.ArgumentParser()
    >>> for name in ("--rows", "--runs"):
    ...     _ = parser.add_argument(name, type=int, default=9)
    >>> parsed(parser, "joins", ["--runs", "1"]).output.parent.name
    'results'
    >>> parser = argparse.ArgumentParser()
    >>> _ = parser.add_argument("--rows", type=int, default=9)
    >>> parsed(parser, "joins", ["--rows", "1"]).output.parent.name
    'bench'
    """
    parser.add_argument(
        "--output",
        type=Path,
        help=f"where the result goes; if left out, benchmarks/results/{part}.json,"
        f" or out/bench/{part}.json for a run of other sizes than the defaults",
    )
    options = parser.parse_args(arguments)
    if options.output is None:
        changed = {
            name for name, value in vars(options).items() if value != parser.get_default(name)
        }
        options.output = (SMALL if changed - set(beside) else RESULTS) / f"{part}.json"
    return options


def write(path: Path, result: Mapping[str, object], *, indent: int = 2) -> None:
    """Write a result with the machine it is from, and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = {"machine": machine.describe(), **result}
    path.write_text(json.dumps(stored, indent=indent) + "\n")
    print(f"\nwritten to {path}")

"""What the runs gave: the stored result, the picture, and the table of the README."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.figures import Spread, share
from benchmarks.peers import picture
from benchmarks.peers.batch import KITTIWAKE
from benchmarks.peers.streaming import ARROW, DRIFT, FLOOR, JSON, OWN
from benchmarks.peers.tools import BATCHES, STREAMS, Tool
from docs.tables import between

RESULT = Path(__file__).parents[1] / "results" / "peers.json"
README = Path(__file__).parents[1] / "README.md"

Rates = dict[str, float]
"""Events per CPU-second by name, of one run."""

ORDER = (*OWN, ARROW, *(tool.name for tool in STREAMS), KITTIWAKE, *(tool.name for tool in BATCHES))


def own_of(tool: Tool) -> str:
    """What of Kittiwake answers the tool's question from the same source."""
    if tool in BATCHES:
        return KITTIWAKE
    return JSON if tool.question in ("trivial", "mean") else DRIFT


def pairs() -> Iterator[tuple[str, str]]:
    """What is divided by what: Kittiwake by each tool, and all by the floor."""
    for tool in (*STREAMS, *BATCHES):
        yield own_of(tool), tool.name
    yield ARROW, JSON
    for name in ORDER:
        if name != FLOOR:
            yield name, FLOOR


def spreads(runs: Sequence[Rates]) -> dict[str, Spread]:
    """Rates over the runs that have them, in order of what was asked."""
    return {
        name: Spread.of(run[name] for run in runs if name in run)
        for name in ORDER
        if any(name in run for run in runs)
    }


def ratios(runs: Sequence[Rates]) -> list[dict[str, Any]]:
    """Every pair over the runs that have both."""
    found = []
    for of, to in pairs():
        both = [run for run in runs if of in run and to in run]
        if both:
            found.append({"of": of, "to": to, **share(both, of, to).rounded()})
    return found


def write(
    path: Path, runs: Sequence[Rates], failures: Mapping[str, str], *, events: int, rows: int
) -> None:
    """Write every run, the ratios, the machine and what failed, and the picture beside it."""
    result = {
        "events": events,
        "rows": rows,
        "machine": machine.describe(),
        "failures": dict(failures),
        "runs": [{name: round(rate, 1) for name, rate in run.items()} for run in runs],
        "ratios": ratios(runs),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    path.with_suffix(".svg").write_text(picture.draw(spreads(runs)))


def table(stored: Mapping[str, Any]) -> str:
    """The stored result as Markdown."""
    runs: list[Rates] = stored["runs"]
    times = {pair["to"]: pair for pair in stored["ratios"] if pair["to"] != FLOOR}
    about = stored["machine"]
    where = f"{about['date']}, {about['processor']}, {about['cores']} cores"
    lines = [
        f"{where}; {len(runs)} runs, minimum / median / maximum.",
        "",
        "| | events per CPU-second | Kittiwake is so many times as fast |",
        "|---|---|---|",
    ]
    for name, each in spreads(runs).items():
        rate = f"{each.minimum:,.0f} / {each.median:,.0f} / {each.maximum:,.0f}"
        pair = times.get(name)
        ratio = (
            f"{pair['minimum']:.2g} / {pair['median']:.2g} / {pair['maximum']:.2g} ({pair['of']})"
            if pair
            else ""
        )
        lines.append(f"| {name} | {rate} | {ratio} |")
    lines += [f"\n{name} failed: {words}" for name, words in stored["failures"].items()]
    return "\n".join(lines) + "\n"


def into_readme(stored: Mapping[str, Any], path: Path = README) -> None:
    """Replace the table of the README."""
    path.write_text(between(path.read_text(), "peers", table(stored)))

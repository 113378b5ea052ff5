"""What the runs gave: the stored result, the picture, and the table of the README."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.figures import Spread, share
from benchmarks.output import RESULTS
from benchmarks.peers import picture
from benchmarks.peers.batch import KITTIWAKE
from benchmarks.peers.streaming import ARROW, DRIFT, FLOOR, JSON, OWN
from benchmarks.peers.tools import BATCHES, STREAMS
from docs.tables import between

RESULT = RESULTS / "peers.json"
README = Path(__file__).parents[1] / "README.md"

Rates = dict[str, float]
"""Events per CPU-second by name, of one run."""

Entry = dict[str, Any]
"""What is stored of one name: ``machine`` with the date, how many ``events`` a run had, and the
``runs``, each with the rates that this name's is compared with. ``failure`` holds the last words of
a tool that failed."""

COMPARED = {
    JSON: ARROW,
    **{tool.name: JSON if tool.question in ("trivial", "mean") else DRIFT for tool in STREAMS},
    **{tool.name: KITTIWAKE for tool in BATCHES},
}
"""What of Kittiwake a rate is compared with; it answers a tool's question from the same source."""

ORDER = (*OWN, ARROW, *(tool.name for tool in STREAMS), KITTIWAKE, *(tool.name for tool in BATCHES))


def entries(runs: Sequence[Rates], *, events: int, rows: int) -> dict[str, Entry]:
    """What is stored of each name that was measured."""
    where = machine.describe()
    found: dict[str, Entry] = {}
    for name in ORDER:
        beside = dict.fromkeys((FLOOR, JSON if name == ARROW else COMPARED.get(name, name), name))
        own = [
            {each: round(run[each], 1) for each in beside if each in run}
            for run in runs
            if name in run
        ]
        if own:
            size = rows if KITTIWAKE in beside else events
            found[name] = {"machine": where, "events": size, "runs": own}
    return found


def merged(
    stored: Mapping[str, Entry], found: Mapping[str, Entry], failures: Mapping[str, str]
) -> dict[str, Entry]:
    """What was measured anew in place of what was stored; the rest stays, with its date.

    A tool that failed keeps its older figures, and says that it failed.
    """
    whole = {**stored, **found}
    for name, words in failures.items():
        whole[name] = {**whole.get(name, {"runs": []}), "failure": words}
    return {name: whole[name] for name in ORDER if name in whole}


def write(path: Path, found: Mapping[str, Entry], failures: Mapping[str, str]) -> None:
    """Store what was measured and what failed, and the picture of all that is stored beside it."""
    earlier = json.loads(path.read_text()) if path.exists() else {}
    whole = merged(earlier, found, failures)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=2) + "\n")
    path.with_suffix(".svg").write_text(picture.draw(spreads(whole)))


def spreads(stored: Mapping[str, Entry]) -> dict[str, Spread]:
    """Rates of all names that have some."""
    return {
        name: Spread.of(run[name] for run in entry["runs"])
        for name, entry in stored.items()
        if entry["runs"]
    }


def times(stored: Mapping[str, Entry], of: str, to: str) -> Spread | None:
    """One rate by another, over the runs stored of either that have both; None without any."""
    for name in (to, of):
        both = [run for run in stored.get(name, {"runs": []})["runs"] if of in run and to in run]
        if both:
            return share(both, of, to)
    return None


def table(stored: Mapping[str, Entry]) -> str:
    """The stored result as Markdown."""
    machines = {machine_of(entry) for entry in stored.values() if entry["runs"]}
    lines = [
        f"{'; '.join(sorted(machines))}; minimum / median / maximum.",
        "",
        "| | events per CPU-second | Kittiwake is so many times as fast | measured |",
        "|---|---|---|---|",
    ]
    for name, each in spreads(stored).items():
        rate = f"{each.minimum:,.0f} / {each.median:,.0f} / {each.maximum:,.0f}"
        day = f"{stored[name]['machine']['date']}, {len(stored[name]['runs'])} run(s)"
        lines.append(f"| {name} | {rate} | {compared(stored, name)} | {day} |")
    failed = {name: entry["failure"] for name, entry in stored.items() if "failure" in entry}
    lines += [f"\n{name} failed: {words}" for name, words in failed.items()]
    return "\n".join(lines) + "\n"


def machine_of(entry: Entry) -> str:
    """Processor and cores."""
    return f"{entry['machine']['processor']}, {entry['machine']['cores']} cores"


def compared(stored: Mapping[str, Entry], name: str) -> str:
    """How many times as fast Kittiwake is; empty where nothing is compared."""
    of = COMPARED.get(name)
    ratio = times(stored, of, name) if of else None
    if ratio is None:
        return ""
    return f"{ratio.minimum:.2g} / {ratio.median:.2g} / {ratio.maximum:.2g} ({of})"


def into_readme(stored: Mapping[str, Entry], path: Path = README) -> None:
    """Replace the table of the README."""
    path.write_text(between(path.read_text(), "peers", table(stored)))

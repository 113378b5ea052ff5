"""The pages that say what is stored: ``benchmarks/README.md`` and ``docs/sizing.md``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import sizing_page
from benchmarks.figures import Spread
from benchmarks.measured import read
from benchmarks.output import RESULTS
from docs.tables import between, table

README = Path(__file__).parent / "README.md"
LOGS = {"memory": "log in memory", "kafka": "Kafka"}
Rates = Mapping[str, float]


def pages(results: Path = RESULTS) -> dict[Path, str]:
    """Each page with the tables that the stored figures give.

    Raises
    ------
    LookupError
        If a figure is not stored.
    OSError
        If a part was never run.
    """
    text = README.read_text(encoding="utf-8")
    text = between(text, "ingest", ingest(_stored(results, "ingest")))
    text = between(text, "banks", banks(_stored(results, "detectors")))
    return {README: text} | sizing_page.page(read(results))


def ingest(stored: Mapping[str, Any]) -> str:
    """Rates of `benchmarks.ingest`, and their ratios."""
    machine, logs = stored["machine"], {name: stored["logs"][name] for name in LOGS}
    runs: dict[str, Sequence[Rates]] = {
        name: log["events_per_cpu_second"] for name, log in logs.items()
    }
    rates = [
        (what, *(_each(Spread.of(run[what] for run in runs[name])) for name in LOGS))
        for what in runs["kafka"][0]
    ]
    ratios = [
        (f"{same[0]['of']} / {same[0]['to']}", f"≥ {same[0]['target']:g}", *map(_judged, same))
        for same in zip(*(log["ratios"] for log in logs.values()), strict=True)
    ]
    return (
        f"{machine['date']}, {machine['processor']}, {machine['cores']} cores shared with the"
        f" broker, Python {machine['python']}, Kafka {machine['kafka']}, librdkafka"
        f" {machine['librdkafka']}; {len(runs['kafka'])} runs, minimum / median / maximum.\n\n"
        + table(("events per CPU-second", *LOGS.values()), rates)
        + "\n"
        + table(("ratio", "target", *LOGS.values()), ratios)
    )


def banks(stored: Mapping[str, Any]) -> str:
    """CPU milliseconds of `benchmarks.detectors`."""
    return table(
        ("bet", "all at once (target ≤ 50)", "one by one", "times as fast"),
        [(name, *_bank(kind)) for name, kind in stored["kinds"].items()],
    )


def _bank(kind: Mapping[str, Any]) -> Iterator[str]:
    runs: Sequence[Rates] = kind["cpu_milliseconds"]
    bank, alone = (Spread.of(run[name] for run in runs) for name in ("bank", "one by one"))
    yield f"{bank.minimum:.1f} / {bank.median:.1f} / {bank.maximum:.1f}"
    yield f"{alone.minimum:.0f} / {alone.median:.0f} / {alone.maximum:.0f}"
    yield f"{kind['times_as_fast']['median']:.0f}"


def _each(rates: Spread) -> str:
    return f"{rates.minimum:,.0f} / {rates.median:,.0f} / {rates.maximum:,.0f}"


def _judged(ratio: Rates) -> str:
    verdict = "met" if ratio["median"] >= ratio["target"] else "**missed**"
    return f"{ratio['median']:.2f} ({ratio['minimum']:.2f} to {ratio['maximum']:.2f}), {verdict}"


def _stored(results: Path, part: str) -> Mapping[str, Any]:
    stored: Mapping[str, Any] = json.loads((results / f"{part}.json").read_text())
    return stored

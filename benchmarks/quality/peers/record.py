"""What a peer found, written as one JSON file for each peer, case, variant and operating point."""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TypedDict

Point = Literal["default", "matched"]

RESULTS = Path(__file__).parent / "results"


class Alarm(TypedDict):
    """The row that alarmed, or the last row of its window, and what it alarmed on."""

    at: int
    signal: str


class Run(TypedDict):
    """All alarms of one seed, in order."""

    seed: int
    alarms: list[Alarm]


def arguments() -> argparse.Namespace:
    """``--data`` and ``--only`` of every script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--only", default="", help="case to run, such as G1; all if empty")
    return parser.parse_args()


def alarms(found: Iterable[tuple[int, str]]) -> list[Alarm]:
    """Alarms in order of row, then signal."""
    return [{"at": int(at), "signal": signal} for at, signal in sorted(found)]


def write(
    *,
    peer: str,
    package: str,
    case: str,
    variant: str = "",
    point: Point = "default",
    settings: Mapping[str, object],
    runs: Sequence[Run],
    rows_per_window: int,
    started: float,
    estimates: Mapping[str, Sequence[float]] | None = None,
) -> Path:
    """Store a result; ``started`` is ``time.perf_counter()`` before the first run."""
    result = {
        "peer": peer,
        "version": version(package),
        "case": case,
        "variant": variant,
        "operating_point": point,
        "settings": settings,
        "seeds": len(runs),
        "rows_per_window": rows_per_window,
        "runs": runs,
        **({"estimates": estimates} if estimates else {}),
        "seconds": round(time.perf_counter() - started, 1),
    }
    name = "-".join(re.sub(r"[^\w.]+", "_", part) for part in (peer, case, variant, point) if part)
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, separators=(",", ":"), allow_nan=False) + "\n")
    print(f"{path.name}: {sum(len(run['alarms']) for run in runs)} alarms in {len(runs)} runs")
    return path


def second_worst(worst: Sequence[float]) -> float:
    """The threshold that one of these windows exceeds.

    With ``worst`` the largest distance over all signals in each window of ten monitor-days, an
    alarm above it is one false episode in ten monitor-days on these rows.
    """
    return sorted(worst)[-2]


def few_windows(count: int) -> dict[str, object]:
    """Why a threshold of rows in order of time is not matched to the rate asked for."""
    return {
        "feasible": False,
        "why": f"the reference has {count} windows in order of time, one false episode in 240 "
        "windows cannot be measured on them; set just beyond the worst of them",
    }

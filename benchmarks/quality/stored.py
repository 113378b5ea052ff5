"""Stored results of other tools, scored here by the same rules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality.case import Case, PeerRun, Stream
from benchmarks.quality.scoring import Alarm

RESULTS = Path(__file__).parent / "peers" / "results"


def results_of(case: Case, folder: Path = RESULTS) -> list[PeerRun]:
    """Every stored result of a case, in order of stream and name.

    A result is of the stream that its variant names; where the case has one stream only, the
    variant says what was done differently.
    """
    found = [_peer_run(stored, case.streams) for stored in _stored(folder, case.name)]
    order = {stream.name: place for place, stream in enumerate(case.streams)}
    return sorted(
        found,
        key=lambda run: (
            order.get(run.stream, len(order)),
            run.operating_point,
            run.peer,
            run.note,
        ),
    )


def _stored(folder: Path, case: str) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.json")):
        stored = json.loads(path.read_text())
        if stored["case"] == case:
            yield stored


def _peer_run(stored: dict[str, Any], streams: Sequence[Stream]) -> PeerRun:
    variant = stored.get("variant", "")
    names = {stream.name for stream in streams}
    stream = streams[0].name if len(names) == 1 else variant
    other = variant if names and variant not in names else ""
    settings = stored["settings"]
    infeasible = settings.get("feasible") is False
    return PeerRun(
        peer=", ".join(part for part in (stored["peer"], other) if part),
        version=stored["version"],
        stream=stream,
        operating_point=stored["operating_point"],
        runs=[
            tuple(Alarm(alarm["at"], alarm["signal"]) for alarm in run["alarms"])
            for run in stored["runs"]
        ],
        window_rows=stored["rows_per_window"],
        note=settings.get("why", "no threshold reaches the rate asked for") if infeasible else "",
        estimates=stored.get("estimates") or {},
    )

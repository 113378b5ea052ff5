"""What is asked: the mean score and the drift of eight features, in windows of a minute."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks import events
from schemas.policy import Policy
from schemas.reference import ReferenceProfile
from streams.records import Message
from streams.runtime.settings import Settings

WINDOW_MS = 60_000
STEP_MS = 6
PER_WINDOW = WINDOW_MS // STEP_MS
"""Predictions of one window."""

POLICY: Policy = events.POLICY.model_copy(update={"pane": "1m", "lateness": "1s"})


def predictions(settings: Settings, count: int) -> Iterator[Message]:
    """The predictions of all streams, in order of time."""
    return events.predictions(settings, count, step_ms=STEP_MS)


def in_scripts(reference: ReferenceProfile) -> dict[str, object]:
    """The question as the scripts of `benchmarks.peers.scripts` are told it."""
    known = [reference.numeric[name] for name in events.FEATURES]
    return {
        "features": list(events.FEATURES),
        "window_ms": WINDOW_MS,
        "window_rows": PER_WINDOW,
        "edges": [each.edges for each in known],
        "known": [each.counts for each in known],
    }


REQUIREMENTS = Path(__file__).parent / "requirements"
SCRIPTS = Path(__file__).parent / "scripts"
HOME = Path(__file__).parents[2] / ".cache" / "bench-peers"
"""Where the environments of the other tools are."""

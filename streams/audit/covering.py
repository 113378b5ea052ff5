"""Which decisions of an audit chain rest on a window that a prediction was in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.audit import AuditRecord


@dataclass(frozen=True, slots=True)
class Answer:
    """What of a prediction says which windows it was in; ``segments`` are as ``key=value``."""

    model: str
    version: str
    arm: str
    time_ms: int
    segments: frozenset[str] = frozenset()


def covers(record: AuditRecord, answer: Answer) -> bool:
    """Whether a decision rests on a window that the answer was in.

    An alert is of a version, an arm, and all its answers or those of a segment; a rollout is of
    two versions, a request to train again of all versions. Commands and advice have no window.

    Examples
    --------
    >>> from streams.audit.link import linked
    >>> window = {"window_start_ms": 0, "window_end_ms": 60_000, "segment": ""}
    >>> record = linked(model="m", sequence=0, previous="", peaks=(), kind="alert.opened",
    ...     event_id="e", at_ms=1, subject={**window, "version": "v1", "arm": "baseline"})
    >>> [covers(record, Answer("m", "v1", "baseline", time)) for time in (59_999, 60_000)]
    [True, False]
    """
    said: Mapping[str, object] = record.subject
    family = record.kind.partition(".")[0]
    if record.model != answer.model or family not in WINDOWS:
        return False
    start, end = (said.get(name) for name in WINDOWS[family])
    if not isinstance(start, int) or not isinstance(end, int):
        return False
    return start <= answer.time_ms < end and _of(family, said, answer)


WINDOWS = {
    "alert": ("window_start_ms", "window_end_ms"),
    "rollout": ("window_start_ms", "window_end_ms"),
    "retrain": ("from_ms", "to_ms"),
}
"""Where each family of decisions has its window."""


def _of(family: str, said: Mapping[str, object], answer: Answer) -> bool:
    match family:
        case "alert":
            whose = (said.get("version"), said.get("arm"))
            segment = said.get("segment")
            return whose == (answer.version, answer.arm) and (
                segment == "" or segment in answer.segments
            )
        case "rollout":
            return answer.version in (said.get("canary"), said.get("baseline"))
        case _:
            return True


def advises(record: AuditRecord, answer: Answer) -> bool:
    """Whether services had been given this advice by the time of an answer; the newest holds."""
    told = record.kind == "advice" and record.model == answer.model
    return told and record.at_ms <= answer.time_ms

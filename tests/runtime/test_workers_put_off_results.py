"""A worker goes on with results that it has put off, though nothing new comes, and over crashes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from crashes import BETWEEN, CrashingTransport, Crew
from scenario import announce, scenario

from schemas import topics
from schemas.windows import WindowResult
from streams.decide import pipeline
from streams.runtime.settings import Settings

SETTINGS = Settings(
    shards=1, poll_ms=0, poll_records=500, checkpoint_ms=1 << 60, checkpoint_records=1 << 60
)


def told(crew: Crew, transport: CrashingTransport, *, crash_at: int = -1) -> tuple[int, dict]:
    """Steps until DECIDE has nothing to do, and the last content of each window."""
    while crew.ingest[0].step():
        pass
    crew.ingest[0].checkpoint()
    steps = 0
    while crew.decide.step() or steps == 0:
        steps += 1
        if steps == crash_at:
            crew.crash_decide(BETWEEN, random.Random(1))
            crew.decide.step()
    records = transport.read(topics.WINDOWS, 0)
    results = [WindowResult.model_validate_json(record.value or b"") for record in records]
    return steps, {result.id: result.content for result in results}


def test_results_come_in_slices_until_all_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One result in a step, a crash on the way: the same windows as all at once."""
    story, found = scenario(300), []
    for most, crash_at in ((1 << 40, -1), (1, -1), (1, 4)):
        monkeypatch.setattr(pipeline, "WORK_AT_ONCE", most)
        transport = CrashingTransport()
        announce(transport, SETTINGS, story)
        sender = transport.sender()
        for message in story.messages:
            sender.send(message)
        crew = Crew(transport, SETTINGS, tmp_path / f"{most}-{crash_at}")
        found.append(told(crew, transport, crash_at=crash_at))
        crew.close()
    (few, windows), (many, sliced), (_, after_crash) = found
    assert len(windows) > 5
    assert sliced == after_crash == windows
    assert many > 10 * few

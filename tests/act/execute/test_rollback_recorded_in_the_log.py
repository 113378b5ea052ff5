"""Acknowledgements stand in the log: what one process recorded, the next one knows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rollback_requests import HOUR_MS, NOW_MS, PACE, requested

from schemas import topics
from schemas.commands import Executed, Outcome, read_command
from schemas.errors import BrokerUnavailable
from schemas.executors import Flagd
from streams.act.execute import build, handle
from streams.act.journal import Journal
from streams.records import Message
from streams.runtime.local import LocalTransport
from streams.runtime.settings import Settings
from streams.runtime.transport import Sender

FLAG = {"state": "ENABLED", "variants": {"v11": "v11", "v12": "v12"}, "defaultVariant": "v12"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with v12 at generation 7."""
    path = tmp_path / "flags.json"
    path.write_text(json.dumps({"flags": {"fraud": {**FLAG, "metadata": {"generation": 7}}}}))
    return path


@pytest.fixture
def log() -> LocalTransport:
    """With the topic of commands."""
    transport = LocalTransport()
    transport.ensure_topics([one for one in topics.table() if one.name == topics.COMMANDS])
    return transport


def process(
    log: LocalTransport, path: Path, *, now_ms: int = NOW_MS, asked: int = 1
) -> list[Executed | None]:
    """A process with a journal of its own gets the request so many times at once."""
    settings = Flagd(
        kind="flagd", name="flags", models=["fraud"], path=str(path), compare_and_set=True
    )

    async def run() -> list[Executed | None]:
        journal, executors = (
            Journal(log, Settings()),
            build([settings], {}, pace=PACE),
        )
        try:
            repeated = (handle(requested(), executors, journal, now_ms) for _ in range(asked))
            return await asyncio.gather(*repeated)
        finally:
            await executors.close()
            await journal.close()

    return asyncio.run(run())


def recorded(log: LocalTransport) -> list[Executed]:
    """The acknowledgements in the log."""
    found = []
    for partition in range(log.partition_count(topics.COMMANDS) or 0):
        records = log.read(topics.COMMANDS, partition)
        found += [read_command(record.value) for record in records if record.value]
    return [command for command in found if isinstance(command, Executed)]


def test_a_recorded_key_is_not_touched_again(log, path):
    """By the same process, nor by the next one, nor after somebody undid it."""
    done = process(log, path, asked=3)
    assert [one.outcome if one else None for one in done] == [Outcome.APPLIED, None, None]
    (record,) = recorded(log)
    assert (record.idempotency_key, record.generation) == ("key-1", 8)
    undone = path.read_text().replace('"defaultVariant": "v11"', '"defaultVariant": "v12"')
    path.write_text(undone)
    assert process(log, path) == [None]
    assert path.read_text() == undone
    assert len(recorded(log)) == 1


def test_a_process_that_dies_between_setting_and_recording_leaves_it_to_the_next(
    log, path, monkeypatch
):
    """Which finds the effect, even after the expiry, and records it."""

    class Dying:
        """A sender that never gets anything out."""

        def send(self, _message: Message) -> None:
            raise BrokerUnavailable("no broker")

        def flush(self) -> None:
            """Nothing was sent."""

        def close(self) -> None:
            """Nothing to free."""

    with monkeypatch.context() as broken:
        dying: Callable[[], Sender] = Dying
        broken.setattr(log, "sender", dying)
        with pytest.raises(BrokerUnavailable):
            process(log, path)
    content = path.read_bytes()
    assert (json.loads(content)["flags"]["fraud"]["defaultVariant"], recorded(log)) == ("v11", [])
    (done,) = process(log, path, now_ms=NOW_MS + 2 * HOUR_MS)
    assert (done.outcome, done.generation) == (Outcome.APPLIED, 8)
    assert path.read_bytes() == content
    assert recorded(log) == [done]

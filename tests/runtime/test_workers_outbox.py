"""What DECIDE committed is published, once decided with the same bytes however often sent."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from crashes import AFTER_COMMIT, BETWEEN, PUBLISHING, CrashingTransport, Crew
from scenario import Scenario, announce, closing, scenario

from schemas import topics
from schemas.errors import TransportError
from streams.records import Record
from streams.runtime import checkpoint, decide_worker
from streams.runtime.settings import Settings

SETTINGS = Settings(
    shards=1, poll_ms=0, poll_records=500, checkpoint_ms=1 << 60, checkpoint_records=1 << 60
)
SENT = tuple[str, bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]


@pytest.fixture(scope="module")
def story() -> Scenario:
    return scenario(800)


@pytest.fixture
def transport(story: Scenario) -> CrashingTransport:
    made = CrashingTransport()
    announce(made, SETTINGS, story)
    sender = made.sender()
    for message in story.messages:
        sender.send(message)
    return made


@pytest.fixture
def crew(transport: CrashingTransport, tmp_path: Path) -> Iterator[Crew]:
    made = Crew(transport, SETTINGS, tmp_path)
    yield made
    made.close()


def sent(transport: CrashingTransport) -> list[SENT]:
    """Everything on the output topics, topic by topic in order of offset."""
    return [
        (record.topic, record.key, record.value, record.headers)
        for topic in topics.OUTPUTS
        for record in _records(transport, topic)
    ]


def _records(transport: CrashingTransport, topic: str) -> Iterator[Record]:
    return transport.read(topic, 0)


def letters_of_last_commit(transport: CrashingTransport) -> list[SENT]:
    state = checkpoint.read(transport, topics.CHECKPOINTS, 0, "decide/0")
    letters = decide_worker.outbox.unpack(state)
    return [(m.topic, m.key, m.value, m.headers) for m in letters]


def take_in(crew: Crew) -> None:
    """INGEST reads everything and commits; DECIDE has not looked yet."""
    while crew.ingest[0].step():
        pass
    crew.ingest[0].checkpoint()


@pytest.mark.parametrize("published", [0, 1, 7])
def test_a_crash_between_commit_and_publishing(
    published: int, crew: Crew, transport: CrashingTransport
) -> None:
    """The next DECIDE publishes all of it; what had gone out goes out again, byte for byte."""
    take_in(crew)
    transport.arm(PUBLISHING, after=published)
    with pytest.raises(Exception, match=PUBLISHING):
        crew.decide.step()
    letters = letters_of_last_commit(transport)
    assert len(letters) > 10
    assert len(sent(transport)) == published
    crew.crash_decide(BETWEEN, random.Random(1))
    assert len(sent(transport)) == published, "nothing may go out before the shard is owned"
    assert crew.decide.step() is False
    after = sent(transport)
    assert len(after) == published + len(letters)
    assert set(after) == set(letters)


def test_a_start_after_a_quiet_end_repeats_only_the_last_commit(
    crew: Crew, transport: CrashingTransport, story: Scenario
) -> None:
    """Each restart repeats it once more; an earlier commit is never repeated."""
    take_in(crew)
    crew.decide.step()
    earlier = sent(transport)
    for message in closing(SETTINGS, story.end_ms):
        transport.sender().send(message)
    take_in(crew)
    crew.decide.step()
    letters = letters_of_last_commit(transport)
    assert letters
    assert not set(letters) & set(earlier)
    for again in (1, 2):
        crew.crash_decide(BETWEEN, random.Random(1))
        crew.decide.step()
        assert len(sent(transport)) == len(earlier) + (1 + again) * len(letters)
    assert set(sent(transport)) == {*earlier, *letters}


def test_parts_of_a_larger_outbox_do_not_stay(
    crew: Crew,
    transport: CrashingTransport,
    story: Scenario,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A checkpoint with fewer letters than the one before deletes what it does not overwrite."""
    monkeypatch.setattr(checkpoint, "LIMIT_BYTES", 10_000)
    take_in(crew)
    crew.decide.step()
    first = sent(transport)
    parts = checkpoint.read(transport, topics.CHECKPOINTS, 0, "decide/0")
    many = [name for name in parts if name.startswith("outbox/")]
    assert len(many) > 10
    late = next(m for m in story.messages if m.topic == topics.PREDICTIONS)
    transport.sender().send(late)
    take_in(crew)
    crew.crash_decide(AFTER_COMMIT, random.Random(1))
    parts = checkpoint.read(transport, topics.CHECKPOINTS, 0, "decide/0")
    assert len([name for name in parts if name.startswith("outbox/")]) < len(many)
    crew.decide.step()
    repeated = sent(transport)
    assert len(repeated) < len(first) + 10
    assert not set(repeated) - {*first, *letters_of_last_commit(transport)}


def test_offsets_moved_by_hand_stop_both_workers(
    crew: Crew, transport: CrashingTransport, tmp_path: Path
) -> None:
    """Going on would lose rows or count them twice; the error says so."""
    take_in(crew)
    crew.decide.step()
    crew.close()
    moved = {("predictions", 0): 3, ("summaries", 0): 0}
    for group, place in (("kittiwake-ingest", "predictions"), ("kittiwake-decide", "summaries")):
        transport._log.commit_offsets(group, {(place, 0): moved[place, 0]})
    again = Crew(transport, SETTINGS, tmp_path)
    for worker in (again.ingest[0], again.decide):
        with pytest.raises(TransportError, match="do not move the group's offsets by hand"):
            worker.step()
    crew.ingest, crew.decide = again.ingest, again.decide

"""The control topics are read whole, then followed."""

from __future__ import annotations

import base64

import pytest

from schemas import topics
from schemas.dead_letters import DeadLetter, Reason
from schemas.policy import Policy, Task
from streams.records import Message
from streams.runtime.announce import activate
from streams.runtime.control_reader import ControlReader
from streams.runtime.local import LocalTransport
from streams.runtime.settings import Settings

SETTINGS = Settings(prefix="team.")


@pytest.fixture
def transport() -> LocalTransport:
    made = LocalTransport()
    made.ensure_topics([spec.named(SETTINGS.prefix) for spec in topics.table()])
    return made


def policy(name: str) -> Policy:
    return Policy(model=name, task=Task.BINARY)


def test_what_was_published_before_is_known_at_once(transport: LocalTransport) -> None:
    """Thousands of records too: reading ends at the log's end, not after one poll."""
    sender = transport.sender()
    for i in range(1_200):
        activate(sender, SETTINGS, policy(f"m{i}"))
    reader = ControlReader(transport, SETTINGS)
    assert len(reader.control.models()) == 1_200
    reader.close()


def test_what_comes_later_is_followed(transport: LocalTransport) -> None:
    """By polls, which say whether there was anything; `catch_up` leaves nothing behind."""
    reader = ControlReader(transport, SETTINGS)
    assert reader.poll() is False
    activate(transport.sender(), SETTINGS, policy("a"))
    assert reader.poll() is True
    assert reader.control.active("a", 5) is not None
    activate(transport.sender(), SETTINGS, policy("b"), effective_at_ms=7)
    reader.catch_up()
    assert (reader.control.active("b", 6), reader.poll()) == (None, False)
    assert reader.control.active("b", 7) is not None
    reader.close()


def test_a_bad_control_record_changes_nothing(transport: LocalTransport) -> None:
    """It is told, deletions are no records, and the good ones around it count."""
    sender = transport.sender()
    activate(sender, SETTINGS, policy("a"))
    for value in (b"nonsense", b'{"hash": "x", "policy": {}}', None):
        sender.send(Message(SETTINGS.topic(topics.POLICIES), value, key=b"k"))
    activate(sender, SETTINGS, policy("b"))
    refused: list[DeadLetter] = []
    reader = ControlReader(transport, SETTINGS, refused.append)
    assert reader.control.models() == ["a", "b"]
    assert [(one.topic, one.reason) for one in refused] == [
        (SETTINGS.topic(topics.POLICIES), Reason.BAD_SHAPE)
    ] * 2
    assert base64.b64decode(refused[0].value_base64) == b"nonsense"
    assert refused[1].field == "policy.model"
    reader.close()

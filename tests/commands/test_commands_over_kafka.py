"""Commands that speak to a broker, against a real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Kittiwake, runner
from published import an_alert

from schemas import topics
from schemas.alerts import Alert, AlertAction, Severity
from schemas.commands import Silence, read_command
from schemas.policy import Policy, Task
from schemas.reference import ReferenceProfile
from schemas.topics import TopicSpec
from streams.records import Message
from streams.runtime.broker import Broker
from streams.runtime.control_reader import ControlReader
from streams.runtime.kafka import KafkaTransport
from streams.runtime.settings import Settings

T0 = 1_767_225_600_000


@pytest.fixture
def settings(kafka: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The commands find broker and prefix in the environment."""
    monkeypatch.setenv("KITTIWAKE_BOOTSTRAP", kafka.bootstrap)
    monkeypatch.setenv("KITTIWAKE_PREFIX", prefix)
    monkeypatch.setenv("KITTIWAKE_SHARDS", "2")
    return Settings()


@pytest.fixture
def transport(settings: Settings) -> Iterator[KafkaTransport]:
    made = KafkaTransport(settings.bootstrap)
    yield made
    made.close()


@pytest.fixture
def kittiwake(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Kittiwake:
    monkeypatch.chdir(tmp_path)
    return runner(monkeypatch, capsys)


def test_topics_are_checked_created_and_compared(
    kittiwake: Kittiwake, settings: Settings, transport: KafkaTransport
) -> None:
    """Missing, then there; creating twice is harmless, other counts are refused by name."""
    missing = kittiwake("topics", "check")
    assert missing.code == 1
    assert missing.out.count("missing") == len(topics.table())
    count = len(topics.table())
    assert f"{count} topics are missing or have other partitions" in missing.err
    assert "`kittiwake topics create`" in missing.err
    for _ in range(2):
        created = kittiwake("topics", "create")
        assert (created.code, created.err) == (0, "")
        assert f"{count} topics stand on {settings.bootstrap}" in created.out
    assert transport.partition_count(settings.topic(topics.PREDICTIONS)) == 2
    checked = kittiwake("topics", "check")
    assert checked.code == 0, checked.out
    assert settings.topic("state.checkpoint") in checked.out
    other = kittiwake("topics", "check", "--shards", 3)
    assert other.code == 1
    assert "4 topics are missing or have other partitions" in other.err
    refused = kittiwake("topics", "create", "--shards", 3)
    assert refused.code == 1
    assert settings.topic("predictions") in refused.err


def test_a_policy_is_put_in_force_with_its_reference(
    kittiwake: Kittiwake, settings: Settings, transport: KafkaTransport, tmp_path: Path
) -> None:
    """Whoever reads the control topics then knows all three, from the time that was said."""
    policy = Policy(model="fraud", task=Task.BINARY)
    (tmp_path / "policy.yaml").write_text(policy.model_dump_json(exclude_none=True))
    early = kittiwake("policy", "apply", "policy.yaml")
    assert early.code == 1
    assert f"no topic {settings.topic('deployments')}" in early.err
    kittiwake("topics", "create")
    (tmp_path / "rows.csv").write_text("amount\n" + "\n".join(str(i) for i in range(200)))
    assert kittiwake("profile", "rows.csv", "--model", "fraud").code == 0
    applied = kittiwake(
        "policy", "apply", "policy.yaml", "--reference", "reference.json", "--at-ms", T0
    )
    assert applied.code == 0, applied.err
    assert f"policy {policy.hash} of fraud holds from" in applied.out
    reader = ControlReader(transport, settings)
    reader.close()
    assert reader.control.active("fraud", T0 - 1) is None
    active = reader.control.active("fraud", T0)
    assert active is not None
    assert reader.control.policy(active.policy) == policy
    reference = ReferenceProfile.model_validate_json((tmp_path / "reference.json").read_bytes())
    assert reader.control.reference(active.reference or "") == reference


def alert(i: int) -> Alert:
    return an_alert(
        id=f"id-{i}",
        action=AlertAction.RESOLVED if i == 2 else AlertAction.OPENED,
        window_start_ms=T0,
        window_end_ms=T0 + 60_000,
        summary=f"fraud v1: error rate [0.4, 0.6] of [group] is number {i}",
    )


def test_tail_shows_what_is_in_the_log(
    kittiwake: Kittiwake, settings: Settings, transport: KafkaTransport
) -> None:
    """As lines for people, or as the events are; it stops at the end where it is told to."""
    without = kittiwake("tail", "alerts", "--until-end")
    assert without.code == 1
    assert f"no topic {settings.topic('alerts')}" in without.err
    kittiwake("topics", "create")
    assert kittiwake("tail", "rollouts", "--until-end").out == ""
    sender = transport.sender()
    alerts = [alert(i) for i in range(3)]
    for each in alerts:
        value = each.model_dump_json().encode()
        sender.send(Message(settings.topic(topics.ALERTS), value, key=b"incident"))
    sender.close()
    shown = kittiwake("tail", "alerts", "--until-end")
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["2026-01-01 00:01"] * 3
    assert all(each.summary in line for each, line in zip(alerts, lines, strict=True))
    assert ["resolved" in line for line in lines] == [False, False, True]
    raw = kittiwake("tail", "alerts", "--until-end", "--json", width=40)
    assert [Alert.model_validate_json(line) for line in raw.out.splitlines()] == alerts


def test_a_reference_is_learnt_from_live_predictions(
    kittiwake: Kittiwake, settings: Settings, transport: KafkaTransport, tmp_path: Path
) -> None:
    """Of the first in event time, of this model, each once; bad records are passed over."""
    kittiwake("topics", "create")
    sender = transport.sender()
    for i in [*range(300), 5, 7]:
        for model in ("fraud", "other"):
            event = {
                "prediction_id": f"{model}-{i}",
                "model": model,
                "version": "v1",
                "time": T0 + i,
                "output": {"score": 0.5 if model == "other" else i / 300},
                "features": {"amount": i, "kind": "a" if i % 2 else "b"},
            }
            key = f"{model}-{i}".encode()
            value = json.dumps(event).encode()
            sender.send(Message(settings.topic(topics.PREDICTIONS), value, key=key))
    sender.send(Message(settings.topic(topics.PREDICTIONS), b"nonsense", key=b"x"))
    sender.close()
    ended = kittiwake("profile", "--live", 300, "--model", "fraud", "--out", "live.json")
    assert ended.code == 0, ended.err
    found = ReferenceProfile.model_validate_json((tmp_path / "live.json").read_bytes())
    assert (found.model, found.n, found.source) == ("fraud", 300, "live")
    amount = found.numeric["amount"]
    assert (amount.n, amount.min, amount.max) == (300, 0, 299)
    assert found.categorical["kind"].counts == [150, 150, 0]
    assert found.score is not None
    assert found.score.max == pytest.approx(299 / 300)


def test_a_topic_of_another_shape_is_named(
    kittiwake: Kittiwake, settings: Settings, transport: KafkaTransport
) -> None:
    """Nothing is repaired in silence: rows would land on other partitions."""
    name = settings.topic(topics.PREDICTIONS)
    transport.ensure_topics([TopicSpec(name, 5, "prediction_id", "PredictionEvent")])
    refused = kittiwake("topics", "create")
    assert refused.code == 1
    for part in (name, "5", "2"):
        assert part in refused.err


def test_no_broker_is_said_while_waiting_and_at_the_end(
    kittiwake: Kittiwake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its address and where that is set; the waits are shortened here."""
    monkeypatch.setattr("streams.commands.options.SILENT_MS", 300)
    monkeypatch.setattr("streams.commands.options.WAIT_MS", 1_000)
    ended = kittiwake("topics", "check", "--bootstrap", "127.0.0.1:1")
    assert (ended.code, ended.out) == (1, "")
    meanwhile, at_last = ended.err.splitlines()
    assert meanwhile == "no Kafka answers at 127.0.0.1:1 yet; still trying"
    assert at_last == (
        "error no Kafka answered at 127.0.0.1:1 within 1 s; start it, or set its address with "
        "--bootstrap or KITTIWAKE_BOOTSTRAP"
    )


def test_what_people_say_stands_in_the_log(
    kittiwake: Kittiwake, settings: Settings, transport: KafkaTransport
) -> None:
    """One record for each command, of who said it; a mistake is named and nothing is written."""
    early = kittiwake("command", "unpin", "fraud")
    assert early.code == 1
    assert f"no topic {settings.topic('commands')}" in early.err
    kittiwake("topics", "create")
    said = [
        ("acknowledge", "i-1"),
        ("silence", "--for", "2h", "--metric", "tv", "--severity", "ticket"),
        ("unsilence", "s-1"),
        ("approve", "r-1"),
        ("reject", "r-1"),
        ("pin", "--for", "8h"),
        ("unpin",),
        ("retrain",),
        ("trained", "--version", "v13"),
    ]
    for name, *rest in said:
        done = kittiwake("command", name, "fraud", *rest, "--by", "ada", "--comment", "because")
        assert done.code == 0, done.err
        assert f"{name} " in done.out
    wrong = kittiwake("command", "silence", "fraud", "--for", "soon")
    assert wrong.code == 1
    assert "'soon' is not a duration" in wrong.err
    records = list(transport.read(settings.topic(topics.COMMANDS), 0))
    commands = [read_command(record.value or b"") for record in records]
    assert [command.kind for command in commands] == [name for name, *_ in said]
    assert {(command.model, command.by, command.comment) for command in commands} == {
        ("fraud", "ada", "because")
    }
    assert len({command.id for command in commands}) == len(said)
    silence = commands[1]
    assert isinstance(silence, Silence)
    assert (silence.match.metric, silence.match.severity) == ("tv", Severity.TICKET)
    types = [dict(record.headers)["ce_type"] for record in records]
    assert types[0] == b"io.kittiwake.command.acknowledge.v1"

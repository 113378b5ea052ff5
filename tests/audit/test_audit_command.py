"""``kittiwake audit``: on files, and on a real log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from audited import entries, lines, records
from command import Kittiwake, runner

from schemas import topics
from schemas.audit import PROOFS
from schemas.policy import Policy, Task
from schemas.served import Served
from streams.decide.audit import chain
from streams.decide.state import State
from streams.records import Message
from streams.runtime import checkpoint
from streams.runtime.announce import activate
from streams.runtime.broker import Broker
from streams.runtime.decide_worker import STATE
from streams.runtime.kafka import KafkaTransport
from streams.runtime.partitioner import partition_of
from streams.runtime.settings import Settings
from streams.runtime.transport import Sender

MADE = records(7)
HEAD = f"6:{MADE[6].hash}"


@pytest.fixture
def kittiwake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Kittiwake:
    """The command, in a folder with a good log of two models in ``audit.jsonl``."""
    monkeypatch.chdir(tmp_path)
    write("audit.jsonl", [*lines(MADE), *lines(records(2, model="credit"))])
    return runner(monkeypatch, capsys)


def write(name: str, values: list[bytes]) -> None:
    """Records as JSON lines."""
    Path(name).write_bytes(b"".join(value + b"\n" for value in values))


def test_a_good_file_is_whole(kittiwake: Kittiwake) -> None:
    """Each model with its head, which is to be kept elsewhere."""
    ended = kittiwake("audit", "verify", "--file", "audit.jsonl")
    assert (ended.code, ended.err) == (0, "")
    assert f"fraud: 7 records, head {HEAD}" in ended.out
    assert "credit: 2 records, head 1:" in ended.out
    write("empty.jsonl", [])
    assert "no audit records yet" in kittiwake("audit", "verify", "--file", "empty.jsonl").out
    told = kittiwake("audit", "verify", "fraud", "--file", "audit.jsonl", "--head", HEAD, "--json")
    (one,) = json.loads(told.out)
    assert (told.code, one["records"], one["head"], one["fault"]) == (0, 7, HEAD, None)


def test_the_first_bad_record_is_named(kittiwake: Kittiwake) -> None:
    """With line, number, and values; code 1, for scripts."""
    changed = lines(MADE)
    changed[4] = changed[4].replace(b"event 4 of fraud", b"nothing at all")
    write("changed.jsonl", [changed[0], *changed])
    for arguments in ((), ("fraud",)):
        ended = kittiwake("audit", "verify", *arguments, "--file", "changed.jsonl")
        assert ended.code == 1
        assert "changed.jsonl:6: record 4: its content has the hash" in ended.words
        assert f"but it says {MADE[4].hash}" in ended.words
    told = json.loads(kittiwake("audit", "verify", "--file", "changed.jsonl", "--json").out)
    assert [each["fault"]["sequence"] for each in told] == [4]


def test_a_known_head_finds_what_was_cut_off(kittiwake: Kittiwake) -> None:
    """And without one nobody can know."""
    write("cut.jsonl", lines(MADE[:5]))
    assert kittiwake("audit", "verify", "fraud", "--file", "cut.jsonl").code == 0
    ended = kittiwake("audit", "verify", "fraud", "--file", "cut.jsonl", "--head", HEAD)
    assert ended.code == 1
    assert "records 5 to 6 were removed from its end" in ended.words


def test_a_proof_is_made_and_checked_without_the_log(kittiwake: Kittiwake) -> None:
    """Of a record, and of growth since an old head; a change in the file is found."""
    for more in ((), ("--consistency",)):
        made = kittiwake(
            "audit", "prove", "fraud", 2, "--file", "audit.jsonl", "--out", "proof.json", *more
        )
        assert made.code == 0, made.err
        assert PROOFS.validate_json(Path("proof.json").read_bytes()).head == MADE[6]
        checked = kittiwake("audit", "check-proof", "proof.json", "--head", HEAD)
        assert checked.code == 0, checked.out
        assert f"stands in the chain with head {HEAD}" in checked.words
        assert "compare the head" in kittiwake("audit", "check-proof", "proof.json").words
        wrong = kittiwake("audit", "check-proof", "proof.json", "--head", "6:" + "00" * 32)
        assert (wrong.code, "does not hold" in wrong.out) == (1, True)
        text = Path("proof.json").read_text()
        Path("lie.json").write_text(text.replace("event 2 of fraud", "nothing at all"))
        assert kittiwake("audit", "check-proof", "lie.json").code == 1
    shown = kittiwake("audit", "prove", "fraud", 2, "--head", 4, "--file", "audit.jsonl")
    assert PROOFS.validate_json(shown.out).head == MADE[4]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("verify", "fraud", "--head", "six"), "'six' is no head; write SEQUENCE:HASH"),
        (("verify", "--head", HEAD), "name the model"),
        (
            ("verify", "froud"),
            "no audit record of model 'froud'; models with a chain there: credit",
        ),
        (("prove", "fraud", "9"), "fraud has no record 9; its records are 0 to 6"),
        (("prove", "fraud", "5", "--head", "3"), "record 5 comes after head 3"),
    ],
)
def test_what_cannot_be_answered_is_said(
    kittiwake: Kittiwake, arguments: tuple[str, ...], words: str
) -> None:
    """In one line, with what to do."""
    ended = kittiwake("audit", *arguments, "--file", "audit.jsonl")
    assert (ended.code, ended.out) == (1, "")
    assert words in " ".join(ended.err.split())


def test_a_broken_chain_proves_nothing(kittiwake: Kittiwake) -> None:
    """Nor does a file that is no proof."""
    write("cut.jsonl", lines(MADE)[1:])
    ended = kittiwake("audit", "prove", "fraud", 2, "--file", "cut.jsonl")
    assert (ended.code, "a broken chain proves nothing" in ended.err) == (1, True)
    ended = kittiwake("audit", "check-proof", "cut.jsonl")
    assert (ended.code, "make a proof with" in ended.err) == (1, True)


def test_the_log_is_verified_exported_and_asked(
    kittiwake: Kittiwake, kafka: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also against what DECIDE remembers of it, which knows of an end that is missing."""
    monkeypatch.setenv("KITTIWAKE_BOOTSTRAP", kafka.bootstrap)
    monkeypatch.setenv("KITTIWAKE_PREFIX", prefix)
    settings = Settings(models=2)
    transport = KafkaTransport(settings.bootstrap)
    transport.ensure_topics(settings.topics())
    sender = transport.sender()
    policy = Policy(model="fraud", task=Task.BINARY)
    activate(sender, settings, policy)
    state = State()
    made = lines(chain(state, entries(7)))
    number = publish(sender, settings, state)
    for line in made[:5]:
        sender.send(Message(settings.topic(topics.AUDIT), line, key=b"fraud"))
    event = {
        "prediction_id": "p[1]",
        "model": "fraud",
        "version": "v1",
        "time": 210_000,
        "output": {"score": 0.5},
        "trace": {"features": "store 7"},
    }
    value = json.dumps(event).encode()
    sender.send(Message(settings.topic(topics.PREDICTIONS), value, key=b"p[1]"))
    sender.flush()
    cut = kittiwake("audit", "verify", "fraud")
    assert cut.code == 1
    assert "the log ends with record 4, but record 6 is known" in cut.words
    for line in made[3:]:
        sender.send(Message(settings.topic(topics.AUDIT), line, key=b"fraud"))
    sender.close()
    whole = kittiwake("audit", "verify")
    assert f"fraud: 9 records, 2 of them repeated, head {HEAD}" in whole.out, whole
    other = kittiwake("audit", "verify", "fraud", "--head", "6:" + "00" * 32)
    assert (other.code, "is not what DECIDE remembers" in other.err) == (1, True)
    assert kittiwake("audit", "export", "fraud", "--out", "copy.jsonl").code == 0
    assert Path("copy.jsonl").read_bytes().splitlines() == [*made[:5], *made[3:]]
    assert f"audit[{number}]@" in json.loads(failing(kittiwake, transport, settings))["place"]
    shown = kittiwake("audit", "who", "fraud", "p[1]")
    assert shown.code == 0, shown.err
    for words in (
        "p[1] of fraud",
        "v1 as baseline",
        f"{policy.hash}, in force from the start",
        "features store 7",
        "event 3 of fraud",
        "the audit chain of fraud is broken",
    ):
        assert words in shown.words
    served = Served.model_validate_json(kittiwake("audit", "who", "fraud", "p[1]", "--json").out)
    assert [each.event_id for each in served.decisions] == ["event-3"]
    unknown = kittiwake("audit", "who", "fraud", "p2")
    assert (unknown.code, "no prediction 'p2' of model 'fraud'" in unknown.err) == (1, True)
    transport.close()


def publish(sender: Sender, settings: Settings, state: State) -> int:
    """DECIDE's checkpoint with the heads of the state; the partition of the model."""
    number = partition_of(b"fraud", settings.models)
    rows = {STATE + key: value for key, value in state.changed().items()}
    topic = settings.topic(topics.CHECKPOINTS)
    for message in checkpoint.messages(topic, number, f"decide/{number}", rows):
        sender.send(message)
    return number


def failing(kittiwake: Kittiwake, transport: KafkaTransport, settings: Settings) -> str:
    """The fault of the log after somebody wrote nonsense into it, as JSON."""
    sender = transport.sender()
    sender.send(Message(settings.topic(topics.AUDIT), b"nonsense", key=b"fraud"))
    sender.close()
    ended = kittiwake("audit", "verify", "fraud", "--json")
    assert ended.code == 1
    return json.dumps(json.loads(ended.out)[0]["fault"])

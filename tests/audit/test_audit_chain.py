"""The chain of decisions and commands: what DECIDE makes, and that a crash changes nothing."""

from __future__ import annotations

import hashlib
import json
import math

import pytest
import rfc8785
from audited import entries, lines, records
from hypothesis import given, settings
from hypothesis import strategies as st
from published import an_alert
from pydantic import TypeAdapter

from schemas.alerts import AlertAction
from schemas.commands import COMMANDS, read_command
from schemas.fallback import Advice, FallbackKind
from streams.audit import merkle
from streams.audit.link import SAFE, plain, read
from streams.audit.verify import verify
from streams.decide.audit import chain, commanded, decided
from streams.decide.state import State

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def placed(values: list[bytes]) -> list[tuple[str, bytes]]:
    """Records with their place."""
    return [(f"line {number}", value) for number, value in enumerate(values)]


def test_the_first_record_is_known_by_heart():
    """Bytes that any other implementation of RFC 8785 and SHA-256 must come to as well."""
    (record,) = chain(State(), [("fraud", "command.pin", "c1", 5, {"by": "ada", "x": 1e-7})])
    content = (
        '{"at_ms":5,"event_id":"c1","kind":"command.pin","model":"fraud","previous":"",'
        f'"root":"{hashlib.sha256(b"").hexdigest()}","sequence":0,'
        '"subject":{"by":"ada","x":1e-7}}'
    )
    assert record.hash == hashlib.sha256(content.encode()).hexdigest()


def test_each_record_vouches_for_all_before_it():
    """By the hash of the one before it, and by the root of the tree over all of them."""
    made = records(9)
    leaves = [merkle.leaf(bytes.fromhex(record.hash)) for record in made]
    assert [record.sequence for record in made] == list(range(9))
    for number, record in enumerate(made):
        assert record.previous == (made[number - 1].hash if number else "")
        assert record.root == merkle.tree_hash(leaves[:number]).hex()


def test_models_have_chains_of_their_own():
    """However their decisions mix."""
    mixed = [
        entry for pair in zip(entries(4), entries(4, model="m"), strict=True) for entry in pair
    ]
    made = chain(State(), mixed)
    for model in ("fraud", "m"):
        assert [record for record in made if record.model == model] == records(4, model=model)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6))
def test_a_crash_at_any_cut_changes_no_byte(batches):
    """The state goes through its checkpoint after each batch, and is all that is kept."""
    rows: dict[str, bytes] = {}
    made, wanted = [], entries(sum(batches))
    for size in batches:
        state = State.load(rows)
        made += chain(state, wanted[len(made) : len(made) + size])
        rows |= {key: value for key, value in state.changed().items() if value is not None}
    assert lines(made) == lines(records(len(wanted)))
    assert len(rows) == 1


def test_what_is_remembered_stays_small():
    """A peak for each bit of the length."""
    state = State()
    chain(state, entries(1_000))
    (row,) = state.changed().values()
    assert row is not None
    assert len(row) < 64 + (1_000).bit_length() * 34 + 32


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_any_subject_goes_into_the_chain_and_is_verified(subject):
    """Also numbers and texts that JSON does not carry, and after a way through JSON."""
    made = chain(State(), [("m", "k", "e", 1, subject)])
    (value,) = lines(made)
    assert read(value) == made[0]
    assert verify(placed([value]))["m"].fault is None
    again = json.dumps(json.loads(value), indent=1, sort_keys=True).encode()
    assert verify(placed([again]))["m"].fault is None


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (SAFE, SAFE),
        (-SAFE - 1, str(-SAFE - 1)),
        (math.nan, "nan"),
        ("\ud800", "\\ud800"),
        (True, True),
        (AlertAction.OPENED, "opened"),
    ],
)
def test_what_json_does_not_carry_is_text(value, kept):
    """So that nothing stops the chain."""
    assert plain(value) == kept
    assert rfc8785.dumps(plain({"x": value}))


def test_what_is_no_json_at_all_is_a_bug():
    """It says which type came."""
    with pytest.raises(ValueError, match="is a object, which JSON does not know"):
        plain({"x": object()})


def test_decisions_become_entries():
    """With their kind, id and event time, whole."""
    alert = an_alert(model="fraud", id="s7", window_end_ms=60_000)
    model, kind, event_id, at_ms, subject = decided(alert)
    assert (model, kind, event_id, at_ms) == ("fraud", "alert.opened", "s7", 60_000)
    assert subject == alert.model_dump(mode="json")
    advice = Advice(
        id="a1",
        model="fraud",
        degraded=True,
        use=FallbackKind.RULE,
        version=None,
        since_ms=9,
        evidence=["s7"],
        summary="use the rule",
        policy="p",
        cut={},
    )
    assert decided(advice)[:4] == ("fraud", "advice", "a1", 9)


def test_every_command_but_the_clock_becomes_an_entry():
    """Those of people and those of executors; a tick says nothing."""
    schema = TypeAdapter(type(read_command(command("tick")))).json_schema()
    assert schema["properties"]["kind"]["const"] == "tick"
    kinds = {
        shape["properties"]["kind"]["const"]
        for shape in COMMANDS.json_schema()["$defs"].values()
        if "const" in shape.get("properties", {}).get("kind", {})
    }
    assert {"tick", "pin", "unpin", "approve"} <= kinds
    assert commanded(read_command(command("tick")), 7) == []
    ((model, kind, event_id, at_ms, subject),) = commanded(read_command(command("pin")), 7)
    assert (model, kind, event_id, at_ms) == ("fraud", "command.pin", "c1", 7)
    assert (subject["by"], subject["comment"]) == ("ada", "")


def command(kind: str) -> bytes:
    """A command without anything of its own."""
    return b'{"kind":"%s","id":"c1","model":"fraud","time":0,"by":"ada"}' % kind.encode()

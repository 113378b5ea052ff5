"""Proofs hold without the log, and only for what they prove."""

from __future__ import annotations

import pytest
from audited import entries, forged, lines, records
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.audit import PROOFS, AuditRecord
from streams.audit.proofs import faults_of, prove_consistency, prove_inclusion
from streams.decide.audit import chain
from streams.decide.state import State

COUNT = 21
MADE = records(COUNT)
HASHES = [record.hash for record in MADE]
PLACES = st.integers(0, COUNT - 1)


def other() -> list[AuditRecord]:
    """A chain that differs in its fourth record, and so in all after it."""
    changed = entries(COUNT)
    changed[3] = (*changed[3][:4], {})
    return chain(State(), changed)


@settings(max_examples=60, deadline=None)
@given(PLACES, PLACES)
def test_every_record_is_proven_against_every_later_head(one, two):
    """And the head's own hash is all that one must know; the proof survives its way as JSON."""
    sequence, last = sorted((one, two))
    proof = prove_inclusion(MADE[sequence], MADE[last], HASHES)
    assert PROOFS.validate_json(proof.model_dump_json()) == proof
    assert faults_of(proof, head=HASHES[last]) == []
    assert len(proof.path) <= 5


@settings(max_examples=60, deadline=None)
@given(PLACES, PLACES)
def test_growth_is_proven_between_any_two_heads(one, two):
    """From the older to the newer."""
    old, last = sorted((one, two))
    proof = prove_consistency(MADE[old], MADE[last], HASHES)
    assert PROOFS.validate_json(proof.model_dump_json()) == proof
    assert faults_of(proof, head=HASHES[last]) == []


@given(PLACES, st.data())
def test_a_proof_of_another_record_does_not_hold(sequence, data):
    """Whether its content, its place or its hash was changed."""
    proof = prove_inclusion(MADE[sequence], MADE[-1], HASHES)
    changed = MADE[sequence].model_copy(update={"at_ms": 1 + MADE[sequence].at_ms})
    assert "has the hash" in faults_of(proof.model_copy(update={"record": changed}))[0]
    made = AuditRecord.model_validate_json(forged(lines([changed])[0]))
    assert any("does not lead" in said for said in faults_of(with_record(proof, made)))
    stranger = data.draw(PLACES.filter(lambda number: number != sequence))
    assert any("does not lead" in said for said in faults_of(with_record(proof, MADE[stranger])))


def with_record(proof, record):
    """The proof, said of another record."""
    return proof.model_copy(update={"record": record})


def test_the_head_is_compared_with_the_one_known():
    """A proof against a chain made anew holds in itself, and is refused here."""
    made = other()
    proof = prove_inclusion(made[5], made[-1], [record.hash for record in made])
    assert faults_of(proof) == []
    (said,) = faults_of(proof, head=HASHES[-1])
    assert made[-1].hash in said
    assert HASHES[-1] in said


@given(st.integers(4, COUNT - 1))
def test_a_history_that_was_changed_is_no_growth(old):
    """Heads of two chains are never consistent once they differ."""
    made = other()
    hashes = [record.hash for record in made]
    proof = prove_consistency(made[old], made[-1], hashes)
    lie = proof.model_copy(update={"old": MADE[old]})
    assert any(f"the records before {old}" in said for said in faults_of(lie))
    assert any("does not lead" in said for said in faults_of(lie))


def test_a_proof_is_of_one_model():
    """Both records say which."""
    made = records(COUNT, model="other")
    proof = prove_inclusion(MADE[2], MADE[-1], HASHES)
    said = faults_of(proof.model_copy(update={"head": made[-1]}))
    assert said[0] == "its records are of two models, 'fraud' and 'other'"
    assert any("does not lead" in words for words in said)


def test_nothing_is_proven_against_an_older_head():
    """It could not know."""
    with pytest.raises(ValueError, match="record 5 comes after the head 4"):
        prove_inclusion(MADE[5], MADE[4], HASHES)
    with pytest.raises(ValueError, match="record 5 comes after the head 4"):
        prove_consistency(MADE[5], MADE[4], HASHES)

"""Proofs about a chain that can be checked without it.

A head carries the root of the tree over all records before it. So a path of some hashes ties a
record to a head, and an older head to a newer one; whoever knows the head's hash from elsewhere
needs nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.audit import AuditRecord, ConsistencyProof, InclusionProof
from streams.audit import merkle
from streams.audit.link import digest, leaf_of


def prove_inclusion(
    record: AuditRecord, head: AuditRecord, hashes: Sequence[str]
) -> InclusionProof:
    """That a record stands in the chain that ends with a head.

    Parameters
    ----------
    hashes
        Of the records of the chain, from the first; those before the head are used.

    Raises
    ------
    ValueError
        If the record does not stand before the head.
    """
    _ordered(record, head)
    path: list[bytes] = []
    if record.sequence < head.sequence:
        path = merkle.inclusion_path(_leaves(hashes, head.sequence), record.sequence)
    return InclusionProof(record=record, head=head, path=_hex(path))


def prove_consistency(
    old: AuditRecord, head: AuditRecord, hashes: Sequence[str]
) -> ConsistencyProof:
    """That the chain up to a head goes on from an older head; parameters as of
    `prove_inclusion`.

    Raises
    ------
    ValueError
        If the old head does not stand before the head.
    """
    leaves = _leaves(hashes, head.sequence)
    included = prove_inclusion(old, head, hashes).path
    path = merkle.consistency_path(leaves, old.sequence)
    return ConsistencyProof(old=old, head=head, path=_hex(path), included=included)


def faults_of(proof: InclusionProof | ConsistencyProof, *, head: str | None = None) -> list[str]:
    """Why a proof does not hold; nothing where it does.

    Parameters
    ----------
    head
        Hash of the head as it is known from elsewhere. Without it a proof only says what the
        chain that it was made of contained.

    Examples
    --------
    >>> from streams.audit.link import linked
    >>> first = linked(model="m", sequence=0, previous="", peaks=(), kind="k", event_id="a",
    ...                at_ms=1, subject={})
    >>> second = linked(model="m", sequence=1, previous=first.hash, peaks=(leaf_of(first.hash),),
    ...                 kind="k", event_id="b", at_ms=2, subject={})
    >>> proof = prove_inclusion(first, second, [first.hash, second.hash])
    >>> faults_of(proof, head=second.hash)
    []
    >>> faults_of(proof.model_copy(update={"path": ["00" * 32]}))
    ['the path does not lead from record 0 to the root in record 1']
    """
    older = proof.record if isinstance(proof, InclusionProof) else proof.old
    found = [said for record in (older, proof.head) if (said := _content(record))]
    if head is not None and proof.head.hash != head:
        found.append(f"its head is {proof.head.hash}, but known is {head}")
    if older.model != proof.head.model:
        found.append(f"its records are of two models, {older.model!r} and {proof.head.model!r}")
    path = proof.path if isinstance(proof, InclusionProof) else proof.included
    if not _included(older, proof.head, path):
        found.append(
            f"the path does not lead from record {older.sequence} to the root in record "
            f"{proof.head.sequence}"
        )
    if isinstance(proof, ConsistencyProof) and not _consistent(proof):
        found.append(
            f"the records before {older.sequence} are not those that record "
            f"{proof.head.sequence} has before it"
        )
    return found


def _content(record: AuditRecord) -> str:
    try:
        expected = digest(record)
    except ValueError as error:
        return f"record {record.sequence} has no canonical form: {error}"
    if record.hash == expected:
        return ""
    return f"record {record.sequence} has the hash {expected}, but says {record.hash}"


def _included(record: AuditRecord, head: AuditRecord, path: Sequence[str]) -> bool:
    if record.sequence == head.sequence:
        return record.hash == head.hash and not path
    return merkle.included(
        leaf_of(record.hash),
        record.sequence,
        head.sequence,
        _bytes(path),
        bytes.fromhex(head.root),
    )


def _consistent(proof: ConsistencyProof) -> bool:
    return merkle.consistent(
        proof.old.sequence,
        proof.head.sequence,
        bytes.fromhex(proof.old.root),
        bytes.fromhex(proof.head.root),
        _bytes(proof.path),
    )


def _ordered(older: AuditRecord, head: AuditRecord) -> None:
    if older.sequence > head.sequence:
        raise ValueError(
            f"record {older.sequence} comes after the head {head.sequence}; take a newer head"
        )


def _leaves(hashes: Sequence[str], size: int) -> list[bytes]:
    return [leaf_of(hash_) for hash_ in hashes[:size]]


def _bytes(path: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(step) for step in path]


def _hex(path: Sequence[bytes]) -> list[str]:
    return [step.hex() for step in path]

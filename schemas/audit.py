"""AuditRecord: a link of a model's chain of decisions and commands; proofs that a link is in it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from schemas.base import Message

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in lower-case hex."""

Sequence = Annotated[int, Field(ge=0)]


class AuditRecord(Message):
    """One decision or command.

    ``sequence`` counts from 0 within the model, ``previous`` is the hash of the record before it
    ("" for the first), ``root`` the RFC 6962 tree hash over the hashes of all records before it,
    and ``hash`` the SHA-256 of the RFC 8785 form of all else. So a hash vouches for the record
    and for everything before it. ``subject`` is what was decided or commanded: the event itself,
    but that numbers which JSON cannot carry are text. ``at_ms`` is when, in the time that DECIDE
    decides by.
    """

    model: str
    sequence: Sequence
    previous: Hash | Literal[""]
    root: Hash
    kind: str
    event_id: str
    at_ms: int
    subject: dict[str, Any]
    hash: Hash


class InclusionProof(Message):
    """That ``record`` stands before ``head`` in one chain: ``path`` leads from its hash to the
    ``root`` that the head carries. It is empty where the record is the head."""

    proof: Literal["inclusion"] = "inclusion"
    record: AuditRecord
    head: AuditRecord
    path: list[Hash]


class ConsistencyProof(Message):
    """That the chain up to ``head`` goes on from ``old`` and changed nothing before it.

    ``path`` leads from the tree before ``old`` to that before ``head``, ``included`` from ``old``
    itself.
    """

    proof: Literal["consistency"] = "consistency"
    old: AuditRecord
    head: AuditRecord
    path: list[Hash]
    included: list[Hash]


Proof = Annotated[InclusionProof | ConsistencyProof, Field(discriminator="proof")]

PROOFS: TypeAdapter[InclusionProof | ConsistencyProof] = TypeAdapter(Proof)
"""Reads either kind of proof."""

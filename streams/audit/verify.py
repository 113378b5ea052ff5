"""Verify audit chains: read records in the order of the log, find the first that cannot be.

A record may be there again, whole and unchanged: DECIDE publishes anew after a crash. Everything
else is a fault. What a chain cannot tell by itself is that its end is missing, or that all of it
was made anew by somebody who can compute hashes: for that one must know a head from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from schemas.audit import AuditRecord
from streams.audit import merkle
from streams.audit.link import digest, leaf_of, read


class FaultKind(StrEnum):
    """What is wrong with a record, or with the log at its place."""

    MALFORMED = "malformed"
    CHANGED = "changed"
    GAP = "gap"
    FORK = "fork"
    UNLINKED = "unlinked"
    OTHER_HEAD = "other_head"
    TRUNCATED = "truncated"


Wrong: TypeAlias = tuple[FaultKind, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """The first bad record of a chain: where it stands and what is wrong, with the values.

    ``at`` counts the records of the log before it.
    """

    at: int
    kind: FaultKind
    place: str
    model: str
    sequence: int | None
    message: str

    @property
    def doubtful(self) -> bool:
        """Whether the record may be of any model, whatever it says."""
        return self.kind in (FaultKind.MALFORMED, FaultKind.CHANGED)


@dataclass(slots=True)
class Chain:
    """What was read of one model's chain; ``begins`` is the sequence of the first record.

    ``hashes`` are those of its records, ``peaks`` the tree's, where the chain was read from its
    start. After a fault nothing more is taken in.
    """

    model: str
    begins: int = 0
    hashes: list[str] = field(default_factory=list)
    peaks: tuple[bytes, ...] = ()
    repeated: int = 0
    fault: Fault | None = None

    @property
    def ends(self) -> int:
        """The sequence of the next record."""
        return self.begins + len(self.hashes)

    @property
    def head(self) -> str:
        """The newest record, as ``SEQUENCE:HASH``; "" where there is none."""
        return f"{self.ends - 1}:{self.hashes[-1]}" if self.hashes else ""


def verify(
    records: Iterable[tuple[str, bytes]], *, heads: Mapping[str, Mapping[int, str]] | None = None
) -> dict[str, Chain]:
    """Every chain among records, by model.

    Parameters
    ----------
    records
        Place, for messages, and value of each record, in the order of the log.
    heads
        By model, hashes by sequence that are known from elsewhere. A log whose older records were
        deleted is accepted if the one before its first is among them.

    Returns
    -------
    Chains by model. Records that do not even say of which model they are, are faults of "".

    Examples
    --------
    >>> from streams.audit.link import linked
    >>> record = linked(model="m", sequence=0, previous="", peaks=(), kind="k", event_id="e",
    ...                 at_ms=1, subject={})
    >>> verify([("line 1", record.model_dump_json().encode())])["m"].head == f"0:{record.hash}"
    True
    >>> bad = record.model_dump_json().replace('"at_ms":1', '"at_ms":2').encode()
    >>> verify([("line 1", bad)])["m"].fault.kind.value
    'changed'
    """
    known = heads or {}
    chains: dict[str, Chain] = {model: Chain(model) for model in known}
    at = -1
    for at, (place, value) in enumerate(records):
        try:
            record = read(value)
        except (ValueError, RecursionError) as error:
            message = f"no audit record: {error}"
            _keep(chains, Fault(at, FaultKind.MALFORMED, place, "", None, message))
            continue
        chain = chains.setdefault(record.model, Chain(record.model))
        if chain.fault is None:
            chain.fault = _add(chain, record, at, place, known.get(record.model, {}))
    for chain in chains.values():
        if chain.fault is None:
            chain.fault = _ended(chain, at + 1, known.get(chain.model, {}))
    return chains


def first_fault(chains: Mapping[str, Chain], model: str) -> Fault | None:
    """The first fault of a model's chain, or of a record that may have been of it."""
    found = [
        chain.fault
        for name, chain in chains.items()
        if chain.fault is not None and (name == model or chain.fault.doubtful)
    ]
    return min(found, key=lambda fault: fault.at, default=None)


def _keep(chains: dict[str, Chain], fault: Fault) -> None:
    chain = chains.setdefault(fault.model, Chain(fault.model))
    chain.fault = chain.fault or fault


def _add(
    chain: Chain, record: AuditRecord, at: int, place: str, heads: Mapping[int, str]
) -> Fault | None:
    """Take a record into its chain, or say why it cannot be."""
    number = record.sequence
    if not chain.hashes and heads.get(number - 1) == record.previous:
        chain.begins = number
    again = chain.begins <= number < chain.ends
    wrong = _content(record) or (
        _again(chain, record) if again else _order(chain, record) or _link(chain, record, heads)
    )
    if wrong is not None:
        kind, message = wrong
        return Fault(at, kind, place, chain.model, number, f"record {number}: {message}")
    if again:
        chain.repeated += 1
        return None
    chain.hashes.append(record.hash)
    if chain.begins == 0:
        chain.peaks = merkle.push(chain.peaks, number, leaf_of(record.hash))
    return None


def _content(record: AuditRecord) -> Wrong | None:
    try:
        expected = digest(record)
    except ValueError as error:
        return FaultKind.CHANGED, f"it has no canonical form: {error}"
    if record.hash == expected:
        return None
    return FaultKind.CHANGED, f"its content has the hash {expected}, but it says {record.hash}"


def _again(chain: Chain, record: AuditRecord) -> Wrong | None:
    first = chain.hashes[record.sequence - chain.begins]
    if record.hash == first:
        return None
    return FaultKind.FORK, f"it was there before with the hash {first}, and now has {record.hash}"


def _order(chain: Chain, record: AuditRecord) -> Wrong | None:
    number = record.sequence
    if number == chain.ends:
        return None
    if number < chain.begins:
        return FaultKind.GAP, f"the log began with record {chain.begins}; it stands too late"
    if not chain.hashes:
        return FaultKind.GAP, (
            f"the log begins with it: records 0 to {number - 1} were removed, or stand later; if "
            f"they were deleted by retention, say the hash of record {number - 1} as a known head"
        )
    return FaultKind.GAP, (
        f"record {chain.ends} should stand here; records {chain.ends} to {number - 1} were "
        "removed, or stand later"
    )


def _link(chain: Chain, record: AuditRecord, heads: Mapping[int, str]) -> Wrong | None:
    number = record.sequence
    before = chain.hashes[-1] if chain.hashes else heads.get(number - 1, "")
    if record.previous != before:
        return FaultKind.UNLINKED, (
            f"the hash of the record before it is {before or 'none'}, but it says "
            f"{record.previous or 'none'}"
        )
    root = merkle.root(chain.peaks).hex()
    if chain.begins == 0 and record.root != root:
        return FaultKind.UNLINKED, (
            f"the root of the tree before it is {root}, but it says {record.root}"
        )
    if heads.get(number, record.hash) != record.hash:
        return FaultKind.OTHER_HEAD, f"its hash is {record.hash}, but known is {heads[number]}"
    return None


def _ended(chain: Chain, at: int, heads: Mapping[int, str]) -> Fault | None:
    latest = max(heads, default=-1)
    if latest < chain.ends:
        return None
    last = f"ends with record {chain.ends - 1}" if chain.hashes else "has no record"
    message = (
        f"the log {last}, but record {latest} is known: records {chain.ends} to {latest} were "
        "removed from its end"
    )
    return Fault(at, FaultKind.TRUNCATED, "end of the log", chain.model, latest, message)

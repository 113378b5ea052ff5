"""Where the ``audit`` commands find chains: a file of JSON lines, or the log."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from schemas.audit import AuditRecord
from schemas.errors import ConfigurationError
from streams.audit.link import read
from streams.audit.verify import Chain, first_fault, verify
from streams.commands.options import kafka, settings_of
from streams.runtime.audit_log import checkpointed_heads, read_audit

Lines: TypeAlias = Iterable[tuple[str, bytes]]
Heads: TypeAlias = dict[str, dict[int, str]]


def read_chains(
    file: Path | None,
    model: str | None,
    bootstrap: str | None,
    prefix: str | None,
    heads: Heads,
    *,
    kept: dict[int, AuditRecord] | None = None,
    wanted: Collection[int | None] = (),
) -> list[Chain]:
    """The chains of a file, or of the log and what DECIDE remembers of them.

    Parameters
    ----------
    model
        Read only this one, and whatever may have been of it.
    heads
        By model and sequence, hashes known from elsewhere.
    kept, wanted
        Where to put the records of the model by sequence: those wanted, and the last.

    Raises
    ------
    ConfigurationError
        If a topic is missing, the model has no record, or a head is not what DECIDE remembers.
    """
    if file is not None:
        return _chains(_keeping(_lines(file), model, kept, wanted), heads, model)
    settings = settings_of(bootstrap=bootstrap, prefix=prefix)
    transport = kafka(settings)
    try:
        decided = checkpointed_heads(transport, settings, model)
        for name, known in heads.items():
            for sequence, hash_ in known.items():
                if decided.get(name, {}).get(sequence, hash_) != hash_:
                    raise ConfigurationError(
                        f"{name}: head {sequence}:{hash_} is not what DECIDE remembers, "
                        f"{sequence}:{decided[name][sequence]}; one of the two was changed"
                    )
            decided[name] = decided.get(name, {}) | known
        lines = read_audit(transport, settings, model)
        return _chains(_keeping(lines, model, kept, wanted), decided, model)
    finally:
        transport.close()


def _chains(lines: Lines, heads: Heads, model: str | None) -> list[Chain]:
    """Chains in order of name: all, or one with what cannot be told apart from it."""
    found = verify(lines, heads=heads)
    if model is None:
        return [found[name] for name in sorted(found)]
    chain = found.get(model, Chain(model))
    # Which model a record is of can be changed as well.
    chain.fault = first_fault(found, model)
    if not chain.hashes and chain.fault is None:
        known = ", ".join(sorted(name for name in found if name)) or "none yet"
        raise ConfigurationError(
            f"no audit record of model {model!r}; models with a chain there: {known}"
        )
    return [chain]


def _keeping(
    lines: Lines,
    model: str | None,
    kept: dict[int, AuditRecord] | None,
    wanted: Collection[int | None],
) -> Iterator[tuple[str, bytes]]:
    newest: AuditRecord | None = None
    for place, value in lines:
        if kept is not None and is_of(value, model):
            newest = read(value)
            if newest.sequence in wanted:
                kept[newest.sequence] = newest
        yield place, value
    if kept is not None and newest is not None:
        kept[newest.sequence] = newest


def _lines(file: Path) -> Iterator[tuple[str, bytes]]:
    with file.open("rb") as opened:
        for number, line in enumerate(opened, start=1):
            if line.strip():
                yield f"{file}:{number}", line


def is_of(value: bytes, model: str | None) -> bool:
    """Whether bytes are an audit record of a model."""
    try:
        return read(value).model == model
    except (ValueError, RecursionError):
        return False

"""Links of an audit chain: how a record is hashed, made and read.

A record's hash is the SHA-256 of its RFC 8785 form without the hash. The form is of I-JSON: whole
numbers to 2^53 and finite doubles, no name twice in an object.

References
----------
.. [1] RFC 8785, JSON Canonicalization Scheme (JCS).
.. [2] RFC 7493, The I-JSON Message Format.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeAlias

import rfc8785
from pydantic import ValidationError

from schemas.audit import AuditRecord
from streams.audit import merkle

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | bool | int | float | str | None"

SAFE = 2**53 - 1
"""Largest whole number that every reader of JSON keeps."""

FIELDS = ("model", "sequence", "previous", "root", "kind", "event_id", "at_ms", "subject")
"""What is hashed."""


def digest(record: AuditRecord) -> str:
    """What the hash of a record must be.

    Raises
    ------
    ValueError
        If the record has no canonical form.
    """
    return _digest({name: getattr(record, name) for name in FIELDS})


def _digest(content: dict[str, Json]) -> str:
    return hashlib.sha256(rfc8785.dumps(content)).hexdigest()


def linked(
    *,
    model: str,
    sequence: int,
    previous: str,
    peaks: Sequence[bytes],
    kind: str,
    event_id: str,
    at_ms: int,
    subject: Mapping[str, object],
) -> AuditRecord:
    """The record after those of a tree with these ``peaks``.

    Examples
    --------
    >>> record = linked(model="m", sequence=0, previous="", peaks=(), kind="k", event_id="e",
    ...                 at_ms=1, subject={"x": 1.0})
    >>> record.hash == digest(record)
    True
    """
    content: dict[str, Json] = {
        "model": model,
        "sequence": sequence,
        "previous": previous,
        "root": merkle.root(peaks).hex(),
        "kind": kind,
        "event_id": event_id,
        "at_ms": at_ms,
        "subject": {_text(name): plain(value) for name, value in subject.items()},
    }
    return AuditRecord.model_validate({**content, "hash": _digest(content)})


def leaf_of(hash_: str) -> bytes:
    """Leaf of a record in the tree of its chain, from its hash in hex."""
    return merkle.leaf(bytes.fromhex(hash_))


def plain(value: object) -> Json:
    """A value that I-JSON carries; numbers that it does not carry become text.

    Examples
    --------
    >>> plain({"offset": 2**53, "log_e": float("-inf"), "names": ("a",)})
    {'offset': '9007199254740992', 'log_e': '-inf', 'names': ['a']}
    """
    match value:
        case None | bool():
            return value
        case Enum():
            return plain(value.value)
        case str():
            return _text(value)
        case int():
            return value if -SAFE <= value <= SAFE else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Mapping():
            return {_text(str(name)): plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            raise ValueError(f"{value!r} is a {type(value).__name__}, which JSON does not know")


def _text(value: str) -> str:
    """Text that UTF-8 can carry: half of a surrogate pair is written as its escape."""
    return value.encode("utf-8", "backslashreplace").decode()


def read(value: bytes) -> AuditRecord:
    """A record from its JSON.

    Raises
    ------
    ValueError
        If it is no audit record, or has a name twice, which readers would understand differently.

    Examples
    --------
    >>> read(b'{"model":"m","model":"n"}')
    Traceback (most recent call last):
    ...
    ValueError: the name 'model' stands twice in an object
    """
    # json's errors are ValueErrors, pydantic's are worded for people who know pydantic.
    content = json.loads(value, object_pairs_hook=_once, parse_int=_number)
    try:
        return AuditRecord.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the record"
        raise ValueError(f"{place} is {first['input']!r}: {first['msg']}") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {name!r} stands twice in an object")
        found[name] = value
    return found


def _number(text: str) -> int | float:
    """Tools rewrite 1e17 with all its digits; it is the same number as long as a double has it."""
    number = int(text)
    return float(number) if abs(number) > SAFE and float(number) == number else number

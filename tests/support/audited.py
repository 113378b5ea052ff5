"""Audit chains for tests: entries of several kinds, their records, and records forged."""

from __future__ import annotations

import hashlib
import json

import rfc8785

from schemas.audit import AuditRecord
from streams.decide.audit import Entry, chain
from streams.decide.state import State


def entries(count: int, *, model: str = "fraud") -> list[Entry]:
    """Decisions and commands of a model, each minute one."""
    return [
        (
            model,
            ("alert.opened", "rollout.hold", "command.pin")[number % 3],
            f"event-{number}",
            number * 60_000,
            {
                "window_start_ms": number * 60_000,
                "window_end_ms": (number + 1) * 60_000,
                "version": "v1",
                "arm": "baseline",
                "segment": "",
                "canary": "v2",
                "baseline": "v1",
                "summary": f"event {number} of {model}",
                "policy": "p1",
                "log_e": number / 7,
                "share_ok": number % 2 == 0,
                "value": None,
                "cut": {"predictions/0": number},
                "features": ["amount", "größe"],
            },
        )
        for number in range(count)
    ]


def records(count: int, *, model: str = "fraud") -> list[AuditRecord]:
    """The chain of `entries`."""
    return chain(State(), entries(count, model=model))


def lines(made: list[AuditRecord]) -> list[bytes]:
    """Records as they are published."""
    return [record.model_dump_json().encode() for record in made]


def forged(line: bytes, **changes: object) -> bytes:
    """A record with other values and the hash that belongs to them."""
    content = json.loads(line) | changes
    del content["hash"]
    content["hash"] = hashlib.sha256(rfc8785.dumps(content)).hexdigest()
    return json.dumps(content).encode()

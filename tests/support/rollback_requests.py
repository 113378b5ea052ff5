"""Rollback requests for tests, and a journal that is a dictionary."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from schemas.commands import Executed
from schemas.rollouts import RolloutAction, RolloutEvent
from streams.act.execute import Executors, build, handle
from streams.act.execute.run import Pace

NOW_MS = 1_767_225_600_000
HOUR_MS = 3_600_000


def requested(**changes: Any) -> RolloutEvent:
    """A request to go back from v12 to v11 of fraud, at generation 7."""
    event = RolloutEvent(
        id="event",
        rollout_id="rollout",
        action=RolloutAction.ROLLBACK_REQUESTED,
        model="fraud",
        canary="v12",
        baseline="v11",
        target_version="v11",
        generation=7,
        reason="harm",
        summary="v12 is worse",
        assumption="assumes independent requests",
        guardrails=[],
        log_e_share=0.0,
        share_ok=True,
        window_start_ms=0,
        window_end_ms=0,
        decided_at_ms=NOW_MS,
        expires_at_ms=NOW_MS + HOUR_MS,
        idempotency_key="key-1",
        policy="hash",
        cut={},
        rollback_id="rollback-1",
    )
    return event.model_copy(update=changes)


@dataclass
class Book:
    """A journal in memory."""

    records: dict[str, Executed] = field(default_factory=dict)

    async def refresh(self) -> None:
        """Nobody else writes."""

    def executed(self, idempotency_key: str) -> bool:
        """Whether the key is recorded."""
        return idempotency_key in self.records

    async def record(self, command: Executed) -> None:
        """Record; the first acknowledgement of a key counts."""
        self.records.setdefault(command.idempotency_key, command)


async def _no_wait(_seconds: float) -> None:
    await asyncio.sleep(0)


PACE = Pace(sleep=_no_wait)


def execute(
    settings: Any,
    *,
    environ: dict[str, str] | None = None,
    book: Book | None = None,
    now_ms: int = NOW_MS,
    **changes: Any,
) -> Executed | None:
    """Handle one request with an executor of these settings, as a process of its own would."""

    async def run() -> Executed | None:
        executors: Executors = build([settings], environ or {}, pace=PACE)
        try:
            return await handle(requested(**changes), executors, book or Book(), now_ms)
        finally:
            await executors.close()

    return asyncio.run(run())

"""One attempt at a request: read, judge, set, read back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from schemas.commands import Outcome
from schemas.errors import TargetError, TargetUnavailable
from streams.act.execute.contract import Change, Executor, Observed, Request, Transition
from streams.act.execute.rules import judge

LOG: Final = logging.getLogger("kittiwake.executors")

Sleep = Callable[[float], Awaitable[None]]
"""Waits, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient an attempt is.

    Parameters
    ----------
    conflicts
        How often to start anew after a conflict.
    reads, wait_ms
        How often to read back, and how long to wait in between.
    sleep
        Waits.
    """

    conflicts: int = 5
    reads: int = 4
    wait_ms: int = 500
    sleep: Sleep = asyncio.sleep


PACE: Final = Pace()


@dataclass(frozen=True, slots=True)
class Finding:
    """What to acknowledge."""

    outcome: Outcome
    generation: int | None
    detail: str


async def attempt(
    request: Request, executor: Executor, *, dry_run: bool, pace: Pace
) -> Finding | None:
    """Execute a request once.

    Returns
    -------
    What to acknowledge; None if that cannot be said yet, so that the request must come again: the
    target did not answer, or it is not known whether a write took effect. A dry run has nothing
    to acknowledge either.
    """
    try:
        for _ in range(pace.conflicts + 1):
            observed = await executor.read(request)
            verdict = judge(request, observed, compare_and_set=executor.has_compare_and_set)
            if verdict.detail:
                return _judged(verdict.outcome, observed, verdict.detail, request, dry_run)
            transition = await executor.set(request, observed, dry_run=dry_run)
            if transition.change is Change.WOULD_CHANGE:
                _say(request, f"dry run: would {transition.detail}")
                return None
            if transition.change is not Change.CONFLICT:
                return await _confirmed(request, executor, observed, transition, pace)
        _say(request, "the target changed each time it was to be set; the request comes again")
    except TargetUnavailable as error:
        _say(request, f"{error}; the request comes again")
    except TargetError as error:
        if not dry_run:
            return Finding(Outcome.FAILED, None, str(error))
        _say(request, f"dry run: {error}")
    return None


def _judged(
    outcome: Outcome | None, observed: Observed, detail: str, request: Request, dry_run: bool
) -> Finding | None:
    if outcome is not None and not dry_run:
        return Finding(outcome, observed.generation, detail)
    _say(request, f"dry run: {outcome or 'waits'}: {detail}" if dry_run else detail)
    return None


async def _confirmed(
    request: Request, executor: Executor, before: Observed, transition: Transition, pace: Pace
) -> Finding | None:
    """Read back: what the target serves decides, not what it answered."""
    for left in reversed(range(pace.reads)):
        observed = await executor.read(request)
        if observed.version == request.target:
            was = f" ({before.version} before)" if before.version else ""
            detail = f"{request.target} is served{was}: {transition.detail}"
            return Finding(Outcome.APPLIED, observed.generation, detail)
        if left:
            await pace.sleep(pace.wait_ms / 1_000)
    if transition.change is Change.UNKNOWN:
        _say(request, f"{transition.detail}; not in effect yet, the request comes again")
        return None
    return Finding(
        Outcome.FAILED,
        observed.generation,
        f"{transition.detail}, but read back it serves {observed.version or 'no version'}, not"
        f" {request.target}; look at the deployment",
    )


def _say(request: Request, text: str) -> None:
    LOG.info("rollback of %s to %s (%s): %s", request.model, request.target, request.key, text)

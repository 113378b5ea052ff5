"""From a rollback request to its acknowledgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from schemas.commands import Executed, Outcome
from schemas.ids import content_id
from schemas.rollouts import RolloutAction, RolloutEvent
from streams.act.execute.contract import Executor, Journal, Request, request_of
from streams.act.execute.run import LOG, PACE, Finding, Pace, attempt


@dataclass(frozen=True, slots=True)
class Serving:
    """An executor, the models it serves (``*`` stands for anything), and whether it only says.

    ``busy`` are the models of attempts under way.
    """

    executor: Executor
    models: tuple[str, ...]
    dry_run: bool = False
    busy: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Executors:
    """All executors, in order: the first that serves a model acts."""

    serving: Sequence[Serving]
    pace: Pace = PACE

    def of(self, model: str) -> Serving | None:
        """The executor of a model."""
        for entry in self.serving:
            if any(fnmatchcase(model, pattern) for pattern in entry.models):
                return entry
        return None

    async def close(self) -> None:
        """Free all connections."""
        for entry in self.serving:
            await entry.executor.close()


async def handle(
    event: RolloutEvent, executors: Executors, journal: Journal, now_ms: int
) -> Executed | None:
    """Execute a rollback request once, and record what became of it.

    Safe to call again and again with the same event, at once or after a crash anywhere: a
    recorded key is not touched, and an unrecorded one is read before it is set. While an attempt
    for the model is under way, another is not begun: that request must come again.

    Parameters
    ----------
    event
        Anything said of a rollout; all but requests are passed over.
    now_ms
        Wall time, in ms since the epoch.

    Returns
    -------
    The acknowledgement, which is recorded; None if there is none (yet).

    Raises
    ------
    TransportError
        If the journal did not take the acknowledgement; the request must come again.
    """
    if event.action is not RolloutAction.ROLLBACK_REQUESTED or not event.idempotency_key:
        return None
    entry = executors.of(event.model)
    if entry is None:
        LOG.warning("no executor serves %s; its rollback waits until it expires", event.model)
        return None
    if event.model in entry.busy:
        return None  # Not queued: by its turn the time it was given would be old.
    entry.busy.add(event.model)
    try:
        return await _once(event, entry, executors.pace, journal, now_ms)
    finally:
        entry.busy.discard(event.model)


async def _once(
    event: RolloutEvent, entry: Serving, pace: Pace, journal: Journal, now_ms: int
) -> Executed | None:
    await journal.refresh()
    if journal.executed(event.idempotency_key):
        return None
    finding = await _find(event, entry, pace, now_ms)
    if finding is None:
        return None
    executed = _acknowledgement(event, entry.executor.name, finding, now_ms)
    await journal.record(executed)
    LOG.info("rollback of %s: %s: %s", event.model, executed.outcome, executed.detail)
    return executed


async def _find(event: RolloutEvent, entry: Serving, pace: Pace, now_ms: int) -> Finding | None:
    request = request_of(event, at_ms=now_ms)
    if isinstance(request, Request):
        return await attempt(request, entry.executor, dry_run=entry.dry_run, pace=pace)
    return None if entry.dry_run else Finding(Outcome.REFUSED, None, request)


def _acknowledgement(event: RolloutEvent, name: str, finding: Finding, now_ms: int) -> Executed:
    return Executed(
        # One id for one key: of two executors' acknowledgements the first counts.
        id=content_id("executed", event.idempotency_key),
        model=event.model,
        time=now_ms,
        by=name,
        kind="executed",
        rollback_id=event.rollback_id or event.rollout_id,
        idempotency_key=event.idempotency_key,
        executor=name,
        outcome=finding.outcome,
        generation=finding.generation,
        detail=finding.detail[:2_000],
    )

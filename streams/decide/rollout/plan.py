"""Which canaries run beside which baseline, from deployment events alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.base import milliseconds
from schemas.deployments import DeploymentAction, DeploymentEvent
from schemas.ids import content_id
from schemas.predictions import Arm

_ENDS = frozenset(
    {
        DeploymentAction.CANARY_STARTED,
        DeploymentAction.CANARY_STOPPED,
        DeploymentAction.PROMOTED,
        DeploymentAction.ROLLED_BACK,
    }
)


@dataclass(frozen=True, slots=True)
class Rollout:
    """A canary from its start until the serving versions change again.

    ``share`` is its planned share of the traffic; ``stop_ms`` is None while it runs.
    """

    id: str
    model: str
    canary: str
    baseline: str
    generation: int
    share: float | None
    start_ms: int
    stop_ms: int | None


def rollouts_of(events: Iterable[DeploymentEvent]) -> list[Rollout]:
    """Every rollout of a model, in order of its start.

    Parameters
    ----------
    events
        Deployment events of one model in order of time. A canary without a baseline before it
        cannot be compared, and is left out.

    Examples
    --------
    >>> action = DeploymentAction
    >>> [rollout] = rollouts_of([
    ...     DeploymentEvent(model="m", version="v1", time=0, action=action.DEPLOYED),
    ...     DeploymentEvent(model="m", version="v2", time=60, action=action.CANARY_STARTED),
    ... ])
    >>> rollout.canary, rollout.baseline, rollout.start_ms, rollout.stop_ms
    ('v2', 'v1', 60, None)
    """
    ordered = list(events)
    found: dict[str, Rollout] = {}
    baseline: str | None = None
    for place, event in enumerate(ordered):
        if _takes_over(event):
            baseline = event.version
        elif (
            event.action is DeploymentAction.CANARY_STARTED
            and baseline is not None
            and baseline != event.version
        ):
            # A start told twice, in other words, is one rollout: the last word holds.
            rollout = _rollout(event, baseline, _stop(ordered[place + 1 :]))
            found[rollout.id] = rollout
    return list(found.values())


def _rollout(event: DeploymentEvent, baseline: str, stop_ms: int | None) -> Rollout:
    start = milliseconds(event.time)
    return Rollout(
        id=content_id("rollout", event.model, event.version, event.generation, start),
        model=event.model,
        canary=event.version,
        baseline=baseline,
        generation=event.generation,
        share=event.share,
        start_ms=start,
        stop_ms=stop_ms,
    )


def _takes_over(event: DeploymentEvent) -> bool:
    if event.action is DeploymentAction.PROMOTED:
        return True
    return event.action is DeploymentAction.DEPLOYED and event.role is Arm.BASELINE


def _stop(later: Iterable[DeploymentEvent]) -> int | None:
    return next((milliseconds(e.time) for e in later if e.action in _ENDS or _takes_over(e)), None)

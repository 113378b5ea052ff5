"""Which canaries and shadows run beside which baseline, from deployment events alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from schemas.base import milliseconds
from schemas.deployments import DeploymentAction, DeploymentEvent
from schemas.ids import content_id
from schemas.predictions import Arm
from streams.control import Control

_ENDS = frozenset(
    {
        DeploymentAction.CANARY_STARTED,
        DeploymentAction.CANARY_STOPPED,
        DeploymentAction.PROMOTED,
        DeploymentAction.ROLLED_BACK,
    }
)


@dataclass(frozen=True, slots=True)
class Promoted:
    """A version that serves all since ``start_ms``, until another takes over or it is rolled back
    (``stop_ms`` is None till then); ``generation`` is that of its deployment."""

    start_ms: int
    stop_ms: int | None
    generation: int


@dataclass(frozen=True, slots=True)
class Rollout:
    """A canary from its start until the serving versions change again.

    ``share`` is its planned share of the traffic; ``stop_ms`` is None while it runs. Where ``arm``
    says so, ``canary`` is a shadow: it ends when its role or the baseline changes. ``promoted`` is
    what came of a canary that now serves all; None of any other.
    """

    id: str
    model: str
    canary: str
    baseline: str
    generation: int
    share: float | None
    start_ms: int
    stop_ms: int | None
    arm: Arm = Arm.CANARY
    promoted: Promoted | None = None


class Rollouts:
    """The rollouts of models, worked out anew where there is another deployment."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._known: dict[str, tuple[Sequence[DeploymentEvent], Sequence[Rollout]]] = {}

    def of(self, model: str) -> Sequence[Rollout]:
        """Every rollout of a model, in order of its start."""
        events = self._control.deployments(model)
        known = self._known.get(model)
        if known is None or known[0] is not events:
            known = self._known[model] = events, rollouts_of(events)
        return known[1]


def rollouts_of(events: Iterable[DeploymentEvent]) -> list[Rollout]:
    """Every rollout of a model, in order of its start.

    Parameters
    ----------
    events
        Deployment events of one model in order of time. A version deployed in the role of a shadow
        is one. What has no baseline before it cannot be compared, and is left out.

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
        if takes_over(event):
            baseline = event.version
        elif (
            event.action is DeploymentAction.CANARY_STARTED
            and baseline is not None
            and baseline != event.version
        ):
            # A start told twice, in other words, is one rollout: the last word holds.
            later = ordered[place + 1 :]
            rollout = _rollout(event, baseline, _stop(later))
            found[rollout.id] = replace(rollout, promoted=_promoted(event.version, later))
        elif _is_shadow(event) and baseline is not None and baseline != event.version:
            stop_ms = _shadow_stop(event.version, ordered[place + 1 :])
            rollout = _rollout(event, baseline, stop_ms, arm=Arm.SHADOW)
            found[rollout.id] = rollout
    return list(found.values())


def _rollout(
    event: DeploymentEvent, baseline: str, stop_ms: int | None, *, arm: Arm = Arm.CANARY
) -> Rollout:
    start = milliseconds(event.time)
    kind = "rollout" if arm is Arm.CANARY else "shadow"
    return Rollout(
        id=content_id(kind, event.model, event.version, event.generation, start),
        model=event.model,
        canary=event.version,
        baseline=baseline,
        generation=event.generation,
        share=event.share,
        start_ms=start,
        stop_ms=stop_ms,
        arm=arm,
    )


def _is_shadow(event: DeploymentEvent) -> bool:
    return event.action is DeploymentAction.DEPLOYED and event.role is Arm.SHADOW


def _shadow_stop(version: str, later: Iterable[DeploymentEvent]) -> int | None:
    """When the baseline changes, or this version does anything else."""
    return next(
        (
            milliseconds(event.time)
            for event in later
            if takes_over(event) or (event.version == version and not _is_shadow(event))
        ),
        None,
    )


def takes_over(event: DeploymentEvent) -> bool:
    """Whether a version serves all that no canary does, from this event on."""
    if event.action is DeploymentAction.PROMOTED:
        return True
    return event.action is DeploymentAction.DEPLOYED and event.role is Arm.BASELINE


def _stop(later: Iterable[DeploymentEvent]) -> int | None:
    return next((milliseconds(e.time) for e in later if e.action in _ENDS or takes_over(e)), None)


def _promoted(version: str, later: Sequence[DeploymentEvent]) -> Promoted | None:
    """What came of a canary, if what ended it was that it took over."""
    place = next((p for p, e in enumerate(later) if e.action in _ENDS or takes_over(e)), None)
    if place is None or not takes_over(later[place]) or later[place].version != version:
        return None
    event = later[place]
    return Promoted(
        start_ms=milliseconds(event.time),
        stop_ms=next(
            (milliseconds(e.time) for e in later[place + 1 :] if _leaves(e, version)), None
        ),
        generation=event.generation,
    )


def _leaves(event: DeploymentEvent, version: str) -> bool:
    """Whether a version that serves all does so no more."""
    if event.action is DeploymentAction.ROLLED_BACK:
        return True
    return takes_over(event) and event.version != version

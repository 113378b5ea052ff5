"""Advice to services: use the fallback while the model is degraded past its policy.

The advice of a model changes when its pages open and end, when another version serves, or when
the policy does; only changes are said, and the newest advice holds.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.alerts import Severity
from schemas.base import milliseconds
from schemas.deployments import DeploymentAction, DeploymentEvent
from schemas.fallback import Advice, Fallback, FallbackKind
from schemas.ids import content_id
from schemas.policy import Policy
from streams.decide.incidents.layers import family_of, layer_of
from streams.decide.incidents.records import IncidentKey, Member
from streams.decide.rollback.facts import View
from streams.decide.rollout.plan import takes_over
from streams.decide.sentences import named
from streams.decide.state import State
from streams.decide.upkeep.records import Advised, Traffic
from streams.decide.upkeep.traffic import serves


def advise(view: View) -> list[Advice]:
    """Advice that has changed, in order of model."""
    found = []
    for model, traffic in sorted(view.state.traffic.items()):
        policy = view.control.policy(traffic.policy)
        known = view.state.advised.get(model)
        if policy is not None and (policy.fallback is not None or known is not None):
            found += _advise(view, model, traffic, policy, known)
    return found


def predecessor(events: Iterable[DeploymentEvent], version: str, *, now_ms: int) -> str | None:
    """The version that served all before another one, as deployments tell it; None if unknown.

    A version that was rolled back is none to go back to.

    Examples
    --------
    >>> action = DeploymentAction
    >>> events = [
    ...     DeploymentEvent(model="m", version=version, time=time, action=action)
    ...     for time, (version, action) in enumerate([
    ...         ("v1", action.DEPLOYED), ("v2", action.PROMOTED), ("v2", action.ROLLED_BACK),
    ...         ("v1", action.DEPLOYED), ("v3", action.PROMOTED),
    ...     ])
    ... ]
    >>> predecessor(events, "v3", now_ms=9), predecessor(events, "v1", now_ms=9)
    ('v1', None)
    """
    served: list[str] = []
    for event in events:
        if milliseconds(event.time) > now_ms:
            break
        if takes_over(event) or event.action is DeploymentAction.ROLLED_BACK:
            served = [name for name in served if name != event.version]
        if takes_over(event):
            served.append(event.version)
    before = served[: served.index(version)] if version in served else served
    return before[-1] if before else None


def _advise(
    view: View, model: str, traffic: Traffic, policy: Policy, known: Advised | None
) -> list[Advice]:
    pages = _pages(view.state, model, traffic, policy)
    if pages and policy.fallback is not None:
        advice = _degraded(view, model, traffic, policy.fallback, pages)
    elif known is not None and known.degraded:
        advice = _over(view, model, traffic, known)
    else:
        return []
    before = None if known is None else (known.degraded, known.use, known.version)
    if before == (advice.degraded, advice.use, advice.version):
        return []
    id_ = content_id("advice", "" if known is None else known.id, *_said(advice), advice.evidence)
    view.state.advised.put(model, Advised(id_, *_said(advice), tuple(advice.evidence)))
    return [advice.model_copy(update={"id": id_})]


def _said(advice: Advice) -> tuple[bool, str, str | None]:
    return advice.degraded, advice.use.value, advice.version


def _pages(state: State, model: str, traffic: Traffic, policy: Policy) -> list[Member]:
    """Open pages on the metrics of the fallback, of all predictions of a version that serves."""
    metrics = [] if policy.fallback is None else policy.fallback.metrics
    found = []
    for family in sorted({family_of(layer_of(metric)) for metric in metrics}):
        incident = state.incidents.get(IncidentKey(model, family))
        found += [
            one
            for one in (incident.open if incident is not None else [])
            if one.severity is Severity.PAGE
            and one.metric in metrics
            and one.segment == ""
            and serves(traffic, one.version, policy)
        ]
    return sorted(found, key=lambda one: one.alert_id)


def _degraded(
    view: View, model: str, traffic: Traffic, fallback: Fallback, pages: list[Member]
) -> Advice:
    version = max(pages, key=lambda one: (one.version == traffic.version, one.version)).version
    other: str | None = None
    if fallback.use is FallbackKind.PREVIOUS_VERSION:
        events = view.control.deployments(model)
        other = predecessor(events, version, now_ms=view.now_ms)
    what = sorted({named(one.metric, one.feature) for one in pages})
    return Advice(
        id="",
        model=model,
        degraded=True,
        use=fallback.use,
        version=other,
        since_ms=view.now_ms,
        evidence=[one.alert_id for one in pages],
        summary=f"Do not rely on {model} {version}: {_words(fallback.use, other)}, until the "
        f"{' and the '.join(what)} is back within budget",
        policy=traffic.policy,
        cut=view.cut,
    )


def _over(view: View, model: str, traffic: Traffic, known: Advised) -> Advice:
    return Advice(
        id="",
        model=model,
        degraded=False,
        use=FallbackKind(known.use),
        version=None,
        since_ms=view.now_ms,
        evidence=list(known.evidence),
        summary=f"Use {model} {traffic.version} again: nothing speaks against it any more",
        policy=traffic.policy,
        cut=view.cut,
    )


def _words(use: FallbackKind, version: str | None) -> str:
    match use:
        case FallbackKind.RULE:
            return "use the rule instead"
        case FallbackKind.HUMAN:
            return "let people decide instead"
        case FallbackKind.PREVIOUS_VERSION:
            return f"use {version} instead" if version else "use the version before it instead"

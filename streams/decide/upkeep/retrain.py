"""Requests to train a model again: on drift that hurts, on schedule, on new labels, or on demand.

What is due is said once, with all its reasons; what comes due within the policy's ``debounce`` of
the last request waits for its end. Only a person is never kept waiting. Requests follow from the
alerts and labels that are known by then, so it depends on how far the watermarks had come which
reasons stand together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from schemas.alerts import Layer, Severity
from schemas.commands import Command, RetrainNow, Trained
from schemas.durations import duration_ms
from schemas.errors import Retriable
from schemas.ids import content_id
from schemas.policy import Policy
from schemas.retraining import RetrainReason, RetrainRequest
from streams.decide.clock import watermarks
from streams.decide.incidents.layers import family_of
from streams.decide.incidents.records import IncidentKey
from streams.decide.merge import floor_to
from streams.decide.rollback.facts import View
from streams.decide.sentences import PLACES, span
from streams.decide.state import State
from streams.decide.upkeep.records import Traffic, Training
from streams.decide.upkeep.traffic import serves

HARM = frozenset({Layer.MODEL, Layer.OUTCOME})

WORDS = {
    RetrainReason.HARMFUL_DRIFT: "what it sees has drifted, and its answers suffer",
    RetrainReason.SCHEDULE: "its schedule says so",
    RetrainReason.LABELS: "there are enough new labels",
    RetrainReason.PERSON: "a person asked for it",
}


class Harmful(NamedTuple):
    """Open alerts of drift beside open alerts of the model or its answers, what drifted, and the
    tests that say so; ``incident`` is the story of all, "" where there is none."""

    incident: str = ""
    drifts: frozenset[str] = frozenset()
    evidence: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


_FAMILY = family_of(Layer.DRIFT)

_UNTRAINED, _NO_HARM = Training(), Harmful()


def command(state: State, given: Command) -> None:
    """Heed a command about retraining; one for a model that never had predictions is void."""
    if not isinstance(given, RetrainNow | Trained) or state.traffic.get(given.model) is None:
        return
    known = state.training.get(given.model) or Training()
    if isinstance(given, Trained):
        after = msgspec.structs.replace(known, labels=0, asked=())
    else:
        asked = tuple(sorted({*known.asked, given.reason}))
        after = msgspec.structs.replace(known, asked=asked)
    state.training.put(given.model, after)


def requests(view: View, heeded: Iterable[Command]) -> list[RetrainRequest]:
    """Every request that is due, in order of model, after the commands of this step."""
    for one in heeded:
        command(view.state, one)
    found = []
    for model, traffic in sorted(view.state.traffic.items()):
        policy = view.control.policy(traffic.policy)
        if policy is not None:
            found += _request(view, model, traffic, policy)
    return found


def _request(view: View, model: str, traffic: Traffic, policy: Policy) -> list[RetrainRequest]:
    rules, known = policy.retraining, view.state.training.get(model) or _UNTRAINED
    harmful = _harmful(view.state, model, traffic, policy)
    reasons = _reasons(known, traffic, policy, harmful, view.now_ms)
    if not reasons:
        return []
    debounced = known.last_ms is not None and view.now_ms - known.last_ms < duration_ms(
        rules.debounce
    )
    if debounced and RetrainReason.PERSON not in reasons:
        return []
    to_ms = _matured_ms(view, traffic)
    from_ms = max(to_ms - duration_ms(rules.history), 0)
    request = RetrainRequest(
        id=content_id("retrain", model, known.requests, reasons, to_ms),
        model=model,
        version=traffic.version,
        reasons=reasons,
        summary=_summary(f"{model} {traffic.version}", reasons, known, harmful, (from_ms, to_ms)),
        from_ms=from_ms,
        to_ms=to_ms,
        labels=known.labels,
        features=list(harmful.features),
        evidence=list(harmful.evidence),
        decided_at_ms=view.now_ms,
        policy=traffic.policy,
        cut=view.cut,
    )
    view.state.training.put(model, _after(known, reasons, harmful, view.now_ms))
    return [request]


def _reasons(
    known: Training, traffic: Traffic, policy: Policy, harmful: Harmful, now_ms: int
) -> list[RetrainReason]:
    """Why a model should be trained again now, in the order of `RetrainReason`."""
    rules, found = policy.retraining, list[RetrainReason]()
    if rules.on_drift and harmful.evidence and _is_new(known, harmful):
        found.append(RetrainReason.HARMFUL_DRIFT)
    if "schedule" in known.asked or _is_over(known, traffic, policy, now_ms):
        found.append(RetrainReason.SCHEDULE)
    if rules.labels is not None and known.labels >= rules.labels:
        found.append(RetrainReason.LABELS)
    if "person" in known.asked:
        found.append(RetrainReason.PERSON)
    return found


def _is_over(known: Training, traffic: Traffic, policy: Policy, now_ms: int) -> bool:
    """Whether the time between two trainings has passed, if the policy states one."""
    every = policy.retraining.every
    if every is None:
        return False
    # A schedule asks for nothing while there is no traffic: there would be no new data.
    passed_ms = min(now_ms, traffic.last_ms)
    began_ms = floor_to(traffic.first_ms, policy.window_ms)
    since_ms = began_ms if known.scheduled_ms is None else known.scheduled_ms
    return passed_ms - since_ms >= duration_ms(every)


def _after(
    known: Training, reasons: list[RetrainReason], harmful: Harmful, now_ms: int
) -> Training:
    scheduled = RetrainReason.SCHEDULE in reasons
    told = (known.incident, known.drifts)
    if RetrainReason.HARMFUL_DRIFT in reasons:
        before = set(known.drifts) if known.incident == harmful.incident else set()
        told = (harmful.incident, tuple(sorted(harmful.drifts | before)))
    return Training(
        last_ms=now_ms,
        scheduled_ms=now_ms if scheduled else known.scheduled_ms,
        incident=told[0],
        drifts=told[1],
        requests=known.requests + 1,
    )


def _is_new(known: Training, harmful: Harmful) -> bool:
    """Whether more has drifted than the last request said. An alert that comes again in the same
    story is no news: the same data would be asked for."""
    return harmful.incident != known.incident or not harmful.drifts <= set(known.drifts)


def _harmful(state: State, model: str, traffic: Traffic, policy: Policy) -> Harmful:
    """What drifted, and did harm in the same version; watches say neither."""
    incident = state.incidents.get(IncidentKey(model, _FAMILY))
    if incident is None:
        return _NO_HARM
    standing = {
        test: one
        for test, one in incident.members.items()
        if one.open and one.severity is not Severity.WATCH and serves(traffic, one.version, policy)
    }
    drifted = {test: one for test, one in standing.items() if one.layer is Layer.DRIFT}
    harmed = [one for one in standing.values() if one.layer in HARM]
    versions = {one.version for one in drifted.values()} & {one.version for one in harmed}
    drifted = {test: one for test, one in drifted.items() if one.version in versions}
    if not drifted:
        return _NO_HARM
    harmed = [one for one in harmed if one.version in versions]
    return Harmful(
        incident=incident.id,
        drifts=frozenset(drifted),
        evidence=tuple(sorted(one.alert_id for one in (*drifted.values(), *harmed))),
        features=tuple(sorted({one.feature for one in drifted.values()} - {""})),
    )


def _matured_ms(view: View, traffic: Traffic) -> int:
    """End of the last window whose labels are mature: those of a younger one are no fair sample,
    for fast labels come first."""
    try:
        subject = view.subjects.of(traffic.policy, traffic.reference, whole=True)
    except Retriable:
        return 0
    labels_ms = watermarks(view.state).labels_ms
    seen_ms = view.now_ms if labels_ms is None else labels_ms
    mature_ms = min(seen_ms - subject.label_delay_ms, traffic.last_ms)
    return max(floor_to(mature_ms, subject.window_ms), 0)


def _summary(
    name: str,
    reasons: list[RetrainReason],
    known: Training,
    harmful: Harmful,
    data: tuple[int, int],
) -> str:
    words = "; ".join(WORDS[reason] for reason in reasons)
    features = ", ".join(PLACES.get(one, one) for one in harmful.features)
    drifted = f" (drifted: {features})" if features else ""
    return f"Train {name} again: {words}{drifted}. {known.labels:,} new labels; data {span(*data)}"

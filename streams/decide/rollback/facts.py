"""What must be known when a rollback is requested: a healthy target, and labels that are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from detectors.quantities import Sums, sums_of
from schemas.alerts import Severity
from schemas.errors import Retriable
from schemas.predictions import Arm
from schemas.rollouts import GuardrailEvidence, RolloutEvent
from schemas.summaries import Part
from schemas.windows import Verdict
from streams.control import Control
from streams.decide import merge
from streams.decide.keys import WindowKey
from streams.decide.measure.awaited import awaited
from streams.decide.measure.interval import interval_of, judge
from streams.decide.rollback.book import Facts
from streams.decide.rollout.plan import Rollout, rollouts_of
from streams.decide.rollout.rails import METRICS
from streams.decide.state import State, Window
from streams.decide.subject import Subject, Subjects


@dataclass(frozen=True, slots=True)
class View:
    """All that is known at the time of a decision."""

    state: State
    control: Control
    subjects: Subjects
    cut: dict[str, int]
    now_ms: int


class Served(NamedTuple):
    """A window of a whole stream, and how far it has come."""

    key: WindowKey
    subject: Subject
    known: Window

    @property
    def end_ms(self) -> int:
        """End of the window."""
        return self.key.start_ms + self.subject.window_ms


def facts(view: View, advice: RolloutEvent, *, healthy_within_ms: int) -> Facts:
    """What the interlocks ask of the world."""
    return Facts(
        healthy=healthy(view, advice, within_ms=healthy_within_ms),
        covered=covered(view, advice),
    )


def healthy(view: View, advice: RolloutEvent, *, within_ms: int) -> bool:
    """Whether the target is known to serve well.

    No page of it stands open, and of its windows of the last ``within_ms`` the newest that closed,
    and the newest whose labels are mature, are within their budgets in all that a guardrail can
    compare. Drift does not count: another version would see the same inputs.
    """
    target = advice.target_version
    if target is None or _paged(view.state, advice.model, target):
        return False
    newest: Served | None = None
    for window in backwards(view, advice.model, target, Arm.BASELINE, view.now_ms - within_ms):
        if newest is None:
            newest = window
            if _degraded(view.state, window, Part.INPUT):
                return False
        if window.known.matured:
            return not _degraded(view.state, window, Part.LABEL)
    return newest is not None


def covered(view: View, advice: RolloutEvent) -> bool:
    """Whether the labels that the evidence rests on are still there, where it rests on any.

    An arm that served nothing in that window, as a predecessor would, has none to miss.
    """
    if not any(METRICS[rail.metric][1] is Part.LABEL for rail in harmed(advice)):
        return True
    found = [
        _labelled(view.state, window)
        for version, arm in ((advice.canary, advice.arm), (advice.baseline, Arm.BASELINE))
        if (window := at(view, advice.model, version, arm, advice.window_start_ms)) is not None
    ]
    served = [share for share in found if share is not None]
    return bool(served) and all(served)


def harmed(advice: RolloutEvent) -> list[GuardrailEvidence]:
    """The guardrails that the advice rests on; all, where it does not say which."""
    proven = [rail for rail in advice.guardrails if rail.log_e_harm >= rail.threshold_harm]
    return proven or list(advice.guardrails)


def rollout_of(view: View, advice: RolloutEvent) -> Rollout | None:
    """The rollout that an advice is about, as deployments tell it now.

    Of a version that was promoted, it ends when that serves no more.
    """
    known = rollouts_of(view.control.deployments(advice.model))
    found = next((rollout for rollout in known if rollout.id == advice.rollout_id), None)
    if found is None or found.promoted is None or advice.arm is not Arm.BASELINE:
        return found
    return replace(found, stop_ms=found.promoted.stop_ms)


def at(view: View, model: str, version: str, arm: Arm, time_ms: int) -> Served | None:
    """The window of a stream that holds a time; None where its policy is not known."""
    activation = view.control.active(model, time_ms)
    if activation is None:
        return None
    hashes = (activation.policy, activation.reference or "")
    try:
        subject = view.subjects.of(*hashes, whole=True)
    except Retriable:
        return None
    start = merge.floor_to(time_ms, subject.window_ms)
    key = WindowKey(model, version, arm, "", *hashes, start)
    return Served(key, subject, view.state.windows.get(key) or Window())


def backwards(view: View, model: str, version: str, arm: Arm, from_ms: int) -> Iterator[Served]:
    """Closed windows of a stream in which it served, the newest first."""
    time_ms = view.now_ms
    while time_ms >= from_ms:
        window = at(view, model, version, arm, time_ms)
        if window is None:
            return
        if window.known.closed and predictions(view.state, window) > 0:
            yield window
        time_ms = window.key.start_ms - 1


def predictions(state: State, window: Served) -> int:
    """Predictions on time of a window."""
    inputs = merge.total(state, window.key, window.subject, (Part.INPUT,))
    return window.subject.inputs.count(inputs, "n")


def sums(state: State, window: Served, metric: str) -> Sums | None:
    """A metric of a guardrail in a window; None where its labels are too few."""
    name, part = METRICS[metric]
    if part is Part.LABEL and not _labelled(state, window):
        return None
    total = merge.total(state, window.key, window.subject, (part,))
    return sums_of(window.subject.layout(part), total, name)


def _labelled(state: State, window: Served) -> bool | None:
    """Whether enough predictions of a window have their label; None where there are none."""
    inputs = merge.total(state, window.key, window.subject, (Part.INPUT,))
    expected = awaited(window.subject.inputs, inputs)
    if expected <= 0:
        return None
    labels = merge.total(state, window.key, window.subject, (Part.LABEL,))
    labelled = window.subject.labels.count(labels, "n")
    return labelled >= window.subject.policy.labels.coverage * expected


def _paged(state: State, model: str, version: str) -> bool:
    """Whether a page of a version stands open, of any segment."""
    known = [state.tests.get(key) for key in state.tests.open_in((model, version, Arm.BASELINE))]
    return any(
        test is not None
        and test.alert is not None
        and not test.alert.pending
        and test.alert.severity == Severity.PAGE
        for test in known
    )


def _degraded(state: State, window: Served, part: Part) -> bool:
    """Whether a metric of a guardrail is beyond its budget for certain."""
    return any(
        _beyond(window, name, found)
        for metric, (name, of) in METRICS.items()
        if of is part and (found := sums(state, window, metric)) is not None and found.n > 0
    )


def _beyond(window: Served, name: str, found: Sums) -> bool:
    policy = window.subject.policy
    for level in window.subject.levels:
        if level.metric != name or level.feature:
            continue
        rows = max(float(policy.dependence.rows_per_unit), level.dispersion)
        limit = level.at(window.key.start_ms, policy.window_ms)
        if judge(*interval_of(found, rows), limit, level.worse) is Verdict.DEGRADED:
            return True
    return False

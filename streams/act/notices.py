"""What schedules tell people: silences to look at, and ends of hyper-care."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.alerts import Severity
from schemas.base import iso, milliseconds
from schemas.commands import Matcher, Silence
from schemas.deployments import DeploymentAction, DeploymentEvent
from schemas.durations import duration_ms
from schemas.ids import content_id
from schemas.notices import Notice
from schemas.policy import Policy
from schemas.schedules import HyperCareEnd, SilenceReview
from streams.act.schedule import Run, run_id

SERVES = frozenset({DeploymentAction.DEPLOYED, DeploymentAction.PROMOTED})
"""What begins hyper-care."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A silence with the time at which the log took it in."""

    silence: Silence
    since_ms: int

    @property
    def end_ms(self) -> int:
        """When it ends by itself, milliseconds since the epoch."""
        return self.since_ms + duration_ms(self.silence.duration)


def silence_notice(
    run: Run, schedule: SilenceReview, silences: Iterable[Standing], *, now_ms: int
) -> Notice | None:
    """One notice of the silences in force that are long or end soon; None if there are none.

    Examples
    --------
    >>> long = Silence(kind="silence", id="s1", model="fraud", time=0, by="ada", duration="9d")
    >>> review = SilenceReview(action="review_silences", cron="@daily")
    >>> run = Run("daily", review, 60_000)
    >>> silence_notice(run, review, [Standing(long, 0)], now_ms=60_000).lines
    ['fraud: everything, by ada, until 1970-01-10T00:00:00.000Z']
    """
    longest_ms, soon_ms = duration_ms(schedule.longer_than), duration_ms(schedule.ending)
    found = sorted(
        (
            one
            for one in silences
            if one.end_ms > now_ms
            and (one.end_ms - one.since_ms > longest_ms or one.end_ms - now_ms <= soon_ms)
        ),
        key=lambda one: (one.end_ms, one.silence.id),
    )
    if not found:
        return None
    soon = sum(one.end_ms - now_ms <= soon_ms for one in found)
    return Notice(
        id=run_id(run.name, run.due_ms),
        reason="silences",
        subject=f"schedule/{run.name}",
        model=_model_of(one.silence.model for one in found),
        severity=Severity.TICKET,
        at_ms=run.due_ms,
        summary=f"{_count(len(found), 'silence')} to review: {soon} within {schedule.ending} of "
        f"the end, {len(found) - soon} of the others longer than {schedule.longer_than}",
        lines=[_line(one) for one in found],
    )


def hyper_care_notice(
    schedule: HyperCareEnd, event: DeploymentEvent, policy: Policy, *, due_ms: int
) -> Notice | None:
    """A notice that a version has left hyper-care; its id names no run, so it comes once.

    Parameters
    ----------
    policy
        In force when the version came to serve.
    due_ms
        When the schedule was due; None if hyper-care ends later, or ended long before.
    """
    care = policy.plan.hyper_care
    if care is None or event.action not in SERVES:
        return None
    since_ms = milliseconds(event.time)
    end_ms = since_ms + duration_ms(care.duration)
    if not due_ms - duration_ms(schedule.within) < end_ms <= due_ms:
        return None
    return Notice(
        id=f"hyper-care/{content_id(event.model, event.version, since_ms, event.generation)}",
        reason="hyper_care",
        subject=f"{event.model}/{event.version}",
        model=event.model,
        severity=Severity.WATCH,
        at_ms=end_ms,
        summary=f"hyper-care of {event.model} {event.version} has ended; its usual levels hold",
        lines=[f"{event.action.value} at {iso(since_ms)}, tighter levels until {iso(end_ms)}"],
        owner=policy.owner,
    )


def _line(one: Standing) -> str:
    silence = one.silence
    why = f": {silence.comment}" if silence.comment else ""
    what = _matched(silence.match)
    return f"{silence.model}: {what}, by {silence.by}, until {iso(one.end_ms)}{why}"


def _matched(match: Matcher) -> str:
    given = match.model_dump(mode="json", exclude_none=True)
    return " ".join(f"{name}={value}" for name, value in given.items()) or "everything"


def _model_of(models: Iterable[str]) -> str:
    distinct = set(models)
    return distinct.pop() if len(distinct) == 1 else "*"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"

"""The stage between tests and readers: what each alert says of its story, and what changed since.

Tests say that an alert opened, was amended or withdrawn, or is over, and what they see of it while
it stands open. Here it becomes part of an incident with its cause and its flaps, is graded,
silenced, inhibited or acknowledged; whatever of that changes is said in an ``updated`` event with
a named reason. Stories are told as far as they are known: which alerts had been found by then
depends on how far the watermarks had come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from schemas.alerting import Alerting
from schemas.alerts import ENDS, Alert, AlertAction, AlertState, Persistence
from schemas.commands import Acknowledge, Command, Silence, Unsilence
from schemas.durations import duration_ms
from schemas.ids import content_id
from streams.decide.incidents import story
from streams.decide.incidents.layers import FAMILIES, layer_of
from streams.decide.incidents.records import (
    Acknowledgement,
    Incident,
    IncidentKey,
    Opened,
    Silenced,
    SilenceKey,
    Standing,
)
from streams.decide.measure.interval import Reading
from streams.decide.state import State


class Watched(NamedTuple):
    """What the test of an open alert saw in one more window; ``good`` is clear of trouble."""

    alert_id: str
    window_start_ms: int
    window_end_ms: int
    reading: Reading
    good: bool
    bad: bool


@dataclass(frozen=True, slots=True)
class Desk:
    """Where stories are told.

    Parameters
    ----------
    rules
        The alerting rules of a policy, by its hash.
    now_ms
        Decision time: when silences end.
    """

    state: State
    rules: Callable[[str], Alerting]
    now_ms: int
    cut: dict[str, int]
    touched: set[IncidentKey] = field(default_factory=set)
    """Stories of which something changed that their open alerts may have to tell."""

    def settle(
        self,
        found: Sequence[Alert | Watched],
        heeded: Iterable[Command] = (),
    ) -> list[Alert]:
        """Every event to publish, in order.

        Parameters
        ----------
        found
            What tests said and saw, in order of event time.
        heeded
            Commands since the last call.
        """
        said: list[Alert] = []
        for one in found:
            said += self._watched(one) if isinstance(one, Watched) else self._told(one)
        for command in heeded:
            self._heed(command)
        self._forget(one for one in found if isinstance(one, Alert))
        return [self._anew(one) for one in said] + self._review()

    def _anew(self, told: Alert) -> Alert:
        """An alert that opened just now, in the light of all that was found with it: so that its
        cause hides it from the start, in whatever order tests were looked at."""
        standing = self.state.standing.get(told.alert_id)
        if told.action is not AlertAction.OPENED or standing is None:
            return told
        now = self._in_story(told, told, state=told.state, persistence=told.persistence)
        if now == told or standing.alert != told:
            return told
        self._stand(now, standing.since_ms)
        return now

    def _told(self, alert: Alert) -> list[Alert]:
        """An event of a test's alert, with its story."""
        if alert.action is AlertAction.OPENED:
            return [self._opened(alert)]
        standing = self.state.standing.get(alert.alert_id)
        if standing is None:
            ended = alert.action in ENDS
            state = AlertState.RESOLVED if ended else AlertState.FIRING
            return [alert.model_copy(update={"state": state})]
        before = standing.alert
        if alert.action is AlertAction.AMENDED:
            self._lapse(before)
        state = AlertState.RESOLVED if alert.action in ENDS else before.state
        told = self._in_story(alert, before, state=state)
        if alert.action not in ENDS:
            self._stand(told, standing.since_ms)
            return [told]
        self.state.standing.drop(alert.alert_id)
        key = story.key_of(alert)
        incident = self.state.incidents.get(key)
        if incident is not None:
            self._tells(key, story.left(incident, alert))
        return [told]

    def _opened(self, alert: Alert) -> Alert:
        rules, key = self.rules(alert.policy), story.key_of(alert)
        flap_ms = duration_ms(rules.flap)
        incident = story.joined(self.state.incidents.get(key), alert, flap_ms=flap_ms)
        if incident.acknowledged is not None:
            # Something new: whoever looked after the incident has not seen it.
            incident = msgspec.structs.replace(incident, acknowledged=None)
        self._tells(key, incident)
        told = self._in_story(
            alert, alert, state=AlertState.FIRING, persistence=self._opening(alert, rules)
        )
        self._stand(told, alert.window_end_ms)
        return told

    def _stand(self, told: Alert, since_ms: int) -> None:
        """Remember an open alert as it is published."""
        known = Standing(told.model_dump_json().encode(), since_ms, story.key_of(told))
        self.state.standing.put(told.alert_id, known)

    def _tells(self, key: IncidentKey, incident: Incident) -> None:
        """Set what an incident is; its open alerts are to be looked at."""
        self.state.incidents.put(key, incident)
        self.touched.add(key)

    def _opening(self, alert: Alert, rules: Alerting) -> Persistence:
        """Grade of an alert that opens: recurring if its test opened so often of late."""
        key = (alert.model, story.test_of(alert))
        since_ms = alert.window_end_ms - duration_ms(rules.memory)
        known = self.state.opened.get(key) or Opened(())
        times = (*(ms for ms in known.at_ms if ms > since_ms), alert.window_end_ms)
        self.state.opened.put(key, Opened(times[-rules.recurring :]))
        return Persistence.RECURRING if len(times) >= rules.recurring else Persistence.TRANSIENT

    def _in_story(
        self,
        alert: Alert,
        before: Alert,
        *,
        state: AlertState,
        persistence: Persistence | None = None,
    ) -> Alert:
        """An event with what is known of its story now; ``before`` is the event before it."""
        incident = self.state.incidents.get(story.key_of(alert))
        cause = before.cause
        if incident is not None:
            slack_ms = duration_ms(self.rules(alert.policy).flap)
            cause = story.cause_of(incident, slack_ms=slack_ms).alert_id
        return alert.model_copy(
            update={
                "state": state,
                "incident_id": before.incident_id if incident is None else incident.id,
                "cause": cause,
                "layer": layer_of(alert.metric),
                "persistence": persistence or before.persistence,
                "flaps": before.flaps if incident is None else incident.flaps,
                "step": before.step + (alert is not before),
                **self._quiet(alert, incident),
            }
        )

    def _quiet(self, alert: Alert, incident: Incident | None) -> dict[str, str]:
        """Why an alert need not be delivered, if so."""
        silences = [
            (key.id, silence)
            for key, silence in self.state.silences.items()
            if key.model == alert.model
        ]
        silenced = min((id_ for id_, silence in silences if silence.covers(alert)), default="")
        inhibited, by = "", ""
        member = None if incident is None else incident.members.get(story.test_of(alert))
        if incident is not None and member is not None and member.alert_id == alert.alert_id:
            slack_ms = duration_ms(self.rules(alert.policy).flap)
            inhibited = story.inhibitor(incident, member, slack_ms=slack_ms)
        if incident is not None and incident.acknowledged is not None:
            by = incident.acknowledged.by
        return {"silenced_by": silenced, "inhibited_by": inhibited, "acknowledged_by": by}

    def _watched(self, seen: Watched) -> list[Alert]:
        """What one more window changes of an open alert."""
        standing = self.state.standing.get(seen.alert_id)
        if standing is None:
            return []
        before = standing.alert
        rules = self.rules(before.policy)
        lasted_ms = seen.window_end_ms - standing.since_ms
        if before.state is AlertState.FIRING and seen.good:
            return [self._update(standing, "recovering", seen, state=AlertState.RECOVERING)]
        if before.state is AlertState.RECOVERING and seen.bad:
            return [self._update(standing, "relapsed", seen, state=AlertState.FIRING)]
        if before.state is AlertState.FIRING and _is_worse(before, seen.reading):
            self._lapse(before)
            return [self._update(standing, "worse", seen)]
        if before.persistence is not Persistence.PERSISTENT and lasted_ms >= duration_ms(
            rules.persistent_after
        ):
            grade = Persistence.PERSISTENT
            return [self._update(standing, "persistent", seen, persistence=grade)]
        return []

    def _update(
        self,
        standing: Standing,
        reason: str,
        seen: Watched | None = None,
        *,
        state: AlertState | None = None,
        persistence: Persistence | None = None,
    ) -> Alert:
        """Publish an open alert anew, with what has changed."""
        before = standing.alert
        changes: dict[str, object] = {
            "id": content_id(before.alert_id, AlertAction.UPDATED, before.step + 1),
            "action": AlertAction.UPDATED,
            "reason": reason,
            "cut": self.cut,
        }
        if seen is not None:
            changes |= {
                "window_start_ms": seen.window_start_ms,
                "window_end_ms": seen.window_end_ms,
                "n": seen.reading.n,
                "value": seen.reading.value,
                "low": seen.reading.low,
                "high": seen.reading.high,
            }
        told = self._in_story(
            before.model_copy(update=changes),
            before,
            state=state or before.state,
            persistence=persistence,
        )
        self._stand(told, standing.since_ms)
        return told

    def _lapse(self, alert: Alert) -> None:
        """An acknowledgement holds for the evidence that was there."""
        key = story.key_of(alert)
        incident = self.state.incidents.get(key)
        if incident is not None and incident.acknowledged is not None:
            self._tells(key, msgspec.structs.replace(incident, acknowledged=None))

    def _heed(self, command: Command) -> None:
        if isinstance(command, Acknowledge):
            for key, incident in self.state.incidents.items():
                if key.model == command.model and incident.id == command.incident_id:
                    self._acknowledge(key, incident, command)
        elif isinstance(command, Silence):
            match = command.match
            silence = Silenced(
                until_ms=self.now_ms + duration_ms(command.duration),
                by=command.by,
                version=match.version,
                segment=match.segment,
                metric=match.metric,
                feature=match.feature,
                severity=None if match.severity is None else match.severity.value,
            )
            self.state.silences.put(SilenceKey(command.model, command.id), silence)
            self._sounds(command.model)
        elif isinstance(command, Unsilence):
            self.state.silences.drop(SilenceKey(command.model, command.silence_id))
            self._sounds(command.model)

    def _acknowledge(self, key: IncidentKey, incident: Incident, command: Acknowledge) -> None:
        alerts = tuple(sorted(member.alert_id for member in incident.open))
        if alerts:
            by = Acknowledgement(command.by, alerts)
            self._tells(key, msgspec.structs.replace(incident, acknowledged=by))

    def _sounds(self, model: str) -> None:
        """The silences of a model changed: every open alert of it is to be looked at."""
        self.touched.update(IncidentKey(model, family) for family in FAMILIES)

    def _forget(self, found: Iterable[Alert]) -> None:
        """Drop openings that no grade asks for any more, in models in which alerts open now."""
        since: dict[str, int] = {}
        for alert in found:
            if alert.action is AlertAction.OPENED:
                own_ms = alert.window_end_ms - duration_ms(self.rules(alert.policy).memory)
                since[alert.model] = min(since.get(alert.model, own_ms), own_ms)
        if since:
            for key, known in self.state.opened.items():
                if key[0] in since and known.at_ms[-1] <= since[key[0]]:
                    self.state.opened.drop(key)

    def _review(self) -> list[Alert]:
        """Open alerts of which something else changed: who looks after them, what hides them,
        what caused them."""
        for key, silence in self.state.silences.items():
            if silence.until_ms <= self.now_ms:
                self.state.silences.drop(key)
                self._sounds(key.model)
        if not self.touched:
            # Reading every open alert takes long where many are; mostly nothing changed.
            return []
        said = []
        for _, standing in sorted(self.state.standing.items()):
            reason = self._change(standing.alert) if standing.story in self.touched else ""
            if reason:
                said.append(self._update(standing, reason))
        return said

    def _change(self, before: Alert) -> str:
        """What changed, most important first; "" for nothing."""
        now = self._in_story(before, before, state=before.state)
        if before.acknowledged_by != now.acknowledged_by:
            return "acknowledged" if now.acknowledged_by else "acknowledgement_lapsed"
        if before.silenced_by != now.silenced_by:
            return "silenced" if now.silenced_by else "silence_ended"
        if before.inhibited_by != now.inhibited_by:
            return "inhibited" if now.inhibited_by else "inhibition_ended"
        return "cause_found" if before.cause != now.cause else ""


def _is_worse(before: Alert, now: Reading) -> bool:
    """Whether a window is worse, beyond chance, than the one last told of.

    Examples
    --------
    >>> from schemas.predictions import Arm
    >>> def far(low, high):
    ...     return Reading(100, (low + high) / 2, low, high, 0.1, "above")
    >>> class Told:
    ...     worse, low, high = "above", 0.12, 0.2
    >>> _is_worse(Told, far(0.21, 0.3)), _is_worse(Told, far(0.15, 0.3))
    (True, False)
    """
    if before.worse == "above":
        return before.high is not None and now.low is not None and now.low > before.high
    return before.low is not None and now.high is not None and now.high < before.low

"""DECIDE: summaries in, windows, alerts and rollout events out. No clock, no I/O.

What it says follows from the sums of rows on time, in order of event time; the order in which
batches of several shards come, and how they are cut, changes nothing but the revisions and cuts
of windows, what they let expect of labels on their way, and deadlines of rollbacks, which begin
when they are said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, zip_longest
from operator import itemgetter

import msgspec

from schemas.alerting import Alerting
from schemas.alerts import Alert, AlertAction
from schemas.commands import Command, Delivered, Tick
from schemas.ledger import Ledger
from schemas.predictions import Arm
from schemas.rollouts import RolloutEvent
from schemas.summaries import Part, SummaryBatch
from schemas.windows import WindowResult
from streams.control import Control
from streams.decide import audit, clock, completeness, discoveries, groups, merge, retired
from streams.decide.alerts import gone
from streams.decide.alerts import life as alerts
from streams.decide.alerts.base import lapse
from streams.decide.alerts.held import Held, Records
from streams.decide.alerts.revise import revise
from streams.decide.detect import Asked, asked_of
from streams.decide.due import Cohort, Due, Queues, cohort, rounds
from streams.decide.entries import packed
from streams.decide.heeded import is_first
from streams.decide.incidents import repeat
from streams.decide.incidents.repeat import Confirmable
from streams.decide.incidents.settle import Desk, Watched
from streams.decide.keys import Version, WindowKey
from streams.decide.ledger import Totals, ledgers, totals
from streams.decide.outputs import Outputs
from streams.decide.results import revisions
from streams.decide.rollback import run as rollback
from streams.decide.rollback.facts import View
from streams.decide.rollout import aftercare, course, review, trouble
from streams.decide.rollout.plan import Rollout, Rollouts
from streams.decide.sheets import Sheets
from streams.decide.state import State, Watermarks, Window
from streams.decide.subject import Subject, Subjects
from streams.decide.turns import Turns
from streams.decide.unpublished import Unpublished
from streams.decide.upkeep import advise, missing, retrain, traffic

WORK_AT_ONCE = 1_200
"""`Subject.work` on results in one `Decide.advance` or `Decide.more`, about a tenth of a second:
the next windows do not wait for the rest."""

WORK_BESIDE_TESTS = 100
"""The same where windows are judged that have more results than can be told at once, some
milliseconds: their alerts do not wait for results."""


class Decide:
    """One partition of DECIDE.

    Apply batches as they come, then `advance`; a checkpoint is everything that `changed`.

    Parameters
    ----------
    control
        What the control topics have said; the caller keeps it ahead of the batches.
    partition
        Partition of ``summaries`` that is read.
    results
        Whether results of windows are worked out; no test, alert or rollout needs them.

    Examples
    --------
    >>> decide = Decide(Control(), partition=0)
    >>> decide.advance()
    Outputs(windows=[], alerts=[], rollouts=[], retraining=[], advice=[], audit=[], again=[])
    """

    def __init__(self, control: Control, partition: int, *, results: bool = True) -> None:
        self.partition = partition
        self._with_results = results
        self._control = control
        self._subjects = Subjects(control)
        self._asked: dict[Subject, tuple[Asked, ...]] = {}
        self._sheets = Sheets(self._asked_of)
        self._leaving: dict[Version, int] = {}
        self._releases = Rollouts(control)
        self._take(State())

    def apply(self, batch: SummaryBatch) -> None:
        """Add a batch to the panes; one seen before changes nothing.

        Raises
        ------
        Retriable
            A pane names a policy or reference not read yet; nothing was changed.
        OverflowError
            A pane holds too many rows.
        """
        panes = [merge.pane_key(delta) for delta in batch.panes]
        subjects = [self._subject(pane) for pane in panes]
        # Rows on time may lie far behind the mark at the end of their own batch.
        before = clock.watermarks(self._state)
        if not clock.observe(self._state, batch):
            return
        every = packed([(delta.index, delta.values) for delta in batch.panes])
        for delta, pane, subject, entries in zip(batch.panes, panes, subjects, every, strict=True):
            window = merge.window_of(pane, subject)
            new = self._state.windows.get(window) is None
            if new and self._gone(window, subject, before):
                continue
            merge.add(self._state, delta.part, entries, pane, window)
            traffic.note(self._state, delta, subject)
            if new:
                self._index(window, Window())
            self._note_changed(window)
            if groups.is_reference(self._state, window):
                self._revise(window)

    def command(self, command: Command, wall_ms: int) -> None:
        """Heed a command that the log stamped with a wall time; one read before changes nothing."""
        clock.tick(self._state, wall_ms, heard=isinstance(command, Tick))
        if isinstance(command, Tick):
            return
        if isinstance(command, Delivered) or is_first(self._state, command):
            self._heeded.append(command)

    def advance(self) -> Outputs:
        """Say all that the watermarks allow to be said, in order of event time.

        Results of windows are put off where there are many: ask for `more` while it is `behind`.
        """
        now, cut = clock.watermarks(self._state), clock.cut(self._state)
        found: list[Alert | Watched] = [*self._revised(self._changed, (), cut)]
        closing = self._queues.closing(now.predictions_ms)
        for _, _, window in closing:
            self._mark(window, closed=True)
        for _, at_once in groupby(closing, key=itemgetter(0)):
            closed = [window for _, _, window in at_once]
            groups.settle(self._state, {window: self._subject(window) for window in closed})
        maturing = self._queues.maturing(now.labels_ms)
        for _, _, window in maturing:
            self._mark(window, matured=True)
            completeness.count_matured(self._state, window, self._subject(window))
        found += self._judged(closing, maturing, cut)
        found += self._revised((), found, cut)
        found += gone.close(self._records, now.labels_ms, cut)
        self._leaving = retired.drop(self._records, self._leaving, now.labels_ms)
        trouble.note(self._state, self._subjects, (one for one in found if isinstance(one, Alert)))
        view = View(
            self._state, self._control, self._subjects, cut, clock.decision_ms(self._state) or 0
        )
        found += missing.judge(view)
        said = self._tell(found, cut)
        known = [one for model in sorted(self._models) for one in self._releases.of(model)]
        rollouts = self._rollbacks(self._rollouts(known, now, cut), view)
        review.note(self._state, rollouts)
        rollouts += review.advance(self._state, self._control, self._subjects, known, now, cut)
        retraining = retrain.requests(view, self._heeded)
        advice = advise.advise(view)
        self._changed.clear()
        lapsing = self._queues.lapsing(self._state, now.labels_ms)
        windows = self._publish(lapsing, cut, judged=bool(closing or maturing))
        self._forget(lapsing)
        outputs = Outputs(
            windows=windows, alerts=said, rollouts=rollouts, retraining=retraining, advice=advice
        )
        return self._close(outputs)

    @property
    def behind(self) -> bool:
        """Whether results of windows have been put off."""
        return len(self._unpublished) > 0

    def more(self) -> Outputs:
        """Some of the results of windows that have been put off; nothing is judged.

        The next `advance` tells some of them as well.
        """
        return Outputs(windows=self._publish((), clock.cut(self._state), judged=False))

    def open_alerts(self) -> list[tuple[str, str, str]]:
        """Id, model and severity of every alert that stands open."""
        standing = [one.alert for _, one in self._state.standing.items()]
        return [(alert.alert_id, alert.model, alert.severity.value) for alert in standing]

    def ledger(self) -> list[Ledger]:
        """The account of each model's false-alarm budget, in order of name."""
        return ledgers(self._state, self._subjects, self._asked_of)

    def budgets(self) -> dict[str, Totals]:
        """What the tests of each model may spend in a period now, and what they have spent."""
        return totals(self._state, self._subjects, self._asked_of)

    def changed(self) -> dict[str, bytes | None]:
        """State that changed since the last call, by key; None for what was forgotten."""
        return self._state.changed()

    def load(self, rows: Mapping[str, bytes]) -> None:
        """Go on from a checkpoint: all that `changed` ever gave, the newest of each key.

        Raises
        ------
        ValueError
            The checkpoint was written by another version.
        Retriable
            It names a policy or reference not read yet.
        """
        self._take(State.load(rows))

    def _take(self, state: State) -> None:
        """Make a state the present one; the queues follow from it."""
        self._state = state
        self._queues = Queues()
        self._changed: dict[WindowKey, None] = {}
        self._unpublished = Unpublished()
        self._heeded: list[Command] = []
        # A model whose windows are all forgotten may have a rollout that has not ended.
        self._models = {key.model for table in (state.tests, state.delays) for key in table}
        self._peers: defaultdict[Cohort, set[WindowKey]] = defaultdict(set)
        self._records = Records(state, Held(), self._subject, self._asked_of)
        for window, known in state.windows.items():
            self._index(window, known)
        self._leaving = retired.leaving(self._records)
        for window in sorted(key for key, known in state.windows.items() if known.stale):
            self._note_changed(window)

    def _index(self, window: WindowKey, known: Window) -> None:
        self._queues.add(window, known, self._subject(window))
        self._models.add(window.model)
        self._peers[cohort(window)].add(window)
        self._records.held.add(window)

    def _note_changed(self, window: WindowKey) -> None:
        """Remember that the sums of a window changed; one that is open will be told anyway."""
        self._changed[window] = None
        known = self._state.windows.get(window)
        if known is not None and known.closed:
            if known.revision:
                self._unpublished.changed(window)
            else:
                self._unpublished.new(window)

    def _subject(self, window: WindowKey) -> Subject:
        return self._subjects.of_segment(*window[3:6])

    def _revise(self, reference: WindowKey) -> None:
        """Results of groups change with those of the group that they are compared with."""
        for peer in sorted(self._peers[cohort(reference)]):
            if groups.other(self._state, peer) == reference:
                merge.mark_stale(self._state, peer)
                self._note_changed(peer)

    def _mark(self, window: WindowKey, *, closed: bool = False, matured: bool = False) -> None:
        known = self._state.windows.get(window) or Window()
        self._state.windows.put(
            window,
            msgspec.structs.replace(
                known, closed=known.closed or closed, matured=known.matured or matured, stale=True
            ),
        )
        self._unpublished.new(window)

    def _revised(
        self, stale: Iterable[WindowKey], found: Sequence[Alert | Watched], cut: dict[str, int]
    ) -> list[Alert]:
        """What labels that came late change of alerts that rest on windows or have been found."""
        opened = {
            one.alert_id
            for one in found
            if isinstance(one, Alert) and one.action is AlertAction.OPENED
        }
        now_ms = clock.decision_ms(self._state) or 0
        return revise(self._records, stale, opened, now_ms, cut)

    def _judged(
        self, closing: Sequence[Due], maturing: Sequence[Due], cut: dict[str, int]
    ) -> list[Alert | Watched]:
        """What tests find in windows that close, and then in those whose labels are mature.

        No test looks at both, and none at what another found: those of a round look together.
        """
        turns = Turns(self._records, self._sheets, self._control, self._peers)
        found: dict[Part, list[Alert | Watched]] = {Part.INPUT: [], Part.LABEL: []}
        for inputs, labels in zip_longest(rounds(closing), rounds(maturing), fillvalue=()):
            due = ((Part.INPUT, inputs), (Part.LABEL, labels))
            for part, together in due:
                found[part] += turns.ended(together, part, cut)
            asked = [turns.of(one, part, cut) for part, together in due for one in together]
            looking = [one for one in asked if one is not None]
            for turn, said in zip(looking, alerts.step_all(self._state, looking), strict=True):
                found[turn.part] += said
            self._note_drifted(inputs)
        return found[Part.INPUT] + found[Part.LABEL]

    def _tell(self, found: list[Alert | Watched], cut: dict[str, int]) -> list[Alert]:
        """What tests found as parts of stories, in order of the windows it was found in."""
        found.sort(key=lambda one: one.window_end_ms)
        now_ms = clock.decision_ms(self._state) or 0
        return Desk(self._state, self._alerting, now_ms, cut).settle(found, self._heeded)

    def _close(self, outputs: Outputs) -> Outputs:
        """Outputs with what is said again, and with the audit of all that is new."""
        now_ms = clock.decision_ms(self._state) or 0
        heeded = [one for one in self._heeded if not isinstance(one, Delivered)]
        repeat.confirm(self._state, self._heeded)
        again = repeat.due(self._state, now_ms)
        said: list[Confirmable] = [*outputs.alerts, *outputs.rollouts, *outputs.retraining]
        repeat.track(self._state, said, now_ms, self._alerting)
        entries = [entry for one in heeded for entry in audit.commanded(one, now_ms)]
        entries += [audit.decided(one) for one in said]
        entries += [audit.decided(one) for one in outputs.advice]
        self._heeded.clear()
        return replace(outputs, audit=audit.chain(self._state, entries), again=again)

    def _alerting(self, policy: str) -> Alerting:
        known = self._control.policy(policy)
        return Alerting() if known is None else known.alerting

    def _note_drifted(self, due: Sequence[Due]) -> None:
        """Which features have drifted by now, for windows of baselines that were just judged."""
        whole = [window for _, _, window in due if window[2:4] == (Arm.BASELINE, "")]
        sheets = [self._sheets.of(self._subject(window), Part.INPUT) for window in whole]
        discoveries.note(self._state, list(zip(whole, sheets, strict=True)))

    def _asked_of(self, subject: Subject) -> tuple[Asked, ...]:
        """The tests of a stream, worked out once."""
        if subject not in self._asked:
            self._asked[subject] = asked_of(subject)
        return self._asked[subject]

    def _rollouts(
        self, rollouts: Sequence[Rollout], now: Watermarks, cut: dict[str, int]
    ) -> list[RolloutEvent]:
        return [
            said
            for rollout in rollouts
            for judge in (course.advance, aftercare.advance)
            for said in judge(self._state, self._control, self._subjects, rollout, now, cut)
        ]

    def _rollbacks(self, said: list[RolloutEvent], view: View) -> list[RolloutEvent]:
        """All that is said, and what commands, advice and time make of rollbacks."""
        heeded = [event for one in self._heeded for event in rollback.command(view, one)]
        return heeded + rollback.follow(view, said) + rollback.clock(view, self._changed)

    def _publish(
        self, lapsing: Sequence[WindowKey], cut: dict[str, int], *, judged: bool
    ) -> list[WindowResult]:
        """Some new windows in the order they fell due, then revisions of those that changed, and
        all that are about to be forgotten."""
        if not self._with_results:
            self._unpublished = Unpublished()
            return []
        most = WORK_AT_ONCE
        if judged and self._unpublished.is_more(most, self._work):
            most = min(most, WORK_BESIDE_TESTS)
        chosen = self._unpublished.take(most, self._work)
        chosen += self._unpublished.among(lapsing)
        for window in chosen:
            self._unpublished.discard(window)
        asked = [(window, self._subject(window)) for window in chosen]
        return revisions(self._state, asked, cut)

    def _work(self, window: WindowKey) -> int:
        return self._subject(window).work

    def _gone(self, window: WindowKey, subject: Subject, now: Watermarks) -> bool:
        """Whether a window not held was forgotten, so that what is left of it would mislead."""
        time_ms = now.labels_ms
        return time_ms is not None and merge.expired(window, subject, time_ms)

    def _forget(self, lapsing: Sequence[WindowKey]) -> None:
        """Forget windows, and keep of them what tests and the completeness of labels need."""
        lapse(self._records, lapsing)
        for window in lapsing:
            subject = self._subject(window)
            completeness.count_lapsed(self._state, window, subject)
            merge.forget(self._state, window, subject)
            self._records.held.discard(window)
            peers = self._peers[cohort(window)]
            peers.discard(window)
            if not peers:
                del self._peers[cohort(window)]
        versions = {window.stream[:3] for window in lapsing}
        last = {one for one in versions if not self._records.held.serves(one)}
        self._leaving |= retired.kept_until(self._records, last)

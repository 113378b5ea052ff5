"""Which tests have a turn in a window that is due, and what each may spend on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.alerts import Alert
from schemas.predictions import Arm
from schemas.summaries import Part
from streams.control import Control
from streams.decide import budget, groups, merge
from streams.decide.alerts import life as alerts
from streams.decide.alerts.events import key_of
from streams.decide.alerts.held import Records, note
from streams.decide.detect import Evidence
from streams.decide.detect.care import is_care
from streams.decide.due import Cohort, Due, cohort, version_of
from streams.decide.keys import MonitorKey, Version, WindowKey
from streams.decide.measure.awaited import awaited
from streams.decide.measure.labels import UNCOVERED
from streams.decide.measure.shed import lacks, shed
from streams.decide.rollout import care
from streams.decide.sheets import Sheets
from streams.decide.subject import Subject


class _Beside(NamedTuple):
    """What served in windows that share a budget: versions under their rules, and segments,
    that of all among them."""

    versions: frozenset[tuple[str, str, str]]
    segments: frozenset[str]


class Turns:
    """The turns of tests in the windows of one look.

    Canaries and shadows have none: they are judged in rollouts.

    Parameters
    ----------
    records
        Where windows, and what is asked of them, are found.
    sheets
        What is asked of each.
    control
        Where deployments are found, which begin hyper-care.
    peers
        Windows that share a budget.
    """

    def __init__(
        self,
        records: Records,
        sheets: Sheets,
        control: Control,
        peers: Mapping[Cohort, set[WindowKey]],
    ) -> None:
        self._records = records
        self._sheets = sheets
        self._state = records.state
        self._control = control
        self._peers = peers
        self._serving: dict[Cohort, _Beside] = {}

    def of(self, due: Due, part: Part, cut: dict[str, int]) -> alerts.Turn | None:
        """Tests of a window that is due, with what each may spend; None where it has none."""
        due_ms, start_ms, window = due
        subject = self._records.subject_of(window)
        inputs = merge.total(self._state, window, subject, (Part.INPUT,))
        served = subject.inputs.count(inputs, "n")
        strays = subject.inputs.count(inputs, "n_stray")
        if window.arm != Arm.BASELINE or served + strays <= 0:
            return None
        vector, covered = inputs, True
        if part is Part.LABEL:
            vector = merge.total(self._state, window, subject, (part,))
            labelled = subject.labels.count(vector, "n")
            expected = awaited(subject.inputs, inputs)
            covered = labelled >= subject.policy.labels.coverage * expected
        sheet = self._sheets.of(subject, part)
        stream = self._budget(window, subject)
        if part is Part.LABEL and covered:
            note(self._state, window, stream)
        caring = self._cares(window, subject)
        against = groups.against(self._state, window, subject, part)
        lost = shed(subject, inputs) if part is Part.INPUT else {}
        seen = Evidence(subject, vector, start_ms, against, inputs)
        now = alerts.Occasion(window, seen, due_ms, cut)
        if covered and not lost and not caring:
            shares = sheet.shares(stream)
            return alerts.Turn(
                now,
                part,
                sheet.usual,
                sheet.keys(window.stream),
                shares.each,
                sheet.rosters,
                shares.banked,
                sheet.loose,
            )
        tests = [
            one
            for one in sheet.tests
            if (covered or one.test.metric in UNCOVERED)
            and not lacks(lost, subject, one.test.metric, one.test.feature)
            and (caring or not is_care(one.test.detector))
        ]
        asked = (*tests, *sheet.rules)
        keys = [key_of(one.test, window) for one in asked]
        offered = [budget.offered(stream, x.fraction) for x in asked]
        return alerts.Turn(now, part, asked, keys, offered, (), (), range(len(asked)))

    def ended(self, together: Sequence[Due], part: Part, cut: dict[str, int]) -> list[Alert]:
        """Ends of alerts that nobody asks about any more, of windows of one round; most versions
        have none."""
        said: list[Alert] = []
        left: dict[Version, list[MonitorKey]] = {}
        for due_ms, start_ms, window in together:
            version = window[:3]
            if version not in left:
                left[version] = self._left(window, part)
            keys = left[version]
            if not keys or not self._served(window):
                continue
            subject = self._records.subject_of(window)
            seen = Evidence(subject, subject.layout(part).zeros(), start_ms)
            now = alerts.Occasion(window, seen, due_ms, cut)
            said += care.retire(self._state, now, keys, self._care_of(window, subject))
            said += alerts.retire(self._state, now, keys, self._sheets.names(subject))
        return said

    def _left(self, window: WindowKey, part: Part) -> list[MonitorKey]:
        """Tests of a window's version with an open alert that may not be asked any more: those of
        hyper-care, and those last asked under other rules."""
        rules, tests = (window.policy, window.reference), self._state.tests
        known = ((key, tests.get(key)) for key in tests.open_in(window[:3]))
        return [
            key
            for key, test in known
            if test is not None
            and test.part is part
            and (is_care(key.detector) or (test.policy, test.reference) != rules)
        ]

    def _cares(self, window: WindowKey, subject: Subject) -> bool:
        """Whether a window is in hyper-care; its tests start anew with it."""
        if subject.policy.plan.hyper_care is None or not subject.whole:
            return False
        period = care.current(self._care_of(window, subject), window)
        if period is None:
            return False
        asked = self._records.asked_of(subject)
        tests = (one.test for one in asked if is_care(one.test.detector))
        care.begin(self._state, window, period, [key_of(test, window) for test in tests])
        return True

    def _care_of(self, window: WindowKey, subject: Subject) -> list[care.Period]:
        return care.periods_of(self._control.deployments(window.model), subject.policy)

    def _budget(self, window: WindowKey, subject: Subject) -> float:
        """What a stream's tests may spend on a window: versions and segments that served beside
        it divide the budget."""
        own = cohort(window)
        if own not in self._serving:
            served = [peer for peer in self._peers[own] if self._served(peer)]
            self._serving[own] = _Beside(
                frozenset(version_of(peer) for peer in served),
                frozenset({"", *(peer.segment for peer in served)}),
            )
        beside = self._serving[own]
        versions = len(beside.versions) + (version_of(window) not in beside.versions)
        segments = len(beside.segments) - 1 + (window.segment not in beside.segments)
        return self._sheets.budget(subject, window.segment, versions, segments)

    def _served(self, window: WindowKey) -> bool:
        """Whether a baseline had predictions on time in a window."""
        if window.arm != Arm.BASELINE:
            return False
        subject = self._records.subject_of(window)
        inputs = merge.total(self._state, window, subject, (Part.INPUT,))
        return subject.inputs.count(inputs, "n") > 0

"""Rows through the real pipeline: cells, panes, summaries, DECIDE.

Left out are bytes, transport and the join store: rows are decoded events already, and each label
is known by its row. What a row adds to a pane does not depend on the pane, so it is worked out
once for each reference (`Sheet`), and a run only says in which pane, arm and version a row counts.
A test holds the result equal, bit for bit, to that of the whole pipeline fed with JSON.

One row is 1.8 seconds, so that a monitor-day of 48,000 rows is a day and the default budget, one
false page in 30 days, means 30 monitor-days.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from benchmarks.quality.scoring import Alarm
from benchmarks.quality.streams import Column, Rows
from detectors.answers import with_answers
from detectors.arrays import BoolArray, FloatArray
from detectors.outcomes.contract import number
from detectors.reference import with_outcomes
from detectors.summary import Cells, Ints
from schemas import topics
from schemas.alerts import AlertAction, Severity
from schemas.deployments import DeploymentEvent
from schemas.hot import HotOutput, HotPrediction, hot_type
from schemas.policy import Activation, FeatureType, Labels, Policy, PolicyRecord, Task
from schemas.predictions import Arm, Output, PredictionEvent
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from schemas.summaries import Mark, PaneDelta, Part, SummaryBatch
from schemas.windows import WindowResult
from streams.control import Control
from streams.decide.outputs import Outputs
from streams.decide.pipeline import Decide
from streams.ingest.admit.routes import Routes
from streams.ingest.columns.codes import coded
from streams.ingest.decode.json_rows import JsonRows
from streams.ingest.join import label_changes
from streams.ingest.panes.observe import cells_of
from streams.ingest.panes.panes import PLACES, Panes, Slots
from streams.ingest.plan import Plan

MODEL = "quality"
ROW_MS = 1_800
DAY_MS = 86_400_000
SIGNALS = {"<score>": "score", "error_rate": "error"}
"""Names of the cases for names of the product."""


@dataclass(frozen=True)
class Sheet:
    """What each of n rows adds to an input pane, and to a label pane where it has a truth."""

    plan: Plan
    events: Sequence[HotPrediction]
    inputs: Cells
    labels: Cells | None
    delay_ms: int

    def __len__(self) -> int:
        return len(self.events)


@dataclass(frozen=True)
class Placed:
    """In which pane the rows of a sheet count.

    Parameters
    ----------
    at
        Row number on the clock, which gives the event time, shape (n,).
    used
        Whether a row counts at all, shape (n,).
    """

    sheet: Sheet
    at: Ints
    used: BoolArray


@dataclass
class Told:
    """All that DECIDE said."""

    outputs: list[Outputs] = field(default_factory=list)

    def windows(self) -> Iterator[WindowResult]:
        """The last result of each window, in order."""
        latest = {window.id: window for said in self.outputs for window in said.windows}
        yield from sorted(latest.values(), key=lambda window: window.start_ms)

    def alarms(self, *, first: int = 0) -> list[Alarm]:
        """Every page and ticket that was opened, at the first row at which it was known.

        What is only shown (severity watch) disturbs nobody: it is neither false nor a detection.
        """
        return [
            Alarm(
                first + math.ceil(alert.opened_at_ms / ROW_MS),
                SIGNALS.get(alert.feature or alert.metric, alert.feature or alert.metric),
            )
            for said in self.outputs
            for alert in said.alerts
            if alert.action is AlertAction.OPENED and alert.severity is not Severity.WATCH
        ]


def policy(task: Task, *, window_rows: int, label_rows: int = 0, **more: object) -> Policy:
    """The default policy; only what says how the data come is set.

    Parameters
    ----------
    window_rows
        Rows of a window.
    label_rows
        Rows after which every label is there.
    more
        Other settings of the case, such as budgets.

    Examples
    --------
    >>> policy(Task.BINARY, window_rows=2_000).window_ms == 3_600_000
    True
    """
    return Policy.model_validate(
        {
            "model": MODEL,
            "task": task,
            "pane": f"{window_rows * ROW_MS}ms",
            "labels": Labels(maturity=f"{label_rows * ROW_MS}ms", lateness="0s"),
            **more,
        }
    )


def profile(rules: Policy, rows: Rows) -> ReferenceProfile:
    """The reference of rows in order, with their outcomes where the truth is known.

    Budgets that the policy leaves out follow from these outcomes: the upper bound of their level,
    and what the policy tolerates beyond.
    """
    given = rows.score if rows.classes is None else rows.classes.max(axis=1)
    types = {
        name: FeatureType.CATEGORICAL if isinstance(column[0], str | bool) else FeatureType.NUMERIC
        for name, column in rows.features.items()
    }
    scores = None if given is None else given.tolist()
    known = build(MODEL, dict(rows.features), score=scores, types=types, in_order=True)
    answers = _outputs(rows)
    known = with_answers(known, answers)
    if rows.truth is None:
        return known
    times_ms = np.arange(len(rows), dtype=np.int64) * ROW_MS
    return with_outcomes(known, rules, answers, _truths(rows), times_ms)


def control_of(
    rules: Policy, reference: ReferenceProfile, deployments: Sequence[DeploymentEvent] = ()
) -> Control:
    """Control records of one policy and reference, in force from the start."""
    start = Activation(model=MODEL, policy=rules.hash, reference=reference.hash, effective_at_ms=0)
    control = Control()
    for topic, record in (
        (topics.POLICIES, PolicyRecord(hash=rules.hash, policy=rules)),
        (topics.REFERENCES, reference),
        (topics.POLICIES, start),
        *((topics.DEPLOYMENTS, event) for event in deployments),
    ):
        control.apply(topic, record.model_dump_json().encode())
    return control


def control_for(plan: Plan) -> Control:
    """Control records of a plan."""
    if plan.reference is None:
        raise ValueError("a case compares with a reference; give its plan one")
    return control_of(plan.policy, plan.reference)


def plan_of(rules: Policy, reference: ReferenceProfile) -> Plan:
    """The plan of a policy and a reference."""
    return Plan(rules, rules.hash, reference, reference.hash)


def sheet_of(
    plan: Plan,
    rows: Rows,
    *,
    delay_rows: int = 0,
    group: str = "",
    version: str = "v1",
    arm: Arm = Arm.BASELINE,
) -> Sheet:
    """What each row adds.

    Parameters
    ----------
    delay_rows
        Rows after which the label of a row is known.
    group
        A column by whose value rows are grouped.
    version, arm
        Who served the rows.
    """
    events = events_of(rows, group=group, version=version, arm=arm)
    tails = plan.outcome.pack([event.output for event in events])
    labels = None
    if rows.truth is not None:
        delays = np.full(len(rows), delay_rows * ROW_MS, np.int64)
        labels = label_changes.cells_of(plan, tails, _truths(rows), delays)
    return Sheet(
        plan, events, cells_of(plan, JsonRows.of_events(events), tails), labels, delay_rows * ROW_MS
    )


def events_of(rows: Rows, *, group: str, version: str, arm: Arm) -> list[HotPrediction]:
    """Rows as decoded predictions."""
    prediction = cast("Callable[..., HotPrediction]", hot_type(PredictionEvent))
    names = list(rows.features)
    members: Column = rows.features[group] if group else [""] * len(rows)
    return [
        prediction(
            prediction_id=str(i),
            model=MODEL,
            version=version,
            arm=arm,
            time=0,
            output=output,
            features=dict(zip(names, values, strict=True)),
            groups={group: str(member)} if group else {},
        )
        for i, (output, values, member) in enumerate(
            zip(_outputs(rows), _values(rows), members, strict=True)
        )
    ]


def _truths(rows: Rows) -> FloatArray:
    """Truths as the task reads them from feedback."""
    if rows.truth is None:
        raise ValueError("these rows have no truth; give them one, or leave out what needs it")
    if rows.classes is None:
        return rows.truth.astype(np.float64)
    return np.array([number(str(name)) for name in rows.truth.tolist()], np.float64)


def _values(rows: Rows) -> Iterable[tuple[bool | float | str | None, ...]]:
    return zip(*rows.features.values(), strict=True) if rows.features else [()] * len(rows)


def _outputs(rows: Rows) -> list[HotOutput]:
    output = cast("Callable[..., HotOutput]", hot_type(Output))
    if rows.classes is not None:
        names = [str(c) for c in range(rows.classes.shape[1])]
        return [output(scores=dict(zip(names, row, strict=True))) for row in rows.classes.tolist()]
    if rows.score is not None and rows.decided is not None:
        pairs = zip(rows.score.tolist(), rows.decided.tolist(), strict=True)
        return [output(score=score, label=decided) for score, decided in pairs]
    if rows.score is not None:
        return [output(score=score) for score in rows.score.tolist()]
    return [output() for _ in range(len(rows))]


def in_order(sheet: Sheet, *, rows: int | None = None, skip: int = 0) -> Placed:
    """Rows one after another from the clock's start, without the first ``skip``.

    Rows behind the last whole window are left out.
    """
    at = np.arange(len(sheet)) - skip
    window = sheet.plan.window_ms // ROW_MS
    end = min(rows or len(sheet), len(sheet) - skip) // window * window
    return Placed(sheet, np.maximum(at, 0), (at >= 0) & (at < end))


def watch(control: Control, placed: Sequence[Placed]) -> Told:
    """Run DECIDE over all panes, window by window, as they would come."""
    plan = placed[0].sheet.plan
    step_ms = plan.window_ms
    ready = _by_time(panes_of(placed), placed[0].sheet.delay_ms, plan)
    last = max(ready) + plan.maturity_ms // step_ms + 1
    decide, told = Decide(control, 0), Told()
    for step in range(1, last + 1):
        now_ms = step * step_ms if step < last else last * step_ms + DAY_MS
        mark = Mark(shard=0, shards=1, predictions_ms=now_ms, labels_ms=now_ms)
        decide.apply(SummaryBatch(0, 0, step, ready.get(step, []), mark, {}))
        told.outputs.append(decide.advance())
    return told


def panes_of(placed: Sequence[Placed]) -> list[PaneDelta]:
    """All panes that rows add up to, by the code of INGEST."""
    routes = Routes()
    panes = Panes(routes)
    for part in placed:
        sheet, plan = part.sheet, part.sheet.plan
        times_ms = part.at * ROW_MS
        keys = plan.policy.slices
        kinds, places = coded(
            [(one.version, one.arm, *map(one.groups.get, keys)) for one in sheet.events]
        )
        zeros = np.zeros(len(times_ms), np.int64)
        numbers = routes.find_each([plan], zeros, kinds, places, times_ms).routes
        starts = times_ms - times_ms % plan.pane_ms
        signs = part.used.astype(np.int64)
        for cells, name in ((sheet.inputs, Part.INPUT), (sheet.labels, Part.LABEL)):
            if cells is not None:
                slots = Slots.in_columns(numbers, np.full(len(sheet), PLACES[name]), starts)
                panes.add(plan, cells, slots, signs, labels=name is Part.LABEL)
    return panes.take()


def _by_time(
    deltas: Sequence[PaneDelta], delay_ms: int, plan: Plan
) -> Mapping[int, list[PaneDelta]]:
    """Panes by the number of windows after which their last row has come."""
    ready: defaultdict[int, list[PaneDelta]] = defaultdict(list)
    for delta in deltas:
        wait_ms = delay_ms if delta.part is Part.LABEL else 0
        ready[math.ceil((delta.start_ms + plan.pane_ms + wait_ms) / plan.window_ms)].append(delta)
    return ready

"""Windows in which rows were counted in part: said, and nothing is decided by what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.inputs import shed_field
from schemas.alerts import AlertAction, Severity
from schemas.deployments import DeploymentAction
from schemas.overload import Shed
from schemas.rollouts import RolloutAction
from schemas.summaries import Part
from schemas.windows import Verdict

EAGER = {"overload": {"lag": "10m"}}
FEATURE_METRICS = {"missing_rate", "out_of_range_rate", "tv", "psi", "js"}


@pytest.fixture
def told(world, input_sums, label_sums):
    """Runs windows of 100 rows with one feature; all else follows from the minute."""

    def labels_of(place):
        """All right: scores of 0.9, and all labels positive."""
        return label_sums(place.whole, np.full(100, 0.9), np.ones(100))

    def run(*, windows, missing=lambda minute: 0, shed=lambda minute: {}, failed=lambda minute: 0):
        place = world(
            profile=True,
            features={"x": {"missing": 0.05}},
            budgets={"error_rate": 0.1, "service_errors": 0.1},
            **EAGER,
        )
        story = place.story()
        for minute in range(windows):
            n = missing(minute)
            column = [None] * n + [(i + 0.5) / (100 - n) for i in range(100 - n)]
            counts = {"n_error": [failed(minute)]}
            counts |= {shed_field(kind): [count] for kind, count in shed(minute).items()}
            inputs = input_sums(place.whole, 100, {"x": column}, counts)
            panes = [
                place.delta(minute, Part.INPUT, inputs),
                place.delta(minute, Part.LABEL, labels_of(place)),
            ]
            story.decide.apply(place.batch(panes, **story.marks))
            story.clock(minute + 2)
        return story

    return run


def steps(story, metric):
    """What was said on a metric: action and minute."""
    return [
        (alert.action, alert.window_start_ms // 60_000)
        for alert in story.turns
        if alert.metric == metric
    ]


def shown(story, minute, metric, feature=""):
    """A metric of the latest result of a window."""
    window = next(w for w in reversed(story.said.windows) if w.start_ms == minute * 60_000)
    return next(m for m in window.metrics if (m.name, m.feature) == (metric, feature))


def test_shedding_is_a_ticket_until_a_window_is_whole(told):
    """It costs nothing of the budget, and says how many rows."""
    story = told(windows=12, shed=lambda minute: {Shed.EXTRAS: 7} if 3 <= minute < 6 else {})
    assert steps(story, "shedding") == [(AlertAction.OPENED, 3), (AlertAction.RESOLVED, 6)]
    opened = next(one for one in story.turns if one.metric == "shedding")
    assert (opened.severity, opened.value, opened.share) == (Severity.TICKET, 7.0, 0.0)
    shed = {w.start_ms // 60_000: w.shed for w in story.said.windows}
    assert [minute for minute, lost in shed.items() if lost] == [3, 4, 5]
    assert shed[3] == {"extras": 7}


def test_what_rests_on_features_that_were_shed_has_no_turn(told):
    """Half of the values are missing from minute 5 on; nothing is said while rows are shed."""
    trouble = {"missing": lambda minute: 50 if minute >= 5 else 0}
    plain = told(windows=20, **trouble)
    shed = told(
        windows=20,
        shed=lambda minute: {Shed.FEATURES: 75} if minute < 12 else {},
        **trouble,
    )
    first = steps(plain, "missing_rate")[0]
    assert first[0] is AlertAction.OPENED
    assert first[1] < 12
    assert [minute >= 12 for _, minute in steps(shed, "missing_rate")] == [True]
    metric = shown(shed, 8, "missing_rate", "x")
    assert (metric.verdict, metric.note) == (Verdict.CANNOT_TELL, "rows were shed")
    assert shown(plain, 8, "missing_rate", "x").verdict is Verdict.DEGRADED
    assert shown(shed, 8, "out_of_domain").value is None
    window = next(w for w in shed.said.windows if w.start_ms == 8 * 60_000)
    assert {m.verdict for m in window.metrics if m.name in FEATURE_METRICS} <= {
        None,
        Verdict.CANNOT_TELL,
    }
    assert window.drifted == []
    assert window.verdict is Verdict.CANNOT_TELL


def test_an_open_alert_does_not_resolve_on_rows_that_were_shed(told):
    """The trouble is over at minute 10, but until minute 30 nobody can see it."""
    trouble = {"missing": lambda minute: 50 if minute < 10 else 0}
    plain = told(windows=50, **trouble)
    shed = told(
        windows=50,
        shed=lambda minute: {Shed.FEATURES: 75} if 10 <= minute < 30 else {},
        **trouble,
    )
    (_, opened), (_, over) = steps(plain, "missing_rate")
    assert opened < 10 <= over < 30
    assert steps(shed, "missing_rate")[0] == (AlertAction.OPENED, opened)
    (resolved,) = steps(shed, "missing_rate")[1:]
    assert resolved[0] is AlertAction.RESOLVED
    assert resolved[1] >= 30


@pytest.mark.parametrize("kind", [Shed.EXTRAS, Shed.SEGMENTS, Shed.FEATURES])
def test_service_errors_are_judged_all_the_same(told, kind):
    """They are counted of every row at any level."""
    trouble = {"failed": lambda minute: 60 if minute >= 5 else 0}
    plain = told(windows=12, **trouble)
    shed = told(windows=12, shed=lambda minute: {kind: 90}, **trouble)
    assert steps(plain, "service_errors") == steps(shed, "service_errors") != []
    assert shown(shed, 8, "service_errors") == shown(plain, 8, "service_errors")
    assert shown(shed, 8, "error_rate") == shown(plain, 8, "error_rate")


def test_a_segment_keeps_what_its_counts_tell(world):
    """Latency limits of a segment are judged; its latency quantiles are not shown."""
    place = world(budgets={"latency": {"limit_ms": 100, "rate": 0.1}}, segments=["k"], **EAGER)
    story = place.story()
    for minute in range(12):
        rows = {"n": 100, "slow": 60 if minute >= 5 else 0}
        panes = place.deltas(minute, **rows) + place.deltas(minute, **rows, segment="k=v")
        lost = place.segment.inputs.zeros()
        lost[place.segment.inputs.start(shed_field(Shed.SEGMENTS))] = 100
        panes.append(place.delta(minute, Part.INPUT, lost, segment="k=v"))
        story.decide.apply(place.batch(panes, **story.marks))
        story.clock(minute + 2)
    opened = {one.segment for one in story.turns if one.metric == "latency_over"}
    assert opened == {"", "k=v"}
    (window,) = (
        w for w in story.said.windows if w.segment and w.start_ms == 8 * 60_000 and w.revision == 1
    )
    assert window.shed == {"segments": 100}
    known = {m.name: m for m in window.metrics}
    assert known["latency_over"].verdict is Verdict.DEGRADED


@pytest.mark.parametrize(("lost", "ends"), [({}, True), ({Shed.FEATURES: 75}, False)])
def test_a_rollout_holds_while_nobody_can_tell_what_broke(world, lost, ends):
    """A canary that fails is rolled back; not where its inputs were counted in part."""
    place = world(
        profile=True,
        canary={"guardrails": [{"metric": "service_errors", "margin": 0.01}]},
        **EAGER,
    )
    place.deploy(0, "v1", DeploymentAction.DEPLOYED, role="baseline")
    place.deploy(0, "v2", DeploymentAction.CANARY_STARTED, role="canary")
    story = place.story()
    for minute in range(20):
        panes = place.deltas(minute, n=200)
        panes += place.deltas(minute, n=200, failed=100, version="v2", arm="canary")
        vector = place.whole.inputs.zeros()
        for kind, count in lost.items():
            vector[place.whole.inputs.start(shed_field(kind))] = count
        if lost:
            panes.append(place.delta(minute, Part.INPUT, vector, version="v2", arm="canary"))
        story.decide.apply(place.batch(panes, **story.marks))
        story.clock(minute + 2)
    actions = {event.action for event in story.said.rollouts}
    assert (RolloutAction.ROLLBACK_ADVISED in actions) is ends
    if not ends:
        assert actions == {RolloutAction.HOLD}
        assert {event.reason for event in story.said.rollouts} == {
            "rows were shed: what was wrong with inputs cannot be told"
        }

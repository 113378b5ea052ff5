"""Groups beside the largest group: what opens a ticket, what does not, and what is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from detectors.summary import Ints
from schemas.alerts import AlertAction, Severity
from schemas.summaries import Part
from schemas.windows import Verdict

RULES = {"groups": ["sex"], "selection_ratio": 0.8}


@dataclass(frozen=True)
class Group:
    """Counts of a group in a minute; labels of all rows where they are told."""

    n: int
    selected: int
    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0
    late: bool = False


def panes(there, minute, groups, *, version="v1"):
    """Panes of groups by name."""
    layout, labels = there.segment.inputs, there.segment.labels
    found = []
    for name, group in groups.items():
        truths = group.tp + group.fp + group.fn + group.tn
        inputs: Ints = layout.zeros()
        told: Ints = labels.zeros()
        for where, vector, counts in (
            (layout, inputs, {"n": group.n, "n_positive": group.selected}),
            (
                labels,
                told,
                {
                    "n": truths,
                    "err": group.fp + group.fn,
                    "tp": group.tp,
                    "fp": group.fp,
                    "fn": group.fn,
                    "tn": group.tn,
                },
            ),
        ):
            for field, count in counts.items():
                vector[where.slices[field]] += count
        parts = (
            (Part.LATE_INPUT if group.late else Part.INPUT, inputs),
            (Part.LATE_LABEL if group.late else Part.LABEL, told),
        )
        found += [
            there.delta(minute, part, vector, version=version, segment=f"sex={name}")
            for part, vector in parts
            if vector.any()
        ]
    return found


def push(story, minute, **groups):
    """Send the panes of one minute."""
    deltas = panes(story.world, minute, groups)
    story.decide.apply(story.world.batch(deltas, **story.marks))


def drawn(rng, n, *, base, tpr, fpr):
    """A group whose decisions are drawn at stated rates."""
    positive = int(rng.binomial(n, base))
    tp, fp = int(rng.binomial(positive, tpr)), int(rng.binomial(n - positive, fpr))
    return Group(n, tp + fp, tp=tp, fp=fp, fn=positive - tp, tn=n - positive - fp)


def shown(windows, minute, name):
    """The last result of a group's minute, and its metrics by name."""
    found = [w for w in windows if (w.start_ms, w.segment) == (minute * 60_000, f"sex={name}")]
    return found[-1], {metric.name: metric for metric in found[-1].metrics}


def test_a_broken_80_per_cent_rule_opens_a_ticket_that_names_both_groups(world):
    """Half the selection rate of the largest group; equal treatment resolves it."""
    story = world(fairness=RULES, budgets={}).story()
    for minute in range(40):
        selected = 15 if 3 <= minute < 12 else 30
        push(story, minute, m=Group(400, 120), f=Group(100, selected))
    story.clock(60)
    opened, resolved = story.turns
    assert (opened.metric, opened.feature, opened.segment) == ("selection_ratio", "sex", "sex=f")
    assert (opened.detector, opened.severity) == ("group-e-sr-low", Severity.TICKET)
    assert 3 <= opened.window_start_ms / 60_000 < 12 <= resolved.window_start_ms / 60_000
    assert (opened.action, resolved.action) == (AlertAction.OPENED, AlertAction.RESOLVED)
    assert opened.value == pytest.approx(0.5)
    assert opened.low < 0.5 < opened.high
    assert (opened.budget, opened.worse) == (0.8, "below")
    assert opened.summary.startswith(
        "The ratio of selection rates of m v1, sex=f against sex=m is below its floor: 50 % (95 %:"
    )
    assert "over 100 predictions" in opened.summary
    assert resolved.summary.startswith(
        "The ratio of selection rates of m v1, sex=f against sex=m is above its floor again: 100 %"
    )


def test_a_healthy_fleet_stays_silent(world):
    """Three groups of unlike size with one way of deciding, every test on, 60 windows."""
    rules = {"groups": ["sex"], "selection_ratio": 0.8, "tpr_gap": 0.05, "fpr_gap": 0.05}
    story = world(fairness=rules, budgets={}).story()
    rng = np.random.default_rng(5)
    sizes = {"m": 500, "f": 400, "x": 25}
    for minute in range(60):
        push(
            story,
            minute,
            **{k: drawn(rng, n, base=0.3, tpr=0.8, fpr=0.1) for k, n in sizes.items()},
        )
    story.clock(90)
    assert story.turns == []
    assert {window.against for window in story.said.windows} == {"", "sex=m"}


def test_other_base_rates_alone_raise_nothing_that_was_not_asked_for(world):
    """Equal true and false positive rates: only the rule on selection may speak, if it is on."""
    rng = np.random.default_rng(6)
    minutes = [
        {
            "m": drawn(rng, 500, base=0.5, tpr=0.8, fpr=0.1),
            "f": drawn(rng, 300, base=0.2, tpr=0.8, fpr=0.1),
        }
        for _ in range(60)
    ]
    said = {}
    for ratio in (None, 0.8):
        rules = {"groups": ["sex"], "selection_ratio": ratio, "tpr_gap": 0.05, "fpr_gap": 0.05}
        story = world(fairness=rules, budgets={}).story()
        for minute, groups in enumerate(minutes):
            push(story, minute, **groups)
        story.clock(90)
        said[ratio] = {(alert.metric, alert.segment) for alert in story.turns}
    assert said == {None: set(), 0.8: {("selection_ratio", "sex=f")}}


@pytest.mark.parametrize(
    ("metric", "tpr", "fpr", "detector", "limit"),
    [
        ("tpr_gap", 0.6, 0.1, "group-e-sr-low", -0.05),
        ("tpr_gap", 0.95, 0.1, "group-e-sr", 0.05),
        ("fpr_gap", 0.8, 0.25, "group-e-sr", 0.05),
        ("fpr_gap", 0.8, 0.01, "group-e-sr-low", -0.05),
    ],
)
def test_a_gap_alarms_in_its_direction_and_only_there(world, metric, tpr, fpr, detector, limit):
    """Equalised odds are four tests; one gap opens one ticket."""
    rules = {"groups": ["sex"], "selection_ratio": None, "tpr_gap": 0.05, "fpr_gap": 0.05}
    story = world(fairness=rules, budgets={}).story()
    rng = np.random.default_rng(7)
    for minute in range(40):
        push(
            story,
            minute,
            m=drawn(rng, 600, base=0.4, tpr=0.8, fpr=0.12),
            f=drawn(rng, 400, base=0.4, tpr=tpr, fpr=fpr),
        )
    story.clock(70)
    [alert] = story.turns
    assert (alert.metric, alert.detector, alert.budget) == (metric, detector, limit)
    assert alert.segment == "sex=f"
    assert (alert.value > 0) == (limit > 0)
    assert alert.n < 400
    assert "labelled predictions" in alert.summary


def test_the_largest_group_of_earlier_windows_is_the_one_compared_with(world):
    """None in the first window; of equal ones the first by name; the size of a window itself does
    not matter, nor do values without a stream of their own."""
    story = world(fairness=RULES, budgets={}).story()
    push(story, 0, f=Group(100, 30), m=Group(100, 30), **{"<other>": Group(900, 30)})
    push(story, 1, f=Group(100, 30), m=Group(300, 90))
    push(story, 2, f=Group(500, 150), m=Group(100, 30))
    push(story, 3, f=Group(100, 30), m=Group(100, 30), **{"<other>": Group(900, 300)})
    windows = story.clock(60).windows
    found = {
        (minute, name): shown(windows, minute, name)[0].against
        for minute in range(4)
        for name in ("f", "m")
    }
    assert found == {
        (0, "f"): "",
        (0, "m"): "",
        (1, "f"): "",
        (1, "m"): "sex=f",
        (2, "f"): "sex=m",
        (2, "m"): "",
        (3, "f"): "",
        (3, "m"): "sex=f",
    }
    assert shown(windows, 3, "<other>")[0].against == "sex=f"


def test_a_window_shows_every_criterion_with_interval_and_verdict(world):
    """Known answers: Katz for the ratio, Newcombe for the differences."""
    rules = {"groups": ["sex"], "selection_ratio": 0.8, "tpr_gap": 0.05}
    story = world(fairness=rules, budgets={}).story()
    big = Group(1_000, 300, tp=200, fp=100, fn=50, tn=650)
    small = Group(200, 36, tp=30, fp=6, fn=20, tn=144)
    for minute in range(2):
        push(story, minute, m=big, f=small)
    window, metrics = shown(story.clock(60).windows, 1, "f")
    ratio = metrics["selection_ratio"]
    assert (ratio.feature, ratio.n, ratio.floor, ratio.budget) == ("sex", 200, 0.8, None)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((0.6, 0.4398, 0.8185), abs=1e-4)
    assert (ratio.verdict, ratio.needed > 0) == (Verdict.CANNOT_TELL, True)
    gap = metrics["tpr_gap"]
    assert (gap.n, gap.budget, gap.floor) == (50, 0.05, -0.05)
    assert (gap.value, gap.verdict) == (pytest.approx(-0.2), Verdict.DEGRADED)
    assert gap.low < -0.2 < gap.high < -0.05
    assert metrics["fpr_gap"].value == pytest.approx(6 / 150 - 100 / 750)
    assert metrics["ppv_gap"].value == pytest.approx(30 / 36 - 200 / 300)
    assert metrics["fpr_gap"].verdict is metrics["ppv_gap"].verdict is None
    assert window.verdict is Verdict.DEGRADED
    assert "selection_ratio" not in shown(story.said.windows, 1, "m")[1]


def test_calibration_is_compared_as_well(world, label_sums):
    """Scores of .9 that hold for one group and not for the other."""
    there = world(fairness=RULES, budgets={})
    story = there.story()
    truth = np.repeat([1.0, 0.0], [360, 40])
    for minute in range(2):
        push(story, minute, m=Group(500, 100), f=Group(400, 100))
        told = {
            "sex=m": label_sums(there.segment, np.full(500, 0.9), np.resize(truth, 500)),
            "sex=f": label_sums(there.segment, np.full(400, 0.9), 1.0 - truth),
        }
        deltas = [there.delta(minute, Part.LABEL, v, segment=k) for k, v in told.items()]
        story.decide.apply(there.batch(deltas))
    gap = shown(story.clock(60).windows, 1, "f")[1]["calibration_gap"]
    assert gap.value == pytest.approx((0.1 - 0.9) - (np.resize(truth, 500).mean() - 0.9), abs=1e-5)
    assert gap.low < gap.value < gap.high


def test_groups_below_30_events_are_tested_and_not_shown(world):
    """The numbers of few people are hidden, the verdict says how many more it takes; the test
    needs no least number."""
    story = world(fairness=RULES, budgets={"error_rate": 0.1}).story()
    for minute in range(40):
        few = Group(20, 0, tp=0, fp=1, fn=0, tn=19)
        push(story, minute, m=Group(400, 200, tp=190, fp=10, fn=0, tn=200), f=few)
    windows = story.clock(60).windows
    window, metrics = shown(windows, 5, "f")
    ratio = metrics["selection_ratio"]
    assert (ratio.value, ratio.low, ratio.high, ratio.n) == (None, None, None, 20)
    assert (ratio.verdict, ratio.needed) == (Verdict.CANNOT_TELL, 10)
    assert (metrics["error_rate"].value, metrics["error_rate"].needed) == (None, 10)
    assert all(metric.value is None for metric in metrics.values() if metric.n < 30)
    assert window.reliability == []
    assert shown(windows, 5, "m")[1]["error_rate"].value == pytest.approx(0.025)
    [alert] = story.turns
    assert (alert.segment, alert.value, alert.n) == ("sex=f", None, 20)


def test_too_few_labels_of_either_group_are_no_evidence(world):
    """Coverage below the floor in the largest group: nothing is bet and nothing is spent."""
    rules = {"groups": ["sex"], "selection_ratio": None, "tpr_gap": 0.05}
    spent = {}
    for labelled in (1.0, 0.5):
        story = world(fairness=rules, budgets={}).story()
        for minute in range(20):
            told = int(100 * labelled)
            m = Group(400, 200, tp=2 * told, fp=0, fn=0, tn=2 * told)
            push(story, minute, m=m, f=Group(200, 100, tp=20, fp=0, fn=80, tn=100))
        story.clock(60)
        assert len(story.turns) == (labelled == 1.0)
        [account] = story.decide.ledger()
        spent[labelled] = {
            (entry.segment, entry.metric) for entry in account.entries if entry.spent > 0.0
        }
    assert spent == {1.0: {("sex=f", "tpr_gap")}, 0.5: set()}


def test_late_rows_of_the_largest_group_revise_the_results_of_the_others(world):
    """What a window is compared with is shown as it is known now, and as it was chosen then."""
    story = world(fairness=RULES, budgets={}).story()
    for minute in range(3):
        push(story, minute, m=Group(400, 120), f=Group(100, 30))
    before = shown(story.clock(30).windows, 2, "f")[0]
    push(story, 2, m=Group(600, 0, late=True))
    windows = story.clock(31).windows
    after, metrics = shown(windows, 2, "f")
    assert (after.revision, after.against) == (before.revision + 1, "sex=m")
    assert metrics["selection_ratio"].value == pytest.approx(0.3 / 0.12)
    assert {window.segment for window in windows} == {"sex=m", "sex=f"}


@pytest.mark.parametrize("every", [1, 7, 60])
def test_alerts_and_windows_do_not_depend_on_how_often_one_looks(world, every):
    """Nor on restarts from a checkpoint in between."""
    rules = {"groups": ["sex"], "selection_ratio": 0.8, "tpr_gap": 0.05}
    rng = np.random.default_rng(8)
    minutes = [
        {
            "m": drawn(rng, int(rng.integers(80, 120)), base=0.5, tpr=0.8, fpr=0.1),
            "f": drawn(rng, int(rng.integers(80, 120)), base=0.3, tpr=0.5, fpr=0.1),
        }
        for _ in range(40)
    ]
    there = world(fairness=rules, budgets={})

    def told(step):
        story, rows = there.story(), {}
        for minute, groups in enumerate(minutes):
            push(story, minute, **groups)
            if minute % step == step - 1:
                story.clock(minute)
                rows |= {k: v for k, v in story.decide.changed().items() if v is not None}
                story.decide = there.decide()
                story.decide.load(rows)
        story.clock(90)
        windows = {w.id: w.content for w in story.said.windows}
        return windows, sorted((alert.metric, alert.content) for alert in story.turns)

    windows, alerts = told(every)
    assert (windows, alerts) == told(40)
    assert {metric for metric, _ in alerts} == {"selection_ratio", "tpr_gap"}

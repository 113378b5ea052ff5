"""Labels that stay away, change their mix, are reversed or were chosen: each has its alert."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.alerts import AlertAction, Severity
from schemas.reference import OutcomeReference, ReferenceProfile
from schemas.summaries import Part
from schemas.windows import Verdict
from streams.decide.levels import levels_of
from streams.decide.measure.labels import sums_beside, weighted

HISTORY = {"horizon": "1h", "maturity": "10m", "coverage": 0.8, "lateness": "1m"}


def alerts(story):
    """What was said, without what it was said of."""
    return [(said.metric, said.feature, said.action) for said in story.turns]


def opened(story):
    """Metric and feature of every alert that was opened."""
    return [pair[:2] for pair in alerts(story) if pair[2] is AlertAction.OPENED]


def labelled(story, minute, *, n=500, errors=0, **fields):
    """A pane of labels with some of its count fields set."""
    there = story.world
    story.at(minute).push(n=n, errors=errors)
    layout = there.whole.labels
    vector = layout.zeros()
    for name, value in fields.items():
        vector[layout.slices[name.replace("__", ":")]] = value
    story.decide.apply(there.batch([there.delta(minute, Part.LABEL, vector)], **story.marks))


def metric(window, name, feature=""):
    """One metric of a window."""
    [found] = [m for m in window.metrics if (m.name, m.feature) == (name, feature)]
    return found


def test_labels_that_stay_away_open_an_alert_though_nothing_else_can_be_told(world):
    """Below the coverage that other tests need, the label rate is tested all the more."""
    story = world(floors={"label_rate": 0.9}).story()
    for minute in range(20):
        story.at(minute).push(n=200, errors=100, labelled=190 if minute < 8 else 20)
    story.clock(60)
    assert set(opened(story)) == {("error_rate", ""), ("label_rate", ""), ("no_labels", "")}
    [said] = [alert for alert in story.turns if alert.metric == "label_rate"]
    assert (said.metric, said.value, said.budget, said.worse) == ("label_rate", 0.1, 0.9, "below")
    assert "share of predictions with a label" in said.summary
    last = story.said.windows[-1]
    assert metric(last, "label_rate").verdict is Verdict.DEGRADED
    assert metric(last, "error_rate").verdict is Verdict.CANNOT_TELL


def test_labels_that_come_again_resolve_it(world):
    """After proof that the floor is held."""
    story = world(floors={"label_rate": 0.8}, labels={**HISTORY, "coverage": 0.9}).story()
    for minute in range(40):
        story.at(minute).push(n=200, labelled=20 if 5 <= minute < 10 else 195)
    story.clock(90)
    assert [said for said in alerts(story) if said[0] == "label_rate"] == [
        ("label_rate", "", AlertAction.OPENED),
        ("label_rate", "", AlertAction.RESOLVED),
    ]


def test_a_healthy_label_rate_is_silent_and_too_little_cannot_tell(world):
    """Near its floor of a half, from a few predictions, more of them are asked for."""
    story = world(floors={"label_rate": 0.5}).story()
    for minute in range(30):
        story.at(minute).push(n=200, labelled=170)
    story.at(30).push(n=10, labelled=6)
    story.clock(60)
    assert story.turns == []
    assert metric(story.said.windows[0], "label_rate").verdict is Verdict.HEALTHY
    few = metric(story.said.windows[-1], "label_rate")
    assert few.verdict is Verdict.CANNOT_TELL
    assert few.needed > 10


def test_labels_are_not_missed_before_they_are_due(world):
    """A window that has closed and not matured cannot tell."""
    story = world(floors={"label_rate": 0.5}).story()
    story.at(0).push(n=200, labelled=0)
    [window] = story.clock(5).windows
    assert metric(window, "label_rate").verdict is Verdict.CANNOT_TELL


def test_the_reference_sets_a_floor_for_labels_and_a_band_for_their_mix(world):
    """As tickets, on the stream of all; a segment may differ."""
    known = {
        "label_rate": OutcomeReference(n=10_000, sum=9_000),
        "actual_positive_rate": OutcomeReference(n=10_000, sum=2_000),
    }
    there = world()
    profile = ReferenceProfile(model="m", n=10_000, outcomes=known)
    levels = {
        (level.metric, level.worse): level
        for level in levels_of(there.policy, profile, whole=True)
        if level.metric in known
    }
    limits = {place: round(level.limit, 2) for place, level in levels.items()}
    assert limits == {
        ("label_rate", "below"): 0.8,
        ("actual_positive_rate", "above"): 0.23,
        ("actual_positive_rate", "below"): 0.17,
    }
    assert {level.severity for level in levels.values()} == {Severity.TICKET}
    assert not [x for x in levels_of(there.policy, profile, whole=False) if x.metric in known]


@pytest.mark.parametrize(("share", "expected"), [(0.2, 0), (0.35, 1), (0.1, 1)])
def test_a_label_mix_that_moves_is_a_ticket_on_either_side(world, share, expected):
    """The reference has two positives in ten."""
    there = world(profile=True, budgets={"error_rate": None})
    known = {"actual_positive_rate": OutcomeReference(n=10_000, sum=2_000)}
    there = type(there)(there.policy, there.profile.model_copy(update={"outcomes": known}))
    story = there.story()
    positives = int(500 * share)
    for minute in range(20):
        labelled(story, minute, tp=positives, tn=500 - positives)
    story.clock(60)
    assert opened(story) == [("actual_positive_rate", "")] * expected
    assert {said.severity for said in story.turns} <= {Severity.TICKET}


def test_reviewers_who_disagree_open_an_alert(world):
    """A tenth of the reviewed labels may be changed; other reviews stay silent."""
    for changed, expected in ((2, []), (14, [("disagreements", "")])):
        story = world(budgets={"disagreements": 0.1}).story()
        for minute in range(20):
            labelled(story, minute, n_review=40, n_disagree=changed)
        story.clock(60)
        assert opened(story) == expected


def test_reversals_are_judged_in_all_and_by_source(world):
    """One of two sources is turned round all the time; together they stay within the budget."""
    story = world(budgets={"flips": 0.1}, labels={**HISTORY, "sources": ["crm", "bank"]}).story()
    for minute in range(20):
        labelled(
            story,
            minute,
            n_flip=25,
            crm__source_n=440,
            crm__source_flip=3,
            bank__source_n=60,
            bank__source_flip=22,
        )
    story.clock(60)
    assert opened(story) == [("flips", "bank")]
    said = story.turns[0]
    assert said.severity is Severity.TICKET
    assert "of bank" in said.summary
    assert f"over {said.n:,} labelled predictions" in said.summary
    shown = {m.feature: m.value for m in story.said.windows[-1].metrics if m.name == "flips"}
    assert shown == {"": 0.05, "crm": pytest.approx(3 / 440), "bank": pytest.approx(22 / 60)}


def chosen(there, random, *, n, rate, share):
    """Predictions with errors at a rate; wrong ones are labelled for sure, others by a share."""
    wrong = random.random(n) < rate
    chance = np.where(wrong, 1.0, share)
    taken = random.random(n) < chance
    weight = 1.0 / chance[taken]
    x = wrong[taken].astype(float)
    layout = there.whole.labels
    vector = layout.zeros()
    vector[layout.slices["n"]] = vector[layout.slices["ipw_n"]] = taken.sum()
    vector[layout.slices["err"]] = x.sum()
    for name, value in (
        ("ipw_w", weight),
        ("ipw_w2", weight**2),
        ("ipw_err_wx", weight * x),
        ("ipw_err_w2x", weight**2 * x),
        ("ipw_err_w2x2", (weight * x) ** 2),
    ):
        vector[layout.slices[name]] = round(value.sum() * (1 << 20))
    return vector


@pytest.mark.parametrize(("rate", "expected"), [(0.05, []), (0.2, [("error_rate_weighted", "")])])
def test_errors_are_judged_for_all_predictions_where_labels_were_chosen(world, rate, expected):
    """Every error is labelled and one in five of the rest: unweighted, one in five would be one."""
    labels = {**HISTORY, "coverage": 0.0, "propensity": True}
    there = world(labels=labels, calibration={"tolerance": 0.9})
    story, random = there.story(), np.random.default_rng(5)
    for minute in range(25):
        story.at(minute).push(n=400, labelled=0)
        vector = chosen(there, random, n=400, rate=rate, share=0.2)
        story.decide.apply(there.batch([there.delta(minute, Part.LABEL, vector)], **story.marks))
    story.clock(60)
    assert opened(story) == expected
    window = story.said.windows[-1]
    shown = metric(window, "error_rate_weighted")
    assert shown.low <= rate <= shown.high
    assert shown.budget == 0.1
    assert metric(window, "error_rate").value > 2 * rate
    assert metric(window, "error_rate").budget is None


def test_weighted_errors_without_a_propensity_cannot_tell(world):
    """Labels came, and none says what its chance was."""
    there = world(labels={**HISTORY, "coverage": 0.0, "propensity": True})
    story = there.story()
    story.at(0).push(n=100, errors=50)
    [window] = story.clock(60).windows
    shown = metric(window, "error_rate_weighted")
    assert (shown.n, shown.value, shown.verdict) == (0, None, Verdict.CANNOT_TELL)


def test_a_weighted_verdict_asks_for_labels_at_the_weights_there_were(world):
    """Half the effective size asks for twice the labels."""
    there = world(labels={**HISTORY, "propensity": True})
    layout, inputs = there.whole.labels, there.whole.inputs
    served = inputs.zeros()
    served[inputs.slices["n"]] = 1_000
    asked = []
    for spread in (1.0, 2.0):
        vector = layout.zeros()
        vector[layout.slices["ipw_n"]] = 200
        for name, value in (
            ("w", 400.0),
            ("w2", 800.0 * spread),
            ("err_wx", 56.0),
            ("err_w2x", 112.0 * spread),
            ("err_w2x2", 112.0 * spread),
        ):
            vector[layout.slices[f"ipw_{name}"]] = round(value * (1 << 20))
        levels = [("error_rate_weighted", 0.1, 1.0)]
        [found] = weighted(inputs, served, layout, vector, levels)
        assert found.verdict is Verdict.CANNOT_TELL
        asked.append(found.needed)
        sums = sums_beside(inputs, served, layout, vector, "error_rate_weighted")
        assert (sums.n, sums.s, sums.hi) == (1_000, 56.0, 20.0)
    assert asked[1] > 1.9 * asked[0]


def test_a_weighted_interval_allows_for_rows_that_depend_on_each_other(world):
    """Four rows that count as one make the interval twice as wide, around the same value."""
    there = world(labels={**HISTORY, "propensity": True})
    layout, inputs = there.whole.labels, there.whole.inputs
    served, vector = inputs.zeros(), layout.zeros()
    served[inputs.slices["n"]], vector[layout.slices["ipw_n"]] = 1_000, 200
    for name, value in (("w", 400), ("w2", 800), ("err_wx", 80), ("err_w2x", 160)):
        vector[layout.slices[f"ipw_{name}"]] = value << 20
    vector[layout.slices["ipw_err_w2x2"]] = 160 << 20
    levels = [("error_rate_weighted", 0.1, rows) for rows in (1.0, 4.0)]
    alone, in_fours = weighted(inputs, served, layout, vector, levels)
    assert alone.value == in_fours.value == pytest.approx(0.2)
    assert in_fours.high - in_fours.low == pytest.approx(2 * (alone.high - alone.low))
    assert (alone.verdict, in_fours.verdict) == (Verdict.DEGRADED, Verdict.CANNOT_TELL)
    assert (alone.n, in_fours.n) == (200, 200)

"""What each task sums up: known answers, and the laws that panes live by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from detectors.calibration import observed_expected, spiegelhalter
from detectors.outcomes import (
    Binary,
    Chat,
    Multiclass,
    Outcome,
    Ranking,
    Regression,
    layout,
    outcome_of,
)
from detectors.summary import CellBuilder, Ints, Layout, merge, scatter
from schemas.feedback import FeedbackEvent
from schemas.policy import Labels, Policy, Task
from schemas.predictions import Output

FIXED = 1e-6
"""Four rows are rounded to 2**-20 each."""


def told(**truth: Any) -> FeedbackEvent:
    return FeedbackEvent(prediction_id="p", model="m", time=0, **truth)


def sums(
    outcome: Outcome, answers: Sequence[Output], truths: Sequence[FeedbackEvent], sign: int = 1
) -> Ints:
    """The label pane of some rows, as INGEST builds it."""
    build = CellBuilder(layout(outcome))
    rows = np.arange(len(answers))
    tails = outcome.pack(answers)
    build.ones("n", rows)
    build.ones("n_unusable", np.flatnonzero(tails["known"] == 0))
    known = [outcome.truth(truth) for truth in truths]
    assert None not in known
    outcome.add(build, tails, np.array(known, np.float64))
    signs = np.full(len(answers), sign, np.int64)
    (pane,) = scatter(build.build(), np.zeros(len(answers), np.int64), signs, 1, _size(outcome))
    return pane


def _size(outcome: Outcome) -> int:
    return layout(outcome).size


def mean(outcome: Outcome, pane: Ints, name: str, n: int) -> float:
    return layout(outcome).total(pane, name) / n


@pytest.fixture(scope="module")
def four() -> tuple[Layout, Ints]:
    """p = (.1, .4, .8, .9) with y = (0, 1, 1, 0)."""
    outcome = Binary()
    answers = [Output(score=p) for p in (0.1, 0.4, 0.8, 0.9)]
    return layout(outcome), sums(outcome, answers, [told(label=y) for y in (0, 1, 1, 0)])


def test_binary_scores_of_four_rows(four: tuple[Layout, Ints]) -> None:
    """Brier .305 and log loss .886845; squares stand beside them for intervals."""
    fields, pane = four
    assert fields.total(pane, "brier") / 4 == pytest.approx(0.305, abs=FIXED)
    assert fields.total(pane, "log_loss") / 4 == pytest.approx(0.886845, abs=FIXED)
    assert fields.total(pane, "brier_sq") == pytest.approx(0.7874, abs=4 * FIXED)
    assert fields.total(pane, "log_loss_sq") == pytest.approx(6.202381, abs=4 * FIXED)


def test_calibration_of_four_rows(four: tuple[Layout, Ints]) -> None:
    """Spiegelhalter's Z 1.498537 and observed over expected .909091."""
    fields, pane = four
    slope, variance = fields.total(pane, "slope_d"), fields.total(pane, "z_var")
    # slope sums (y-p)(2p-1), the handbook's Z has (1-2p): the sign is the measure's business.
    z = float(spiegelhalter.z(slope=slope, variance=variance))
    assert abs(z) == pytest.approx(1.498537, abs=1e-5)
    y, p = fields.values(pane, "cal_y").sum(), fields.values(pane, "cal_p").sum()
    assert float(observed_expected.ratio(y, p)) == pytest.approx(0.909091, abs=FIXED)


def test_binary_bins_and_confusion(four: tuple[Layout, Ints]) -> None:
    """A score of exactly 1 belongs to the last bin, 0.8 to the bin from 0.8."""
    fields, pane = four
    assert fields.counts(pane, "cal_n").tolist() == [0, 1, 0, 0, 1, 0, 0, 0, 1, 1]
    assert fields.counts(pane, "cal_y").tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 1, 0]
    counts = {name: fields.count(pane, name) for name in ("n", "err", "tp", "fp", "fn", "tn")}
    assert counts == {"n": 4, "err": 2, "tp": 1, "fp": 1, "fn": 1, "tn": 1}
    ends = sums(Binary(), [Output(score=0.0), Output(score=1.0)], [told(label=1)] * 2)
    assert fields.counts(ends, "cal_n").tolist() == [1, *[0] * 8, 1]
    assert fields.total(ends, "log_loss") == pytest.approx(-np.log(1e-6), abs=FIXED)


@pytest.mark.parametrize("score", [None, -0.1, 1.1])
def test_an_unusable_binary_answer_adds_only_its_count(score: float | None) -> None:
    """Though its label is known."""
    outcome = Binary()
    pane = sums(outcome, [Output(score=score, label=True)], [told(label=True)])
    fields = layout(outcome)
    assert np.count_nonzero(pane) == 2
    assert fields.count(pane, "n") == fields.count(pane, "n_unusable") == 1


def test_the_decision_is_the_label_and_else_half_the_score() -> None:
    """A service with a threshold of its own is judged by its own decisions."""
    tails = Binary("bad").pack(
        [Output(score=0.2, label="bad"), Output(score=0.9, label="good"), Output(score=0.5)]
    )
    assert Binary("bad").positive(tails).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("positive", "label", "expected"),
    [
        (None, True, 1.0),
        (None, 0, 0.0),
        (None, "Yes", 1.0),
        (None, "fraud", None),
        ("fraud", "fraud", 1.0),
        ("fraud", "other", 0.0),
        (1, "1", 1.0),
        (2, 1, 0.0),
        (True, "true", 1.0),
        (None, None, None),
    ],
)
def test_binary_truths(positive: Any, label: Any, expected: float | None) -> None:
    """A label that says nothing is no truth; it is never guessed."""
    policy = Policy(model="m", task=Task.BINARY, labels=Labels(positive=positive))
    assert outcome_of(policy).truth(told(label=label)) == expected


def test_multiclass_known_answers() -> None:
    """Two of three right at the top, all within ten; log loss of the true class."""
    outcome = Multiclass()
    answers = [
        Output(scores={"a": 0.7, "b": 0.2, "c": 0.1}),
        Output(scores={"a": 0.5, "b": 0.4, "c": 0.1}),
        Output(label="c", score=0.6),
    ]
    pane = sums(outcome, answers, [told(label="a"), told(label="b"), told(label="c")])
    fields = layout(outcome)
    assert (fields.count(pane, "err"), fields.count(pane, "err_top")) == (1, 0)
    expected = -np.log([0.7, 0.4, 0.6]).sum()
    assert fields.total(pane, "loss") == pytest.approx(expected, abs=3 * FIXED)
    # Top-label calibration: confidence .7, .5, .6 and two hits.
    assert fields.values(pane, "cal_p").sum() == pytest.approx(1.8, abs=3 * FIXED)
    assert fields.counts(pane, "cal_y").sum() == 2
    assert fields.total(pane, "brier") == pytest.approx(0.3**2 + 0.5**2 + 0.4**2, abs=3 * FIXED)


def test_multiclass_keeps_the_ten_best() -> None:
    """A class beyond them counts as missed, with the smallest likelihood."""
    outcome = Multiclass()
    scores = {f"c{i:02}": (20 - i) / 210 for i in range(20)}
    pane = sums(outcome, [Output(scores=scores)] * 2, [told(label="c09"), told(label="c10")])
    fields = layout(outcome)
    assert (fields.count(pane, "err"), fields.count(pane, "err_top")) == (2, 1)
    expected = -np.log(11 / 210) - np.log(1e-6)
    assert fields.total(pane, "loss") == pytest.approx(expected, abs=2 * FIXED)


def test_regression_known_answers() -> None:
    """MAE in units of the scale and clipped at three, under-prediction, interval misses."""
    outcome = Regression(scale=10.0)
    answers = [
        Output(value=100.0, interval=[90.0, 110.0]),
        Output(value=100.0, interval=[90.0, 110.0]),
        Output(value=100.0),
        Output(),
    ]
    truths = [told(value=105.0), told(value=80.0), told(label=1_000), told(value=1.0)]
    pane = sums(outcome, answers, truths)
    fields = layout(outcome)
    assert mean(outcome, pane, "abs", 3) == pytest.approx((0.5 + 2 + 3) / 3, abs=FIXED)
    assert fields.total(pane, "abs_sq") == pytest.approx(0.25 + 4 + 9, abs=3 * FIXED)
    counts = [fields.count(pane, name) for name in ("under", "banded", "missed", "n_unusable")]
    assert counts == [2, 2, 1, 1]


def test_ranking_known_answers() -> None:
    """Hit rate, MRR and NDCG at ten with one relevant item; ranks 1, 3, none, none."""
    outcome = Ranking()
    items = [f"item-{i}" for i in range(12)]
    answers = [Output(items=items)] * 3 + [Output(items=[])]
    truths = [
        told(label="item-0"),
        told(signals={"clicked": "item-2"}),
        told(label="item-11"),
        told(signals={"clicked": 0.0}),
    ]
    pane = sums(outcome, answers, truths)
    assert layout(outcome).count(pane, "err") == 2
    assert mean(outcome, pane, "mrr", 4) == pytest.approx((1 + 1 / 3) / 4, abs=FIXED)
    assert mean(outcome, pane, "ndcg", 4) == pytest.approx((1 + 0.5) / 4, abs=FIXED)


def test_a_click_that_names_no_item_leaves_the_label_its_word() -> None:
    """``clicked: 1`` says that something was chosen, and the label says what."""
    outcome = Ranking()
    assert outcome.truth(told(label="a", signals={"clicked": 1.0})) == outcome.truth(
        told(label="a")
    )
    assert outcome.truth(told(signals={"clicked": 1.0})) is None


def test_chat_counts_thumbs_down() -> None:
    """By signal or by a truth value; words are no rating."""
    outcome = Chat()
    truths = [told(signals={"thumbs": 1.0}), told(signals={"thumbs": -1.0}), told(label=False)]
    pane = sums(outcome, [Output()] * 3, truths)
    assert [layout(outcome).count(pane, name) for name in ("n", "rated", "down")] == [3, 3, 2]
    assert outcome.truth(told(label="great")) is None


SCORES = st.sampled_from([None, -1.0, *np.linspace(0, 1, 23).tolist()])
ROWS: dict[str, tuple[Outcome, st.SearchStrategy[tuple[Output, FeedbackEvent]]]] = {
    "binary": (
        Binary(),
        st.tuples(
            SCORES.map(lambda score: Output(score=score)),
            st.booleans().map(lambda label: told(label=label)),
        ),
    ),
    "multiclass": (
        Multiclass(),
        st.tuples(
            st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1), max_size=6).map(
                lambda scores: Output(scores=scores)
            ),
            st.sampled_from("abcdefg").map(lambda label: told(label=label)),
        ),
    ),
    "multiclass by class": (
        Multiclass(["a", "b", "c"]),
        st.tuples(
            st.lists(st.floats(0, 1), min_size=3, max_size=3).map(
                lambda p: Output(
                    scores={k: v / (sum(p) or 1) for k, v in zip("abd", p, strict=True)}
                )
            ),
            st.sampled_from("abcd").map(lambda label: told(label=label)),
        ),
    ),
    "regression": (
        Regression(7.0, [0.1, 0.9]),
        st.tuples(
            st.floats(-1e9, 1e9).map(
                lambda v: Output(
                    value=v, interval=[v - 1, v + 1], quantiles={"0.1": v - 1, "0.9": v + 1}
                )
            ),
            st.floats(-1e9, 1e9).map(lambda value: told(value=value)),
        ),
    ),
    "ranking": (
        Ranking(),
        st.tuples(
            st.lists(st.sampled_from("abcdef"), unique=True).map(lambda v: Output(items=v)),
            st.sampled_from("abcdefg").map(lambda label: told(label=label)),
        ),
    ),
    "chat": (
        Chat(),
        st.tuples(
            st.just(Output()),
            st.tuples(st.booleans(), st.floats(-1, 1)).map(
                lambda said: told(label=said[0], signals={"regenerated": said[1]})
            ),
        ),
    ),
}


@pytest.mark.parametrize("task", ROWS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_split_and_order_gives_the_same_bits(task: str, data: st.DataObject) -> None:
    """Panes of parts, merged in any order, are the pane of the whole; taking away gives nothing."""
    outcome, row = ROWS[task]
    rows = data.draw(st.lists(row, min_size=1, max_size=30))
    answers, truths = [a for a, _ in rows], [t for _, t in rows]
    whole = sums(outcome, answers, truths)
    order = data.draw(st.permutations(range(len(rows))))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(rows)), max_size=4)))
    total = np.zeros_like(whole)
    for start, stop in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        part = order[start:stop]
        merge(total, sums(outcome, [answers[i] for i in part], [truths[i] for i in part]))
    assert total.tobytes() == whole.tobytes()
    for i in order:
        merge(total, sums(outcome, [answers[i]], [truths[i]], sign=-1))
    assert not total.any()

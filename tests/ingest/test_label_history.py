"""Reviews, reversals, sources and weights of labels, as label panes sum them up."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from shards import DAY, HOUR, Bench

from schemas.policy import Labels, Policy, Task
from streams.ingest.join.label_state import NO_LABEL, LabelState
from streams.ingest.store.pending import Pending

POLICY = Policy(
    model="fraud",
    task=Task.BINARY,
    pane="1h",
    lateness="10m",
    labels=Labels(
        horizon="2d", maturity="6h", lateness="1h", sources=["crm", "bank"], propensity=True
    ),
)
T0 = 100 * DAY
HISTORY = ("n", "n_review", "n_disagree", "n_flip")


@pytest.fixture
def bench() -> Bench:
    bench = Bench(POLICY)
    bench.apply(*[bench.predict(**prediction(i)) for i in range(4)])
    return bench


def prediction(i: int, time_ms: int = T0) -> dict[str, Any]:
    return {
        "prediction_id": f"p{i}",
        "model": "fraud",
        "version": "v1",
        "time": time_ms,
        "output": {"score": 0.25},
    }


def told(bench: Bench, hour: float, label: Any = True, i: int = 1, **more: Any) -> None:
    time_ms = T0 + int(hour * HOUR)
    bench.apply(bench.tell(prediction_id=f"p{i}", model="fraud", time=time_ms, label=label, **more))


def counts(bench: Bench, part: str = "label", names: tuple[str, ...] = HISTORY) -> list[int]:
    """Sums over all that was handed on."""
    bench.checkpoint()
    return [bench.field(part, name) for name in names]


def test_a_review_counts_and_disagrees_where_it_changes_the_label(bench: Bench) -> None:
    """Of two reviewed labels one was changed; a review that is the first word reviews nothing."""
    for i in (0, 1):
        told(bench, 1, i=i)
    told(bench, 2, True, i=0, kind="review")
    told(bench, 2, False, i=1, kind="review")
    told(bench, 2, False, i=2, kind="review")
    assert counts(bench) == [3, 2, 1, 0]
    assert bench.field("label", "fn") == 1


@pytest.mark.parametrize("kind", ["truth", "correction"])
def test_other_feedback_that_says_something_else_is_a_reversal(bench: Bench, kind: str) -> None:
    """Each label counts once, however often it is turned round; the same again is none."""
    told(bench, 1, True, i=0)
    told(bench, 2, True, i=0, kind=kind)
    told(bench, 1, True, i=1)
    told(bench, 2, False, i=1, kind=kind)
    told(bench, 3, True, i=1, kind=kind)
    assert counts(bench) == [2, 0, 0, 1]


def test_order_is_that_of_event_time(bench: Bench) -> None:
    """An earlier word that is read later reverses nothing, and is what was reversed."""
    told(bench, 2, False, kind="correction")
    told(bench, 1, True)
    assert counts(bench) == [1, 0, 0, 1]
    told(bench, 2, False, i=2, kind="review")
    told(bench, 1, True, i=2)
    assert counts(bench) == [2, 1, 1, 1]


def test_a_retraction_takes_the_history_along(bench: Bench) -> None:
    """What is left of a label that is taken away is nothing; the next one is a first one."""
    told(bench, 1, True)
    told(bench, 2, False, kind="correction")
    told(bench, 3, None, kind="retraction")
    assert counts(bench) == [0, 0, 0, 0]
    told(bench, 4, True)
    assert counts(bench) == [1, 0, 0, 0]


def test_a_reversal_after_maturity_shows_and_is_not_bet_on(bench: Bench) -> None:
    """Windows have it as a signed addition to what tests saw."""
    told(bench, 1, True)
    told(bench, 30, False, kind="correction")
    assert counts(bench) == [1, 0, 0, 0]
    assert counts(bench, "late_label") == [0, 0, 0, 1]


def test_a_source_answers_for_its_labels(bench: Bench) -> None:
    """Labels by the source that gave them first, and how many of those were reversed."""
    told(bench, 1, True, i=0, source="crm")
    told(bench, 1, True, i=1, source="crm")
    told(bench, 2, False, i=1, source="bank", kind="correction")
    told(bench, 1, True, i=2, source="bank")
    told(bench, 1, True, i=3, source="nobody")
    names = ("crm:source_n", "crm:source_flip", "bank:source_n", "bank:source_flip")
    assert counts(bench, names=names) == [2, 1, 1, 0]


def test_weights_are_the_inverse_of_the_propensity_and_clipped(bench: Bench) -> None:
    """A label without one has no weight; a correction keeps the chance of its label."""
    told(bench, 1, True, i=0, propensity=0.25)
    told(bench, 2, False, i=0, kind="correction")
    told(bench, 1, True, i=1, propensity=0.01)
    told(bench, 1, True, i=2)
    assert counts(bench, names=("n", "err", "ipw_n", "ipw_clipped")) == [3, 2, 2, 1]
    layout = bench.plan().labels
    (total,) = [t for key, t in bench.panes.items() if key[5] == "label"]
    sums = {name: layout.total(total, f"ipw_{name}") for name in ("w", "w2", "lost")}
    assert sums == {"w": 24.0, "w2": 416.0, "lost": 80.0}
    powers = [layout.total(total, f"ipw_err_{power}") for power in ("wx", "w2x", "w2x2")]
    assert powers == [20.0, 400.0, 400.0]
    assert layout.total(total, "ipw_brier_wx") == pytest.approx(4 * 0.0625 + 20 * 0.5625)


def test_a_label_that_is_read_late_still_gives_its_propensity() -> None:
    """Of label and correction, whichever is read first, the weight is the same."""
    label, correction = LabelState(1.0, T0, chance=15_000), LabelState(0.0, T0 + 1)
    states = [NO_LABEL.after(label).after(correction), NO_LABEL.after(correction).after(label)]
    assert [(state.truth, state.chance) for state in states] == [(0.0, 15_000)] * 2


def test_a_pending_prediction_takes_at_most_64_bytes_and_says_what_it_said() -> None:
    """Of a binary task, with both labels, their history, source and propensity."""
    tail = bytes(POLICY_TAIL)
    mature, final = LabelState(1.0, T0, 17, 2, 60_000), LabelState(0.0, T0 + 1, 5, 20, 1)
    pending = Pending(True, 7, T0, tail, mature, final, shadowed=True)
    packed = pending.pack()
    assert len(packed) <= 64
    assert Pending.unpack(packed) == pending


POLICY_TAIL = Bench(POLICY).plan().outcome.tail.itemsize


@st.composite
def words(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Feedback of all kinds on two predictions."""
    return [
        {
            "prediction_id": f"p{draw(st.integers(0, 1))}",
            "model": "fraud",
            "time": T0 + draw(st.integers(0, 40)) * HOUR // 2,
            "label": draw(st.booleans()),
            "kind": draw(st.sampled_from(["truth", "correction", "review", "retraction"])),
            "source": draw(st.sampled_from([None, "crm", "bank"])),
            "propensity": draw(st.sampled_from([None, 0.5, 0.01])),
        }
        for _ in range(draw(st.integers(0, 8)))
    ]


@settings(deadline=None, max_examples=150)
@given(words(), st.data())
def test_any_division_into_batches_gives_the_same_history(
    feedback: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Wherever the predictions come between, with checkpoints and restarts; rates stay rates."""
    sums = []
    for divided in (False, True):
        bench = Bench(POLICY)
        rows = [bench.predict(**prediction(i)) for i in (0, 1)]
        records = [bench.tell(**event) for event in feedback]
        place = data.draw(st.integers(0, len(records))) if divided else 0
        for step in [*([r] for r in records[:place]), rows, *([r] for r in records[place:])]:
            bench.apply(*step)
            if divided and data.draw(st.booleans()):
                bench.checkpoint()
                bench.restart()
        bench.checkpoint()
        sums.append(bench.sums())
        total = dict.fromkeys((*HISTORY, "crm:source_n", "crm:source_flip"), 0)
        for name in total:
            total[name] = bench.field("label", name)
        assert total["n_disagree"] <= total["n_review"] <= total["n"] <= 2
        assert total["crm:source_flip"] <= total["crm:source_n"] <= total["n"]
        assert total["n_flip"] <= total["n"]
    assert sums[0] == sums[1]

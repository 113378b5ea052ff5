"""Feedback that changes nothing of its prediction writes nothing to the store."""

from __future__ import annotations

import pytest
from shards import DAY, HOUR, Bench, Event

from schemas.policy import Labels, Policy, Task
from streams.ingest.store.tables import Table

POLICY = Policy(
    model="fraud",
    task=Task.BINARY,
    labels=Labels(horizon="10d", maturity="6h", lateness="1h"),
)
T0 = 100 * DAY
SERVED: Event = {
    "prediction_id": "p",
    "model": "fraud",
    "version": "v1",
    "time": T0,
    "output": {"score": 0.4},
}
ABOUT: Event = {"prediction_id": "p", "model": "fraud", "time": T0 + HOUR}
TRUTH = ABOUT | {"label": True}


def rows(bench: Bench) -> int:
    """Rows that came once more."""
    return sum(len(value) // 4 for value in bench.base.tables[Table.REPLACED].values())


@pytest.mark.parametrize(
    "feedback",
    [
        [TRUTH],
        [ABOUT | {"kind": "signal", "signals": {"clicked": 1.0}}],
        [ABOUT | {"label": "what"}],
        [TRUTH, TRUTH],
        [TRUTH | {"time": T0 - DAY}, TRUTH | {"time": T0 - DAY}],
    ],
    ids=["same truth", "signal", "unusable", "same truth twice", "refused twice"],
)
def test_nothing_is_written(feedback: list[Event]) -> None:
    """Alone, in columns, and together with others of its prediction; a change is written once."""
    bench = Bench(POLICY)
    bench.apply(bench.predict(**SERVED), bench.tell(**TRUTH))
    bench.checkpoint()
    told = rows(bench)
    for _ in range(3):
        bench.apply(*[bench.tell(**event) for event in feedback])
        bench.checkpoint()
    assert rows(bench) == told
    bench.apply(bench.tell(**TRUTH | {"time": T0 + 2 * HOUR, "label": False}))
    bench.checkpoint()
    assert rows(bench) == told + 1

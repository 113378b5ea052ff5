"""Groups are sliced as segments are: each value that the policy compares has panes of its own."""

from __future__ import annotations

from typing import Any

import pytest
from shards import DAY, HOUR, Bench

from schemas.policy import Fairness, Labels, Policy, Task

T0 = 100 * DAY


def policy(**changes: Any) -> Policy:
    """Groups by sex and region; region is a segment as well."""
    content: dict[str, Any] = {
        "segments": ["region"],
        "max_segments": 4,
        "fairness": Fairness(groups=["sex", "region"]),
        **changes,
    }
    return Policy(
        model="m",
        task=Task.BINARY,
        labels=Labels(horizon="2d", maturity="6h", lateness="1h"),
        **content,
    )


def prediction(i: int, **more: Any) -> dict[str, Any]:
    """A prediction, positive where ``i`` is even."""
    score = 0.75 if i % 2 == 0 else 0.25
    return {
        "prediction_id": f"p{i}",
        "model": "m",
        "version": "v1",
        "time": T0,
        "output": {"score": score},
        **more,
    }


def counts(bench: Bench, part: str, *names: str) -> dict[str, tuple[int, ...]]:
    """Fields of each stream by segment, of streams that have any."""
    segments = sorted({key[3] for key in bench.panes})
    found = {s: tuple(bench.field(part, name, segment=s) for name in names) for s in segments}
    return {segment: values for segment, values in found.items() if any(values)}


def test_a_group_has_panes_of_inputs_and_labels() -> None:
    """Counts and decisions of predictions, and the confusion matrix of labels; a key that the
    policy does not name has none."""
    bench = Bench(policy())
    for i, sex in enumerate(("f", "m", "f", "m", "f")):
        bench.apply(
            bench.predict(**prediction(i, groups={"sex": sex, "age": "young"})),
            bench.tell(prediction_id=f"p{i}", model="m", time=T0 + HOUR, label=i < 3),
        )
    bench.checkpoint()
    assert counts(bench, "input", "n", "n_positive") == {
        "": (5, 3),
        "sex=f": (3, 3),
        "sex=m": (2, 0),
    }
    assert counts(bench, "label", "tp", "fp", "fn", "tn") == {
        "": (2, 1, 1, 1),
        "sex=f": (2, 1, 0, 0),
        "sex=m": (0, 0, 1, 1),
    }


def test_a_key_that_is_a_segment_and_a_group_counts_once() -> None:
    """Where an event names both, the segment holds."""
    bench = Bench(policy())
    bench.apply(
        bench.predict(**prediction(1, segments={"region": "EU"}, groups={"region": "EU"})),
        bench.predict(**prediction(2, groups={"region": "US"})),
        bench.predict(**prediction(3, segments={"region": "EU"}, groups={"region": "US"})),
        bench.predict(**prediction(4, segments={"sex": "f"})),
    )
    bench.checkpoint()
    assert counts(bench, "input", "n") == {
        "": (4,),
        "region=EU": (2,),
        "region=US": (1,),
        "sex=f": (1,),
    }


def test_groups_and_segments_share_the_bound() -> None:
    """Values beyond ``max_segments``, and long ones, go to one stream for each key."""
    bench = Bench(policy(max_segments=2))
    for i, (region, sex) in enumerate((("EU", "f"), ("US", "m"), ("EU", "x" * 300))):
        bench.apply(
            bench.predict(**prediction(i, segments={"region": region}, groups={"sex": sex}))
        )
    bench.checkpoint()
    assert counts(bench, "input", "n") == {
        "": (3,),
        "region=EU": (2,),
        "region=<other>": (1,),
        "sex=f": (1,),
        "sex=<other>": (2,),
    }


@pytest.mark.parametrize("size", [1, 2, 5])
def test_where_batches_end_changes_no_group(size: int) -> None:
    """Also with a restart after each batch."""
    sums = []
    for step in (size, 20):
        bench = Bench(policy(max_segments=2))
        records = [
            bench.predict(**prediction(i, groups={"sex": "fmx"[i % 3], "region": "EU"}))
            for i in range(20)
        ]
        for start in range(0, 20, step):
            bench.apply(*records[start : start + step])
            bench.checkpoint()
            bench.restart()
        sums.append(bench.sums())
    assert sums[0] == sums[1]
    assert {key[3] for key in sums[0]} == {"", "sex=f", "region=EU", "sex=<other>"}

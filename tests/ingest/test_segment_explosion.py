"""Names made of ids are cut: every row is counted, memory stays, and an alert says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from shards import HOUR, Bench

from schemas.dead_letters import Reason
from schemas.policy import Policy, Task
from schemas.summaries import Mark, SummaryBatch
from streams.decide.pipeline import Decide

BATCH = 5_000
T0 = 1_000 * HOUR
POLICY = Policy(
    model="m",
    task=Task.BINARY,
    pane="1h",
    segments=["user", "page"],
    max_segments=20,
    max_combinations=200,
    max_versions=5,
)


def rows(count: int, **columns: Any) -> Iterator[list[dict[str, Any]]]:
    """Batches of predictions of one hour; a column gives a version or a segment by its number."""
    version = columns.pop("version", lambda i: "v1")
    for start in range(0, count, BATCH):
        yield [
            {
                "prediction_id": f"p{i}",
                "model": "m",
                "version": version(i),
                "time": T0 + i // 100,
                "output": {"score": 0.25},
                "segments": {key: name(i) for key, name in columns.items()},
            }
            for i in range(start, start + BATCH)
        ]


def run(count: int, **columns: Any) -> tuple[Bench, list[int], list[Any]]:
    """All batches with a checkpoint after each: the shard, panes by checkpoint, and alerts."""
    bench, panes = Bench(POLICY), []
    decide, alerts = Decide(bench.control, 0), []
    for number, batch in enumerate(rows(count, **columns)):
        bench.apply(*[bench.predict(**row) for row in batch])
        done = bench.checkpoint()
        panes.append(len(done.panes))
        last = number + 1 == count // BATCH
        time_ms = T0 + 3 * HOUR if last else T0
        mark = Mark(shard=0, shards=1, predictions_ms=time_ms, labels_ms=T0)
        decide.apply(SummaryBatch(0, 0, number, done.panes, mark, {}))
        alerts += decide.advance().alerts
    return bench, panes, alerts


@pytest.mark.parametrize(("names", "count"), [("values", 100_000), ("combinations", 20_000)])
def test_names_made_of_ids_cost_no_memory_and_no_row(names: str, count: int) -> None:
    """A new value in every row, and few values in ever new combinations."""
    columns: dict[str, Any] = {
        "values": {"user": lambda i: f"u{i}", "page": lambda i: "home"},
        "combinations": {
            "version": lambda i: f"v{i % 5}",
            "user": lambda i: f"u{i % 9}",
            "page": lambda i: f"p{i // 9 % 11}",
        },
    }[names]
    bench, panes, alerts = run(count, **columns)
    assert bench.field("input", "n") == count
    own = {key[3] for key in bench.panes if key[3].startswith("user=") and "<" not in key[3]}
    apart = sum(bench.field("input", "n", segment=segment) for segment in own)
    capped = bench.field("input", "capped")
    assert capped == count - apart > 0
    assert len(bench.routes) <= POLICY.max_combinations + 5
    assert max(panes) <= 5 * (1 + POLICY.max_segments + 2)
    versions = 5 if names == "combinations" else 1
    told = [alert for alert in alerts if alert.metric == "capped_segments"]
    assert {alert.feature for alert in told} == ({"user", "page"} if versions == 5 else {"user"})
    assert sum(alert.value for alert in told if alert.feature == "user") == capped
    assert bench.dead == []


def test_versions_made_of_ids_are_refused_one_by_one() -> None:
    """Each refused row is a dead letter that names the version; all others are counted."""
    count = 20_000
    bench, panes, _ = run(count, version=lambda i: f"v{i}" if i % 2 else "v0")
    known = 4
    assert bench.field("input", "n") == count // 2 + known
    assert {dead.reason for dead in bench.dead} == {Reason.TOO_MANY_VERSIONS}
    assert len(bench.dead) == count // 2 - known
    assert len(bench.routes) == POLICY.max_versions
    assert max(panes) <= POLICY.max_versions
    assert bench.dead[0].field == "version" and "'v9' is one more than the 5" in (
        bench.dead[0].message
    )

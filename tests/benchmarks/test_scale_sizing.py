"""What a cluster needs follows from stored figures by the formulas of the page."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import capacity, sizing
from benchmarks.capacity import Plan, Prices, plan
from benchmarks.decide import SHAPES
from benchmarks.demand import Demand
from benchmarks.load import panes, touched
from benchmarks.measured import DECIDE_STREAMS, Measured, NotMeasured, read
from benchmarks.shapes import Shape
from benchmarks.sizing_page import page
from detectors.inputs import input_layout
from detectors.outcomes import layout, outcome_of
from schemas import generated


def spread(**medians: float) -> dict[str, dict[str, float]]:
    return {name: {"median": value} for name, value in medians.items()}


def row(us: float, broker_us: float, size: float, **more: float) -> dict[str, dict[str, float]]:
    names = {"predictions_bytes": size, "feedback_bytes": 0.0, "state.join_bytes": 30.0}
    names |= {"summaries_bytes": 0.4, "panes": 0.001}
    return spread(cpu_us=us, broker_us=broker_us, **(names | more))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Figures that are easy to reckon with."""
    label = {"feedback_bytes": 20.0, "state.join_bytes": 10.0}
    rounds = [{"summaries_bytes": 0.4, "panes": panes} for panes in (0.0004, 0.001, 0.002)]
    scale = {
        "workers": {"1": rounds},
        "parts": {
            "JSON, 8 features": row(8, 4, 100),
            "JSON, 30 features": row(30, 15, 320, summaries_bytes=1.2, panes=0.0),
            "Arrow, 8 features": row(2, 1, 60),
            "Arrow, 30 features": row(4.2, 1, 170),
            "truth": row(8, 4, 0, panes=0.0, summaries_bytes=0.0, **label),
            "truth, one pane a second": row(9, 4, 0, panes=0.1, summaries_bytes=20.0, **label),
        },
        "checkpoint_us": 2_000,
        "idle_cores": 0.008,
    }
    figures = {
        "disk, MB": 600,
        "disk, bytes a label": 100,
        "find in order, us a label": 1,
        "change and checkpoint in order, us a label": 1,
        "find at random, us a label": 5,
        "change and checkpoint at random, us a label": 2,
        "rebuild from the log, predictions a second": 1_000_000,
    }
    alone = {"rows_per_cpu_second": 100_000, "checkpoints": 2, "panes": 21}
    crowd = {"rows_per_cpu_second": 10_000, "checkpoints": 2, "panes": 10_000}
    for name, stored in (
        ("scale", scale),
        ("store", {"predictions": 10_000_000, "figures": figures}),
        ("many", {"rows": 100_000, "runs": [[alone, crowd]]}),
        ("pending", {"pending": 7_000_000, "peak_mb": 380}),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps(stored))
    return tmp_path


@pytest.fixture
def measured(results: Path) -> Measured:
    return read(results)


def test_figures_are_read_and_differences_taken(measured: Measured) -> None:
    assert measured.json_us.at(20).value == pytest.approx(20)
    assert measured.truth_far_us.value == 5
    assert measured.label_pane_us.value == pytest.approx(10)
    assert measured.label_pane_bytes.value == pytest.approx(200)
    # 10 s against 1 s of CPU for 20,000 panes.
    assert measured.input_pane_us.value == pytest.approx(450)
    assert measured.pending_bytes.value == pytest.approx(60)
    assert measured.join_bytes.value == 40
    assert measured.input_pane_bytes.at(8).value == pytest.approx(400)
    assert measured.input_pane_bytes.at(30).value == pytest.approx(1_200)
    # Seven million take ten million slots of eight bytes at least.
    assert measured.worker_mb.value == pytest.approx(300)
    assert measured.apply_us is None and measured.window_us is None


def test_what_is_not_stored_is_named(results: Path) -> None:
    (results / "store.json").unlink()
    with pytest.raises(NotMeasured, match=r"run python -m benchmarks\.store"):
        read(results)


def test_decide_is_in_the_plan_once_it_is_measured(results: Path) -> None:
    before = plan(Demand(10_000), read(results))
    assert before.decide_cores is None
    streams = spread(apply=2 * DECIDE_STREAMS / 1e3, window=12 * DECIDE_STREAMS / 1e3)
    (results / "decide.json").write_text(json.dumps({"windows": {"many streams": streams}}))
    made = plan(Demand(10_000), read(results))
    assert made.decide_cores == pytest.approx(
        1e-6 * (made.input_panes + made.label_panes) + 10e-6 * 21 / 3_600
    )
    assert made.cores == before.cores + 1


def test_rows_touch_as_many_panes_as_balls_fall_into_bins() -> None:
    """All where rows are many, one each where panes are."""
    assert touched(1e6, 1_000) == pytest.approx(1_000)
    assert touched(10, 1e9) == pytest.approx(10)
    assert touched(2, 2) == pytest.approx(1.5)
    one = Demand(1_000, segments=20, checkpoint_s=2)
    assert panes(one, 1e6, 64, 1) == pytest.approx(64 / 2 * 21)
    assert panes(replace(one, segments=0), 1e6, 64, 1) == pytest.approx(32)


def test_a_plan_is_the_smallest_that_leaves_the_room_asked_for(measured: Measured) -> None:
    demand = Demand(50_000, utilisation=0.6, memory_gb=10_000)
    made = plan(demand, measured)
    assert made.busiest <= 0.6
    assert made.partitions >= 2 * made.workers and made.partitions.bit_count() == 1
    fewer = plan(demand, measured, partitions=made.partitions, workers=made.workers - 1)
    assert fewer.busiest > 0.6
    most = made.ingest_cores / made.workers * math.ceil(made.partitions / made.workers)
    assert made.busiest == pytest.approx(most * made.workers / made.partitions, rel=0.02)


def test_cores_are_the_sum_of_parts(measured: Measured) -> None:
    """One model, no segment: every shard has a pane of inputs, and truths of one pane."""
    demand = Demand(
        10_000,
        features=20,
        segments=0,
        label_days=1 / 24,
        lateness_days=0,
        labelled=0.5,
        utilisation=0.9,
    )
    made = plan(demand, measured, partitions=4, workers=1)
    assert made.input_panes == made.label_panes == pytest.approx(4)
    rows = 10_000 * 20 + 5_000 * (8 + 5) + 4 * 450 + 4 * 10
    assert made.ingest_cores == pytest.approx(1e-6 * (rows + 2_000) + 0.008)
    assert made.busiest == pytest.approx(made.ingest_cores)


def test_disk_and_network_follow_from_bytes(measured: Measured) -> None:
    demand = Demand(
        1_000,
        features=30,
        segments=0,
        label_days=9,
        lateness_days=1 - 1 / 24,
        kept_days=20,
        replicas=3,
    )
    made = plan(demand, measured, partitions=8, workers=2)
    assert demand.pending == pytest.approx(864e6)
    assert made.worker_disk_bytes == pytest.approx(1.5 * 864e6 * (60 + 100) / 2)
    assert made.kafka_bytes["predictions"] == pytest.approx(1_000 * 320 * 86_400 * 20 * 3)
    assert made.kafka_bytes["state.join"] == pytest.approx(1_000 * 40 * 86_400 * 20 * 3)
    assert made.network["between brokers"] == pytest.approx(2 * made.network["written to Kafka"])
    assert made.rebuild_s == pytest.approx(864e6 / 8 / 1e6)
    longer = plan(replace(demand, label_days=29), measured, partitions=32, workers=4)
    assert longer.kafka_bytes["state.join"] == pytest.approx(1.5 * made.kafka_bytes["state.join"])


def test_cost_is_cores_and_disk_at_the_prices_given(measured: Measured) -> None:
    made = plan(Demand(1_000), measured)
    cores, disk = (made.cost_a_day(Prices(*pair)) for pair in ((1, 0), (0, 1)))
    assert cores == pytest.approx(24 * made.cores)
    assert disk * 365.25 / 12 == pytest.approx(made.disk_bytes / 1e9)
    assert made.cost_a_day(Prices(1, 1)) == pytest.approx(cores + disk)


@pytest.mark.parametrize("field", ["events_per_second", "features", "segments", "label_days"])
def test_more_of_anything_takes_no_less(measured: Measured, field: str) -> None:
    def grown(factor: int) -> Plan:
        demand = Demand(10_000)
        return plan(replace(demand, **{field: factor * getattr(demand, field)}), measured)

    plans = [grown(factor) for factor in (1, 2, 4)]
    for what in ("ingest_cores", "workers", "disk_bytes"):
        values = [getattr(made, what) for made in plans]
        assert values == sorted(values)


def test_columns_take_less(measured: Measured) -> None:
    assert (
        plan(Demand(50_000, arrow=True, label_days=0.1, lateness_days=0.1), measured).workers
        < plan(Demand(50_000, label_days=0.1, lateness_days=0.1), measured).workers
    )


def test_what_no_number_of_workers_does_is_refused(measured: Measured) -> None:
    with pytest.raises(ValueError, match="4 partitions are too few"):
        plan(Demand(1_000_000), measured, partitions=4)
    with pytest.raises(ValueError, match="without rows"):
        plan(Demand(1, checkpoint_s=0.002), measured)


def test_the_command_prints_every_part_and_says_what_prices_are(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--events-per-second", "20000", "--results", str(results)]
    assert sizing.main(arguments) == 0
    said = capsys.readouterr().out
    for what in ("workers", "partitions", "Kafka disk, state.join", "not measured", "PLACEHOLDER"):
        assert what in said
    assert sizing.main([*arguments, "--price-core-hour", "0.07"]) == 0
    assert "PLACEHOLDER" not in capsys.readouterr().out
    (results / "many.json").unlink()
    assert sizing.main(arguments) == 1
    assert "benchmarks.many" in capsys.readouterr().out


def test_entries_and_streams_are_those_of_the_code() -> None:
    """The numbers that stand here for layouts and for another benchmark's shape."""
    shape = Shape(8)
    labels = layout(outcome_of(shape.policy, None), shape.policy).size
    whole, part = (
        input_layout(shape.policy, shape.reference, whole=each).size for each in (True, False)
    )
    assert part + labels == capacity.STREAM_ENTRIES
    assert (whole - part) // 8 == capacity.FEATURE_ENTRIES
    assert {s.streams for s in SHAPES if s.name == "many streams"} == {DECIDE_STREAMS}


def test_the_page_says_what_the_stored_results_say() -> None:
    """`python -m benchmarks.sizing --check` passes in a checkout."""
    assert generated.stale(page(read())) == []

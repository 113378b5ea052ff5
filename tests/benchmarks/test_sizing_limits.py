"""What is recommended can run: what waits fits into shards and memory, and input is checked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import fit as fitting
from benchmarks import sizing
from benchmarks.capacity import plan
from benchmarks.demand import Demand
from benchmarks.fit import SHARD_ROWS, Fit, memory_bytes, sample
from benchmarks.load import cores_of, own_cores
from benchmarks.measured import Figure, Measured, read
from benchmarks.sizing_page import worked
from schemas.policy import Policy
from schemas.policy_file import loads
from streams.ingest.plan import Plan
from streams.runtime.settings import Settings

DAY_S = 86_400
POLICY = """
model: m
task: binary
pane: 1h
labels: {positive: "yes", maturity: 1d, horizon: 3d}
budgets: {error_rate: 0.05}
"""


@pytest.fixture(scope="module")
def measured() -> Measured:
    return read()


@pytest.fixture
def policy() -> Policy:
    return loads(POLICY)


def test_a_prediction_waits_as_long_as_ingest_keeps_it(policy: Policy) -> None:
    """Of what a policy says unless told otherwise; `lateness` is a minute, and left out."""
    kept = Plan(policy, policy.hash, None, "")
    demand = Demand(1, label_days=3)
    assert demand.waits_days == pytest.approx(kept.kept_ms / 1e3 / DAY_S + 1 / 24, abs=2e-3)
    assert demand.dedupe_days * DAY_S * 1e3 == policy.dedupe.horizon_ms
    assert demand.sample == policy.join.sample


def test_limits_are_those_of_the_store_and_the_settings() -> None:
    assert SHARD_ROWS == 268_435_456
    assert fitting.ROW_BYTES == 16
    Settings(shards=fitting.MOST_SHARDS)
    with pytest.raises(ValueError, match="shards"):
        Settings(shards=fitting.MOST_SHARDS + 1)
    assert fitting.SUGGESTED[-1] == fitting.MOST_SHARDS


def test_three_days_at_fifty_thousand_a_second_take_64_partitions(measured: Measured) -> None:
    """49 at least, whatever memory there is, if no lateness comes on top; with a day of it, 66.
    A truth takes as much room as its prediction."""
    roomy = Demand(50_000, label_days=3, lateness_days=0, labelled=0, memory_gb=100_000)
    assert 48 < roomy.rows / SHARD_ROWS < 49
    assert plan(roomy, measured).partitions == 64
    assert plan(replace(roomy, lateness_days=1), measured).partitions == 128
    with pytest.raises(ValueError, match=r"32 partitions are too few.*give 64 partitions"):
        plan(roomy, measured, partitions=32)
    labelled = replace(roomy, labelled=1)
    assert labelled.rows == pytest.approx(2 * labelled.pending)
    assert plan(labelled, measured).partitions == 128
    few = r"64 partitions are too few: 13,\d+,000,000 predictions wait, with their truths 26,.*128"
    with pytest.raises(ValueError, match=few):
        plan(labelled, measured, partitions=64)


def test_memory_is_that_of_the_index_and_of_one_that_is_rebuilt(measured: Measured) -> None:
    own = 1e6 * measured.worker_mb.value
    demand = Demand(50_000, label_days=3, lateness_days=0)
    four = memory_bytes(demand, measured, Fit(4, 64))
    assert four == pytest.approx(own + demand.pending / 64 * 16 * 17)
    assert 50e9 < four < 60e9
    made = plan(demand, measured)
    assert made.worker_bytes <= 16e9
    fewer = Fit(made.workers - 1, made.partitions)
    assert memory_bytes(demand, measured, fewer) > 16e9
    assert plan(replace(demand, memory_gb=64), measured).workers < made.workers


def test_no_row_of_the_worked_table_is_beyond_a_limit(measured: Measured) -> None:
    rows = list(worked(measured))
    assert any(demand.sample < 1 for demand, _ in rows)
    for demand, made in rows:
        if made is None:
            assert demand.rows > fitting.MOST_SHARDS * SHARD_ROWS
            continue
        assert demand.rows / made.partitions <= SHARD_ROWS
        assert made.worker_bytes <= 1e9 * demand.memory_gb
        assert made.busiest <= demand.utilisation
        assert 2 * made.workers <= made.partitions <= fitting.MOST_SHARDS


@pytest.mark.parametrize(
    ("rate", "days"), [(1_000, 30), (1_000, 365), (50_000, 1), (50_000, 30), (200_000, 365)]
)
def test_the_sample_fits_the_workers_that_rows_take(
    measured: Measured, rate: int, days: int
) -> None:
    demand = Demand(rate, label_days=days)
    advice = sample(demand, measured)
    assert advice is not None and 0 < advice.share < 1
    workers, partitions = advice.fit
    if workers > 1:
        fewer = Fit(workers - 1, partitions)
        used = cores_of(demand, measured, partitions) * fewer.fullest / partitions
        assert used + own_cores(demand, measured) > demand.utilisation
    made = plan(advice.of(demand), measured, partitions=partitions, workers=workers)
    assert made.worker_bytes <= 1e9 * demand.memory_gb
    assert made.busiest <= demand.utilisation
    more = replace(advice.of(demand), sample=1.2 * advice.share)
    with pytest.raises(ValueError, match="give"):
        plan(more, measured, partitions=partitions, workers=workers)


def test_a_decide_that_cannot_keep_up_is_named(measured: Measured) -> None:
    """A model has one worker of DECIDE, which has one core."""
    one = plan(Demand(1_000, label_days=1), measured)
    assert not replace(one, decide_cores=None).decide_overloaded
    assert not replace(one, decide_cores=1.0).decide_overloaded
    busy = replace(one, decide_cores=1.2)
    assert busy.decide_overloaded
    assert not replace(busy, demand=replace(busy.demand, models=2)).decide_overloaded
    costly = replace(measured, apply_us=Figure(1e6, "-"), window_us=Figure(1.0, "-"))
    said = {line.what: line for line in sizing.lines(plan(one.demand, costly), costly)}
    assert "TOO MUCH" in said["DECIDE, cores used"].formula


def test_what_waits_less_needs_less(measured: Measured) -> None:
    assert sample(Demand(1_000, label_days=1), measured) is None
    assert sample(Demand(50_000, memory_gb=1), measured, partitions=4) is None


def test_a_cluster_that_was_given_and_cannot_hold_it_is_refused(measured: Measured) -> None:
    demand = Demand(50_000)
    with pytest.raises(ValueError, match=r"would take \d+\.\d GB of memory .*or join\.sample 0\.0"):
        plan(demand, measured, workers=2)
    with pytest.raises(ValueError, match="9 workers are more than 8"):
        plan(demand, measured, partitions=8, workers=9)
    with pytest.raises(ValueError, match="with little pending takes"):
        plan(replace(demand, memory_gb=0.1), measured)


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("--events-per-second", "-5", "a number above 0"),
        ("--events-per-second", "nan", "a number above 0"),
        ("--events-per-second", "many", "a number above 0"),
        ("--features", "0", "a whole number of at least 1"),
        ("--features", "1.5", "a whole number of at least 1"),
        ("--models", "0", "a whole number of at least 1"),
        ("--workers", "0", "a whole number of at least 1"),
        ("--partitions", "3", "a power of two of at least 1 and at most 1024"),
        ("--partitions", "2048", "a power of two of at least 1 and at most 1024"),
        ("--labelled", "5", "a number of at least 0 and at most 1"),
        ("--utilisation", "2", "a number above 0 and at most 1"),
        ("--sample", "0", "a number above 0 and at most 1"),
        ("--memory-gb", "inf", "a number above 0"),
        ("--price-core-hour", "-1", "a number of at least 0"),
    ],
)
def test_a_number_out_of_its_range_is_refused(
    option: str, value: str, wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        sizing.main([option, value])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert f"argument {option}: " in said and value in said and f"must be {wanted}" in said


def test_the_command_says_what_waits_and_what_share_would_fit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert sizing.main(["--events-per-second", "50000", "--label-days", "3"]) == 0
    said = capsys.readouterr().out
    assert "labels.lateness" in said and "advice: join.sample" in said
    assert sizing.main(["--events-per-second", "50000", "--partitions", "8"]) == 1
    assert "8 partitions are too few" in capsys.readouterr().out

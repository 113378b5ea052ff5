"""The simulated cluster agrees with what is known of queues, and loses no row."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.cluster import SLACK_S, Burst, Cluster, Death, simulate

ROW_S = 1e-4


def cluster(*, used: float, partitions: int = 64, workers: int = 8, **more: float) -> Cluster:
    """Workers that use this share of their cores."""
    rows_per_second = used * workers / ROW_S
    return Cluster(partitions, workers, rows_per_second=rows_per_second, row_s=ROW_S, **more)


@pytest.mark.parametrize("used", [0.5, 0.7, 0.8])
def test_work_that_waits_is_that_of_a_queue_with_one_server(used: float) -> None:
    """M/D/1: the mean work before a row that comes is used × service ÷ 2 (1 - used)."""
    service_s = 0.1
    queues = Cluster(600, 600, rows_per_second=600 * used / service_s, row_s=service_s)
    course = simulate(queues, seconds=80, step_s=0.01, seed=1)
    settled = course.lag[len(course.lag) // 5 :]
    waiting_s = float(settled.mean()) / 600 * service_s
    assert waiting_s == pytest.approx(used * service_s / (2 * (1 - used)), rel=0.08)


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("death", [None, Death(5, 3), Death(5)])
def test_every_row_that_came_is_done_or_waits(seed: int | None, death: Death | None) -> None:
    course = simulate(
        cluster(used=0.9, rebuild_s=0.3),
        seconds=30,
        burst=Burst(2, 6, 1.5),
        death=death,
        seed=seed,
    )
    assert course.arrived == pytest.approx(course.done + float(course.waiting.sum()))
    assert course.waiting.min() >= 0


@pytest.mark.parametrize("used", [0.5, 0.7, 0.9])
def test_a_worker_that_comes_back_catches_up_at_the_rate_that_is_left(used: float) -> None:
    """Traffic of the outage, and of a checkpoint at most, at (1 - used) / used of its rate."""
    out_s = 8.0
    course = simulate(cluster(used=used), seconds=170, death=Death(20.5, out_s))
    assert course.caught_up_s is not None
    backlog_s = out_s + 0.5 - SLACK_S
    assert course.caught_up_s == pytest.approx(out_s + backlog_s * used / (1 - used), abs=0.5)


def test_a_burst_is_worked_off_at_the_rate_that_is_left() -> None:
    """A minute of one and a half times 0.8 leaves 0.2 × 60 s of work, and 0.2 of a core for it."""
    course = simulate(cluster(used=0.8), seconds=300, burst=Burst(10, 60, 1.5))
    assert course.caught_up_s == pytest.approx((60 * 0.2 - SLACK_S * 0.8) / 0.2, abs=0.5)
    assert course.peak == pytest.approx(8 * 60 * 0.2 / ROW_S, rel=0.01)


def test_partitions_of_the_lost_come_to_another_which_rebuilds_them_first() -> None:
    """Nothing is done for a session; then at least half of a core rebuilds."""
    quick = simulate(cluster(used=0.5), seconds=200, death=Death(20))
    slow = simulate(cluster(used=0.5, rebuild_s=3.0), seconds=200, death=Death(20))
    assert quick.caught_up_s is not None and slow.caught_up_s is not None
    assert quick.caught_up_s > 10
    assert slow.caught_up_s - quick.caught_up_s > 8 * 3.0


def test_a_cluster_without_room_never_catches_up() -> None:
    """Seven workers cannot do what eight could just do."""
    assert simulate(cluster(used=0.95), seconds=200, death=Death(20)).caught_up_s is None
    assert simulate(cluster(used=1.1), seconds=50).caught_up_s is None


def test_a_fixed_part_of_the_core_is_not_there_for_rows() -> None:
    """0.5 of rows with 0.4 of panes is like 0.9 for catching up, not like 0.5."""
    taxed = cluster(used=0.5, fixed_cores=0.4)
    assert taxed.utilisation == pytest.approx(0.9)
    course = simulate(taxed, seconds=200, death=Death(20.5, 5))
    assert course.caught_up_s == pytest.approx(5 + (5.5 - SLACK_S) * 0.5 / 0.1, abs=0.5)


def test_the_same_seed_gives_the_same_course() -> None:
    one, same, other = (simulate(cluster(used=0.8), seconds=5, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.lag, same.lag) and one.arrived == same.arrived
    assert one.arrived != other.arrived


@pytest.mark.parametrize(("partitions", "alive"), [(64, 16), (64, 15), (5, 2), (3, 4)])
def test_ranges_differ_by_a_partition_at_most(partitions: int, alive: int) -> None:
    owners = Cluster(partitions, alive, rows_per_second=1, row_s=1).owners(alive)
    sizes = np.bincount(owners, minlength=alive)
    assert sizes.max() == math.ceil(partitions / alive)
    assert sizes.max() - sizes.min() <= 1

"""How busy INGEST is: CPU of rows, of panes in checkpoints, and of a worker as such."""

from __future__ import annotations

import math
from typing import NamedTuple

from benchmarks.demand import Demand
from benchmarks.measured import Measured


class Panes(NamedTuple):
    """Panes a second in summaries."""

    inputs: float
    labels: float


def touched(rows: float, places: float) -> float:
    """How many of so many places at least one of the rows falls into, if any is as likely.

    Examples
    --------
    >>> touched(1, 100), round(touched(1_000_000, 21), 6), round(touched(100, 100), 1)
    (1.0, 21.0, 63.4)
    """
    if places <= 1:
        return min(rows, 1.0)
    return max(0.0, -places * math.expm1(rows * math.log1p(-1 / places)))


def panes(demand: Demand, rows_per_second: float, shards: int, each: float) -> float:
    """Panes a second in summaries, of ``each`` panes a stream, from all checkpoints of all shards.

    A row counts in the stream of its model and in that of its segment.
    """
    rows = rows_per_second / shards * demand.checkpoint_s
    whole = touched(rows, demand.models * each)
    parts = touched(rows, demand.models * demand.segments * each) if demand.segments else 0.0
    return shards / demand.checkpoint_s * (whole + parts)


def panes_of(demand: Demand, shards: int) -> Panes:
    """Of predictions, and of the truths that find theirs."""
    joined = demand.truths_per_second * demand.sample
    return Panes(
        panes(demand, demand.events_per_second, shards, 1),
        panes(demand, joined, shards, demand.label_panes),
    )


def cores_of(demand: Demand, measured: Measured, shards: int) -> float:
    """Cores that rows and panes take."""
    row = measured.arrow_us if demand.arrow else measured.json_us
    inputs, labels = panes_of(demand, shards)
    truth_us = measured.truth_us.value + measured.truth_far_us.value
    return 1e-6 * (
        demand.events_per_second * row.at(demand.features).value
        + demand.truths_per_second * truth_us
        + inputs * measured.input_pane_us.value
        + labels * measured.label_pane_us.value
    )


def own_cores(demand: Demand, measured: Measured) -> float:
    """What a worker takes of its core without rows."""
    checkpoints = 1e-6 * measured.checkpoint_us.value / demand.checkpoint_s
    return checkpoints + measured.idle_cores.value

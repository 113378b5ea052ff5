"""G1: nothing changes, and rows are exchangeable. How often is something said all the same?"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.quality import monitor, streams
from benchmarks.quality.case import PeerRun, Run, Stream, Target, Told, alarms_of
from benchmarks.quality.scoring import DAY_ROWS, Truth
from schemas.policy import Task
from streams.ingest.plan import Plan

WINDOW_ROWS = 2_000
GROUP = "SEX"


class ExchangeableNull:
    """Employment, two years pooled and permuted: 16 features, score, error, calibration, groups."""

    name = "G1"
    title = "Nothing changes, rows are exchangeable: employment, two years permuted"
    streams = (Stream("", "employment", Truth(), 0, DAY_ROWS, WINDOW_ROWS),)
    seeds = 200

    def run(self, seed: int) -> list[Run]:
        """A monitor-day of 24 windows; each seed has a reference and a stream of its own."""
        reference, live = streams.pooled(seed, DAY_ROWS)
        plan = plan_of(reference, window_rows=WINDOW_ROWS, group=GROUP)
        told = watched(plan, live, group=GROUP)
        return [Run("", seed, tuple(told.alarms()))]

    def tell(self, runs: Sequence[Run], peers: Sequence[PeerRun]) -> Told:
        """The target is on false episodes, over all signals together."""
        score = self.streams[0].score(alarms_of(runs, ""))
        return Told(
            [Target("false episodes per monitor-day", score.false_per_day.value, 0.1)],
            notes=["Groups: error rate and calibration of each sex, beside those of all rows."],
        )


def plan_of(reference: streams.Rows, *, window_rows: int, group: str = "") -> Plan:
    """The default policy for employment; budgets follow from the reference."""
    fairness = {"groups": [group] if group else []}
    rules = monitor.policy(Task.BINARY, window_rows=window_rows, fairness=fairness)
    return monitor.plan_of(rules, monitor.profile(rules, reference))


def watched(plan: Plan, live: streams.Rows, *, group: str = "") -> monitor.Told:
    """Watch rows under a plan."""
    sheet = monitor.sheet_of(plan, live, group=group)
    return monitor.watch(monitor.control_for(plan), [monitor.in_order(sheet)])

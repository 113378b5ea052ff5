"""G6: a canary that is worse by a little, by more, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from statistics import median

import numpy as np

from benchmarks.quality import arms, monitor, streams
from benchmarks.quality.arms import Course
from benchmarks.quality.case import (
    Cell,
    Line,
    PeerRun,
    Picture,
    Run,
    Stream,
    Table,
    Target,
    Told,
    figures,
)
from benchmarks.quality.scoring import Estimate, quantile, share
from schemas.policy import Policy, Task

BASELINE = 0.50
THRESHOLDS = (0.475, 0.375, 0.35, 0.325, 0.30, 0.275)
NULL = 0.475
FLOORS = {0.325: 11_500, 0.30: 6_300, 0.275: 3_400}
"""Rows per arm at which a test with a size fixed beforehand has a power of .80."""

WINDOW_ROWS = 320
"""About 200 looks at 64,493 rows."""

HEADER = (
    "threshold",
    "rolled back",
    "within twice the fixed-size floor",
    "median rows per arm",
    "p90",
    "promoted",
    "one z test at the floor",
)
POLICY_NOTE = (
    "Policy: error rate, margin 0 (the default allows one point), half of the households; all "
    "else default. Outcomes of a household are not independent, and the evidence is not tempered "
    "for it: the false rollbacks counted here say what that costs."
)
FLOOR_NOTE = (
    "The floors hold for independent rows and the harm of the whole file. Here rows come in "
    "households, and the harm is smaller among the early rows, so that a z test looked at once, "
    "at the floor, has less power than .80 too: see the last column."
)
SHADOW_NOTE = (
    "Shadow: both decisions on each row, bet B4 on the pairs; households in random order. Rows "
    "per arm are pairs there."
)


class CanaryRollback:
    """Employment of 2017: the canary decides at another threshold than the baseline."""

    name = "G6"
    title = "Canary: employment 2017, households split by hash, another decision threshold"
    streams: tuple[Stream, ...] = ()
    seeds = 1_000

    def run(self, seed: int) -> list[Run]:
        """All thresholds under one split of the households, and shadows in one random order."""
        looks, units = _looks(), _units()
        canary = streams.in_canary(units.names, seed)
        order = np.random.default_rng(seed).permutation(len(units.names))
        split = arms.split(canary, units, WINDOW_ROWS)
        runs = [
            Run("split", seed, figures={"rows": split.rows, "units": split.units}),
        ]
        for threshold in THRESHOLDS:
            wrong, usual = looks[threshold], looks[BASELINE]
            course = arms.concurrent(canary, units, wrong, usual, _policy(), WINDOW_ROWS)
            paired = arms.shadow(order, units, wrong, usual, _policy(), WINDOW_ROWS)
            found = _figures(course)
            if threshold in FLOORS:
                found["fixed"] = arms.fixed_size(
                    canary, units, wrong, usual, rows_per_arm=FLOORS[threshold]
                )
            runs.append(Run(f"canary {threshold:g}", seed, figures=found))
            runs.append(Run(f"shadow {threshold:g}", seed, figures=_figures(paired)))
        return runs

    def tell(self, runs: Sequence[Run], peers: Sequence[PeerRun]) -> Told:
        """False rollbacks of the canary that is not worse, and power of the others."""
        harm = _harm()
        targets = [Target("false rollbacks", _rolled_back(runs, f"canary {NULL:g}").value, 0.05)]
        for threshold, floor in FLOORS.items():
            power = _rolled_back(runs, f"canary {threshold:g}", within=2 * floor).value
            text = f"power within {2 * floor:,} rows per arm, {100 * harm[threshold]:+.2f} points"
            targets.append(Target(text, power, 0.8, "at least"))
        return Told(
            targets,
            tables=[
                _decisions(runs, harm, "canary"),
                _decisions(runs, harm, "shadow"),
                _dummies_and_peers(peers),
                _srm(runs),
            ],
            pictures=[_power(runs, harm)],
            notes=[
                POLICY_NOTE,
                FLOOR_NOTE,
                SHADOW_NOTE,
            ],
        )


def rules(*, margin: float = 0.0) -> Policy:
    """The default policy with one guardrail."""
    return monitor.policy(
        Task.BINARY,
        window_rows=WINDOW_ROWS,
        canary={"guardrails": [{"metric": "error_rate", "margin": margin}]},
    )


@cache
def _policy() -> Policy:
    return rules()


@cache
def _looks() -> Mapping[float, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Errors (n,) of each threshold."""
    rows, _ = streams.households()
    if rows.score is None or rows.truth is None:
        raise ValueError("employment rows lack scores or truths; load them with both")
    return {
        threshold: (rows.score >= threshold) != (rows.truth == 1)
        for threshold in (BASELINE, *THRESHOLDS)
    }


@cache
def _units() -> arms.Units:
    return arms.Units.of(streams.households()[1])


def _harm() -> dict[float, float]:
    looks = _looks()
    return {t: float(looks[t].mean() - looks[BASELINE].mean()) for t in THRESHOLDS}


def _figures(course: Course) -> dict[str, float]:
    """Rows per arm at the decision, whichever it was; the difference seen at the end."""
    found: dict[str, float] = {"difference": course.difference}
    if course.rollback_rows is not None:
        found["rollback"] = course.rollback_rows
    if course.promote_rows is not None:
        found["promote"] = course.promote_rows
    return found


def _rolled_back(runs: Sequence[Run], stream: str, *, within: float = np.inf) -> Estimate:
    total = sum(run.stream == stream for run in runs)
    return share(sum(rows <= within for rows in figures(runs, stream, "rollback")), total)


def _decisions(runs: Sequence[Run], harm: Mapping[float, float], kind: str) -> Table:
    rows: list[list[Cell]] = []
    for threshold in THRESHOLDS:
        stream = f"{kind} {threshold:g}"
        total = sum(run.stream == stream for run in runs)
        rolled = figures(runs, stream, "rollback")
        fixed = figures(runs, stream, "fixed")
        within = 2 * FLOORS[threshold] if threshold in FLOORS else None
        rows.append(
            [
                f"{threshold:g} ({100 * harm[threshold]:+.2f} points)",
                share(len(rolled), total),
                _rolled_back(runs, stream, within=within) if within else None,
                median(rolled) if rolled else None,
                quantile(rolled, 0.9) if rolled else None,
                share(len(figures(runs, stream, "promote")), total),
                share(int(sum(fixed)), len(fixed)) if fixed else None,
            ]
        )
    return Table(kind.capitalize(), HEADER, rows)


def _dummies_and_peers(peers: Sequence[PeerRun]) -> Table:
    """The same figures of tools that only roll back; the dummies need no run."""
    rows: list[list[Cell]] = [
        ["never rolls back", "any", "", Estimate(0.0), Estimate(0.0)],
        ["rolls back at the first look", "any", "", Estimate(1.0), Estimate(1.0)],
    ]
    for peer in peers:
        threshold = float(peer.stream.rpartition(" ")[2])
        within = 4 * FLOORS[threshold] if threshold in FLOORS else None
        soon = [any(a.at < within for a in run) for run in peer.runs] if within else []
        rows.append(
            [
                f"{peer.peer} {peer.version}",
                f"{threshold:g}",
                peer.operating_point,
                share(sum(map(bool, peer.runs)), len(peer.runs)),
                share(sum(soon), len(soon)) if soon else None,
            ]
        )
    header = ("tool", "threshold", "operating point", *HEADER[1:3])
    return Table("Dummies and other tools", header, rows)


def _srm(runs: Sequence[Run]) -> Table:
    total = sum(run.stream == "split" for run in runs)
    differences = np.array(figures(runs, f"canary {NULL:g}", "difference"))
    rows, _ = streams.households()
    rate = float(_looks()[BASELINE].mean())
    independent = rate * (1 - rate) * 4 / len(rows)
    inflation = float(differences.var()) / independent if len(differences) > 1 else None
    return Table(
        "Split of the traffic, as planned",
        ("sample ratio mismatch counted by", "runs that alarm (alpha .001)"),
        [
            ["household", share(int(sum(figures(runs, "split", "units"))), total)],
            ["row", share(int(sum(figures(runs, "split", "rows"))), total)],
            ["variance of the difference against independent rows", inflation],
        ],
    )


def _power(runs: Sequence[Run], harm: Mapping[float, float]) -> Picture:
    grid = list(range(0, 32_001, 500))
    lines = [
        Line(
            f"{100 * harm[threshold]:+.2f} points",
            grid,
            [_rolled_back(runs, f"canary {threshold:g}", within=n).value or 0.0 for n in grid],
        )
        for threshold in THRESHOLDS
    ]
    return Picture(
        "Share of canaries rolled back", "rows per arm", "share", lines, tuple(FLOORS.values())
    )

"""Frouros: detectors on the error stream; KS and chi-square tests on each window."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import common_streams as streams
import numpy as np
import record
from error_detectors import Method, Step, run
from frouros.detectors import concept_drift as concept
from frouros.detectors.data_drift import ChiSquareTest, KSTest

SEEDS = 20
LEVEL = 0.05
"""Frouros gives p-values and leaves the level to its user; this is the level of its examples."""

PValues = tuple[int, dict[str, float]]
"""Last row of a window, and the p-value of each column."""


class Detector(Protocol):
    """What Frouros' streaming detectors have in common."""

    drift: bool

    def update(self, value: int) -> object:
        """Take the next value."""

    def reset(self) -> None:
        """Start anew."""


def steps(detector: Detector) -> Step:
    """One value in, whether a drift was detected out; its user starts it anew after one."""

    def step(error: int) -> bool:
        detector.update(value=error)
        if not detector.drift:
            return False
        detector.reset()
        return True

    return step


def method(
    name: str,
    parameter: str,
    grid: Sequence[float],
    make: Callable[[float, int], Detector],
    *,
    slow: bool = False,
) -> Method:
    """A detector by its configuration."""
    return Method(
        name,
        parameter,
        tuple(grid),
        lambda value, seed: steps(make(value, seed)),
        slow=slow,
        match=False,
    )


METHODS = (
    method(
        "DDM",
        "drift_level",
        (3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 8.0),
        lambda value, _: concept.DDM(concept.DDMConfig(drift_level=value)),
    ),
    method(
        "EDDM",
        "beta",
        (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3),
        lambda value, _: concept.EDDM(concept.EDDMConfig(beta=value)),
    ),
    method(
        "PageHinkley",
        "lambda_",
        (50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0),
        lambda value, _: concept.PageHinkley(concept.PageHinkleyConfig(lambda_=value)),
    ),
    method(
        "CUSUM",
        "lambda_",
        (50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0),
        lambda value, _: concept.CUSUM(concept.CUSUMConfig(lambda_=value)),
    ),
    method(
        "HDDM_A",
        "alpha_d",
        (1e-3,),
        lambda value, _: concept.HDDMA(concept.HDDMAConfig(alpha_d=value)),
        slow=True,
    ),
    method(
        "RDDM",
        "drift_level",
        (2.258,),
        lambda value, _: concept.RDDM(concept.RDDMConfig(drift_level=value)),
        slow=True,
    ),
    method(
        "STEPD",
        "alpha_d",
        (0.003,),
        lambda value, _: concept.STEPD(concept.STEPDConfig(alpha_d=value)),
        slow=True,
    ),
    method(
        "ADWIN",
        "delta",
        (0.002,),
        lambda value, _: concept.ADWIN(concept.ADWINConfig(delta=value)),
        slow=True,
    ),
    method(
        "KSWIN",
        "alpha",
        (1e-4,),
        lambda value, seed: concept.KSWIN(concept.KSWINConfig(alpha=value, seed=seed)),
        slow=True,
    ),
)


def smallest(table: streams.Table, rows: int) -> list[PValues]:
    """Row, and p-values by column, of each window."""
    coded = set(streams.EMPLOYMENT_FEATURES) - set(streams.EMPLOYMENT_NUMERIC) | {"error"}
    names = [name for name in table.reference.columns if name != "label"]
    tests = {name: ChiSquareTest() if name in coded else KSTest() for name in names}
    for name, test in tests.items():
        test.fit(X=table.reference[name].to_numpy())
    return [
        (at, {name: _p_value(test, window[name].to_numpy()) for name, test in tests.items()})
        for at, window in table.windows(rows)
    ]


def _p_value(test: KSTest | ChiSquareTest, values: np.ndarray) -> float:
    return float(test.compare(X=values)[0].p_value)


def tested(
    case: str, variant: str, tables: Sequence[Callable[[], streams.Table]], rows: int
) -> None:
    """A test of every column of every window, alone and with Bonferroni over 240 windows."""
    started = time.perf_counter()
    windows = [smallest(build(), rows) for build in tables]
    strict = 1.0 / (240 * len(windows[0][0][1]))
    common: dict[str, object] = {"tests": "KSTest, ChiSquareTest"}
    rule: dict[str, object] = {"set_on": "no rows: .05 becomes one over 240 windows of all columns"}
    if case != "G1":
        rule |= {"feasible": False, "why": "p-values hold for independent rows only"}
    _write(case, variant, "default", runs(windows, LEVEL), common, LEVEL, rows, started)
    _write(case, variant, "matched", runs(windows, strict), common | rule, strict, rows, started)


def runs(windows: Sequence[Sequence[PValues]], level: float) -> list[record.Run]:
    """Columns below the level, each by itself."""
    return [
        record.Run(
            seed=seed,
            alarms=record.alarms(
                (at, name) for at, ps in seen for name, p in ps.items() if p < level
            ),
        )
        for seed, seen in enumerate(windows)
    ]


def _write(
    case: str,
    variant: str,
    point: record.Point,
    found: Sequence[record.Run],
    settings: dict[str, object],
    level: float,
    rows: int,
    started: float,
) -> None:
    record.write(
        peer="frouros tests",
        package="frouros",
        case=case,
        variant=variant,
        point=point,
        settings={**settings, "level": level},
        runs=found,
        rows_per_window=rows,
        started=started,
    )


def main() -> None:
    """Run the cases asked for."""
    options = record.arguments()
    if options.only in ("", "G2"):
        tested("G2", "SKAB", [lambda: streams.skab(options.data)], 500)
        copies = [lambda seed=seed: streams.autoregressive(seed) for seed in range(SEEDS)]
        tested("G2", "AR(.9)", copies, 500)
    if options.only in ("", "G1"):
        permuted = [lambda seed=seed: streams.employment(options.data, seed) for seed in range(5)]
        tested("G1", "", permuted, streams.ROWS_PER_WINDOW)
    run("frouros", METHODS, options.data, options.only)


if __name__ == "__main__":
    main()

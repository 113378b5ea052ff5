"""Detectors that read an error stream one value at a time, run over the cases that have one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import common_streams as streams
import numpy as np
import record

Step = Callable[[int], bool]
"""Takes the next error; True if the detector reports a drift. It starts anew after one."""

DAYS = 10
DAY_ROWS = streams.WINDOWS_PER_DAY * streams.ROWS_PER_WINDOW
EPISODE_ROWS = 1_000
SEEDS = 20
NULL_SEEDS = 200
SLOW_SEEDS = 5
SHIFTED_RATES = (0.12, 0.15, 0.20)


@dataclass(frozen=True)
class Method:
    """A detector and the parameter that makes it slower to alarm.

    ``make(value, seed)`` builds one; ``grid`` holds the default and then stricter values. A slow
    one is run on fewer seeds. Where ``match`` is off, the grid is searched for G3 alone, which has
    one reference; every seed of the others has its own.
    """

    name: str
    parameter: str
    grid: tuple[float, ...]
    make: Callable[[float, int], Step]
    slow: bool = False
    match: bool = True


def alarms(step: Step, errors: streams.Errors) -> list[record.Alarm]:
    """Rows that alarmed."""
    rows = (row for row, error in enumerate(errors.live.tolist()) if step(error))
    return record.alarms((errors.first + row, "error") for row in rows)


@cache
def strictness(method: Method, reference: bytes, seed: int) -> float | None:
    """The first value of the grid with at most one false episode in ten days of reference errors.

    The days are drawn from the reference errors with replacement, so they have no order in time.
    """
    random = np.random.default_rng((seed, DAYS))
    errors = np.frombuffer(reference, np.int8)
    days = [random.choice(errors, DAY_ROWS) for _ in range(DAYS)]
    for value in method.grid:
        if _few_episodes(method, value, days, seed):
            return value
    return None


def _few_episodes(method: Method, value: float, days: Sequence[streams.Flags], seed: int) -> bool:
    episodes = 0
    for day in days:
        step, begun = method.make(value, seed), -EPISODE_ROWS - 1
        for row, error in enumerate(day.tolist()):
            if step(error) and row > begun + EPISODE_ROWS:
                episodes, begun = episodes + 1, row
                if episodes > 1:
                    return False
    return True


@dataclass(frozen=True)
class Case:
    """Streams by seed, and at which operating point."""

    name: str
    variant: str
    point: record.Point
    runs: Sequence[tuple[int, streams.Errors]]


def cases(data: Path, only: str, method: Method) -> Iterator[Case]:
    """What a detector runs over, out of the box and then matched."""
    seeds = range(SLOW_SEEDS if method.slow else SEEDS)
    nulls = range(SLOW_SEEDS if method.slow else NULL_SEEDS)
    matched = seeds if method.match and len(method.grid) > 1 else range(0)
    if only in ("", "G3"):
        yield Case("G3", "", "default", [(0, streams.insects(data))])
        if len(method.grid) > 1:
            yield Case("G3", "", "matched", [(0, streams.insects(data))])
    if only in ("", "errors"):
        for rate in SHIFTED_RATES:
            yield _shifted(rate, "default", seeds)
            yield _shifted(rate, "matched", matched)
    if only in ("", "G1"):
        yield _permuted(data, "default", nulls)
        yield _permuted(data, "matched", matched)


def _shifted(rate: float, point: record.Point, seeds: range) -> Case:
    runs = [(seed, streams.shifted_errors(seed, rate)) for seed in seeds]
    return Case("errors", f"p={rate:.2f}", point, runs)


def _permuted(data: Path, point: record.Point, seeds: range) -> Case:
    return Case(
        "G1", "", point, [(seed, streams.employment(data, seed).errors()) for seed in seeds]
    )


def run(package: str, methods: Sequence[Method], data: Path, only: str) -> None:
    """Every method over every case, out of the box and matched."""
    for method in methods:
        for case in cases(data, only, method):
            if case.runs:
                _run_case(package, method, case)


def _run_case(package: str, method: Method, case: Case) -> None:
    started = time.perf_counter()
    values, settings = _settings(method, case)
    runs = [
        record.Run(seed=seed, alarms=alarms(method.make(value, seed), errors))
        for value, (seed, errors) in zip(values, case.runs, strict=True)
    ]
    record.write(
        peer=f"{package} {method.name}",
        package=package,
        case=case.name,
        variant=case.variant,
        point=case.point,
        settings=settings,
        runs=runs,
        rows_per_window=1,
        started=started,
    )


def _settings(method: Method, case: Case) -> tuple[list[float], dict[str, object]]:
    """The parameter of each run, and what to say of it."""
    default, strictest = method.grid[0], method.grid[-1]
    settings: dict[str, object] = {"detector": method.name}
    if case.point == "default":
        return [default] * len(case.runs), {**settings, method.parameter: default}
    found = [strictness(method, errors.reference.tobytes(), seed) for seed, errors in case.runs]
    values = [strictest if value is None else value for value in found]
    settings |= {method.parameter: values, "set_on": "ten days drawn from reference errors"}
    if None in found:
        settings |= {
            "feasible": False,
            "why": f"{found.count(None)} of {len(found)} references have more than one false "
            "episode in ten days with every value tried; the strictest is used there",
        }
    return values, settings

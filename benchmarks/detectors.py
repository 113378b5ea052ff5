"""How long DECIDE's tests take in a window, one by one and in a bank.

``python -m benchmarks.detectors`` steps the same tests both ways in turn, several times, and
writes ``benchmarks/results/detectors.json``. One by one is a `BettingTest` object for each test,
kept between windows; a bank's time includes its memory as bytes. Time is CPU time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from time import process_time
from typing import Any, TypeVar

import numpy as np

from benchmarks import output
from benchmarks.figures import Spread, share
from detectors.bets import (
    ArmCounts,
    BinaryBet,
    BinarySums,
    BoundedBet,
    BoundedSums,
    ExpectedCount,
    PairCounts,
    PairedBet,
    PoissonBet,
    TwoSampleBet,
    WindowSums,
)
from detectors.sequential import BettingBank, BettingTest

TARGET_MS = 50.0
WINDOWS = 20
SHARE = 1e-4

Many = TypeVar("Many", bound=Any)


@dataclass(frozen=True)
class Kind:
    """One kind of test, each with a limit of its own, and a window of every one of them."""

    name: str
    bet: Any
    sums: WindowSums


def kinds(size: int) -> list[Kind]:
    """Windows of 200 events near the limit, for `size` tests of each kind."""
    rng = np.random.default_rng(1)
    n = np.full(size, 200)
    s = rng.binomial(200, 0.05, size)
    loss = ArmCounts(n_c=n, k_c=s, n_b=4 * n, k_b=rng.binomial(800, 0.05, size), b0=0.05 + 0 * n)
    worse, better, same = rng.multinomial(200, [0.02, 0.02, 0.96], size=size).T
    mu, limit = np.full(size, 50.0), rng.uniform(0.04, 0.08, size)
    return [
        Kind("B1 binary", BinaryBet(limit), BinarySums(n=n, s=s)),
        Kind("B2 bounded", BoundedBet(limit), BoundedSums(n=n, s=0.8 * s, q=0.64 * s)),
        Kind("B3 harm", TwoSampleBet(0.2 * limit), loss),
        Kind("B4 paired", PairedBet(0.2 * limit), PairCounts(n10=worse, n01=better, n0=same)),
        Kind("B5 counts", PoissonBet(), ExpectedCount(count=rng.poisson(mu), mu=mu)),
    ]


def single(many: Many, place: int) -> Many:
    """One test's part of the settings, or of the sums, of all."""
    columns = {field.name: getattr(many, field.name) for field in fields(many)}
    own = {name: float(c[place]) for name, c in columns.items() if isinstance(c, np.ndarray)}
    return replace(many, **own)


def one_by_one(kind: Kind, size: int) -> float:
    """Milliseconds for a window of all tests, each an object."""
    tests = [BettingTest(single(kind.bet, place)) for place in range(size)]
    windows = [single(kind.sums, place) for place in range(size)]
    begun = process_time()
    for test, window in zip(tests, windows, strict=True):
        if test.update(window, share=SHARE):
            test.reset()
    return 1_000 * (process_time() - begun)


def in_a_bank(kind: Kind, size: int) -> float:
    """Milliseconds for a window of all tests: increments, step, alarms, reset, and the bytes."""
    bank = BettingBank(kind.bet, size)
    begun = process_time()
    for _ in range(WINDOWS):
        bank.reset(bank.update(kind.sums, share=SHARE))
        bank.state()
    return 1_000 * (process_time() - begun) / WINDOWS


def main() -> None:
    """Measure, print and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detectors", description=__doc__)
    parser.add_argument("--tests", type=int, default=10_000, help="tests stepped in a window")
    parser.add_argument("--runs", type=int, default=5)
    options = output.parsed(parser, "detectors")
    found: dict[str, list[dict[str, float]]] = {}
    units = kinds(options.tests)
    for number in range(options.runs):
        for kind in units:
            ms = {
                "bank": in_a_bank(kind, options.tests),
                "one by one": one_by_one(kind, options.tests),
            }
            found.setdefault(kind.name, []).append(ms)
            print(
                f"run {number + 1}, {kind.name}: bank {ms['bank']:.1f} ms, "
                f"one by one {ms['one by one']:.0f} ms",
                flush=True,
            )
    print(f"\n{options.tests:,} tests, one window", *lines(found), sep="\n  ")
    write(options.output, found, tests=options.tests, windows_per_bank_run=WINDOWS)


def lines(found: dict[str, list[dict[str, float]]]) -> Iterator[str]:
    """Times over all runs, the ratio, and the verdict on the target."""
    yield f"{'CPU milliseconds':24} {'minimum':>8} {'median':>8} {'maximum':>8}"
    for name, runs in found.items():
        for way in ("bank", "one by one"):
            each = Spread.of(ms[way] for ms in runs)
            label = f"{name}, {way}"
            yield f"{label:24} {each.minimum:8.1f} {each.median:8.1f} {each.maximum:8.1f}"
        ratio, bank = share(runs, "one by one", "bank"), Spread.of(ms["bank"] for ms in runs)
        verdict = "met" if bank.median <= TARGET_MS else "missed"
        yield (
            f"{name}: the bank is {ratio.median:.0f} times as fast "
            f"({ratio.minimum:.0f} to {ratio.maximum:.0f}), target {TARGET_MS:g} ms: {verdict}"
        )


def write(path: Path, found: dict[str, list[dict[str, float]]], **about: int) -> None:
    """Write every run, the ratios and the machine."""
    result = {
        **about,
        "kinds": {
            name: {
                "cpu_milliseconds": [
                    {way: round(value, 3) for way, value in ms.items()} for ms in runs
                ],
                "bank": Spread.of(ms["bank"] for ms in runs).rounded() | {"target": TARGET_MS},
                "times_as_fast": share(runs, "one by one", "bank").rounded(),
            }
            for name, runs in found.items()
        },
    }
    output.write(path, result)


if __name__ == "__main__":
    main()

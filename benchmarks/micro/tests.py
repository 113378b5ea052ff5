"""Tests: ten thousand sequential tests take in a window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from benchmarks.micro.case import Case, Do
from detectors.bets import BinaryBet, BinarySums
from detectors.bets.grid import K
from detectors.sequential import BettingBank

TESTS = 10_000
SHARE = 1e-4


@contextmanager
def opened() -> Iterator[tuple[Callable[[], Do], Do]]:
    """A bank of tests of a rate; and the logarithms that its bets need."""
    rng = np.random.default_rng(1)
    bank = BettingBank(BinaryBet(rng.uniform(0.04, 0.08, TESTS)), TESTS)
    sums = BinarySums(n=np.full(TESTS, 200), s=rng.binomial(200, 0.05, TESTS))
    numbers = rng.uniform(0.1, 2, (TESTS, K))

    def work() -> None:
        bank.reset(bank.update(sums, share=SHARE))
        bank.state()

    yield lambda: work, lambda: np.log(numbers)


CASE = Case("tests", "numpy takes a logarithm for each test and stake", opened)

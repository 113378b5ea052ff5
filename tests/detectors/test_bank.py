"""A bank of tests is its tests one by one, with the same bits."""

from dataclasses import fields, replace

import numpy as np
import pytest

from detectors.bets import (
    BinaryBet,
    BinarySums,
    ExpectedCount,
    PoissonBet,
    TwoSampleBet,
    WindowSums,
)
from detectors.checks.specimen import Specimen
from detectors.checks.specimens import SPECIMENS
from detectors.sequential import BettingBank, BettingTest
from detectors.sequential.bank import log_shares
from schemas.errors import ConfigurationError

BETTING = [specimen for specimen in SPECIMENS if isinstance(specimen.make(), BettingTest)]
SIZE, WINDOWS = 40, 25


def stacked(rows: list[WindowSums]) -> WindowSums:
    """Sums of many tests, each field an array."""
    columns = {
        field.name: np.array([getattr(row, field.name) for row in rows], dtype=float)
        for field in fields(rows[0])
    }
    return replace(rows[0], **columns)


def drawn(specimen: Specimen, rng: np.random.Generator) -> list[WindowSums]:
    """One window for each test: healthy, shifted and empty ones."""
    draws = [specimen.null, specimen.shifted, lambda _: specimen.empty]
    return [draws[choice](rng) for choice in rng.choice(3, p=[0.6, 0.2, 0.2], size=SIZE)]


@pytest.mark.parametrize("specimen", BETTING, ids=lambda specimen: specimen.name)
def test_a_bank_is_its_tests_bit_for_bit(specimen: Specimen) -> None:
    """Every bet, with empty windows, resets and shares that differ; alarms and wealth agree."""
    rng = np.random.default_rng(81)
    tests = [specimen.make() for _ in range(SIZE)]
    bank = BettingBank(tests[0].bet, SIZE)
    alarms = 0
    for _ in range(WINDOWS):
        rows, shares = drawn(specimen, rng), rng.choice([0.0, 1e-4, 0.003], size=SIZE)
        found = bank.update(stacked(rows), share=shares)
        alone = [
            test.update(row, share=s) for test, row, s in zip(tests, rows, shares, strict=True)
        ]
        assert found.tolist() == alone
        assert bank.log_m.tolist() == [test.log_m for test in tests]
        bank.reset(found)
        for test in np.array(tests)[found]:
            test.reset()
        alarms += found.sum()
    assert alarms >= 5
    memories = np.frombuffer(bank.state()).reshape(SIZE, -1)
    for memory, test in zip(memories, tests, strict=True):
        assert (memory.tolist() if np.isfinite(memory).all() else []) == test.state()


def test_each_test_may_have_settings_of_its_own() -> None:
    """Limits as an array: each row is the test with that limit."""
    rng = np.random.default_rng(82)
    limits = rng.uniform(0.01, 0.5, size=SIZE)
    n = rng.integers(1, 300, size=SIZE)
    sums = BinarySums(n=n, s=rng.binomial(n, np.minimum(2 * limits, 1.0)))
    bank = BettingBank(BinaryBet(limits), SIZE)
    found = bank.update(sums, share=0.001)
    for place, limit in enumerate(limits):
        test = BettingTest(BinaryBet(limit))
        row = BinarySums(n=n[place], s=sums.s[place])
        assert test.update(row, share=0.001) == found[place]
        assert test.log_m == bank.log_m[place]


def test_a_bank_is_written_down_and_taken_up_again() -> None:
    """96 bytes a test; the same windows then give the same bytes, whatever was reset before."""
    rng = np.random.default_rng(83)
    whole = cut = BettingBank(TwoSampleBet(0.01), SIZE)
    specimen = next(one for one in BETTING if one.name == "B3 harm")
    for _ in range(10):
        cut = BettingBank(TwoSampleBet(0.01), SIZE).resume(cut.state())
        sums = stacked(drawn(specimen, rng))
        assert whole.update(sums, share=0.002).tolist() == cut.update(sums, share=0.002).tolist()
        whole.reset(whole.log_m >= 0.0)
        cut.reset(cut.log_m >= 0.0)
        assert cut.state() == whole.state()
    assert (whole.memory, len(whole.state())) == (96, 96 * SIZE)
    with pytest.raises(ValueError, match="95 bytes"):
        whole.resume(b"0" * 95)


def test_false_alarms_of_a_bank_are_within_the_sum_of_its_shares() -> None:
    """1,000 tests on their limit for 300 windows, each reset at its alarm."""
    rng, windows, share = np.random.default_rng(84), 300, 0.005
    limits = rng.uniform(0.02, 0.3, size=1_000)
    bank, alarms = BettingBank(BinaryBet(limits), 1_000), np.zeros(1_000)
    for _ in range(windows):
        sums = BinarySums(n=np.full(1_000, 50), s=rng.binomial(50, limits))
        found = bank.update(sums, share=share)
        alarms += found
        bank.reset(found)
    assert 0.0 < alarms.mean() <= share * windows + 3 * alarms.std() / np.sqrt(1_000)


def test_nothing_is_changed_where_an_update_is_refused() -> None:
    """NaN in one row, another number of rows, a share that is none: an error that names it."""
    bank = BettingBank(PoissonBet(), size=2)
    good = ExpectedCount(count=np.array([9.0, 0.0]), mu=np.array([4.0, 0.0]))
    bank.update(good, share=0.01)
    before = bank.state()
    for sums, share, kind, words in (
        (replace(good, mu=np.array([4.0, np.nan])), 0.01, ValueError, r"mu\[1\] is nan"),
        (replace(good, count=np.ones(3)), 0.01, ValueError, r"count has shape \(3,\)"),
        (good, [0.01, 1.5], ConfigurationError, "share is 1.5"),
        (good, [[0.01], [0.01], [0.01]], ValueError, "this bank holds"),
    ):
        with pytest.raises(kind, match=words):
            bank.update(sums, share=share)
        assert bank.state() == before
    with pytest.raises(ConfigurationError, match="size is 0"):
        BettingBank(PoissonBet(), size=0)
    with pytest.raises(ConfigurationError, match="share is nan"):
        log_shares([0.1, np.nan])

"""Embeddings: numbers fixed for ever, exact sums, false alarms, power, and what is refused."""

import math
from hashlib import blake2b

import numpy as np
import pytest

from detectors.distributions import chi2_isf
from detectors.drift.witness import WitnessTest
from detectors.embeddings.projections import (
    EmbeddingCounts,
    EmbeddingReference,
    directions,
    project,
)
from detectors.embeddings.rff_mmd import RffReference, frequencies, median_distance
from detectors.embeddings.vectors import collect
from schemas.errors import ConfigurationError

ENCODER = "minilm-6"


def witnesses(reference: EmbeddingReference, eps: float) -> list[WitnessTest]:
    """One witness test for each histogram."""
    return [WitnessTest(row, eps=eps) for row in (*reference.counts, reference.norm_counts)]


def any_alarm(tests: list[WitnessTest], window: EmbeddingCounts, share: float) -> list[bool]:
    """Bet on one window in every test, the share split evenly."""
    rows = (*window.projections, window.norms)
    return [t.update(c, share=share / 17) for t, c in zip(tests, rows, strict=True)]


def test_random_numbers_are_the_same_for_ever() -> None:
    """A stored profile must fit the directions and frequencies of any later version."""
    table = directions(ENCODER, 384)
    bits = np.packbits((table > 0).astype(np.uint8))
    assert blake2b(bits.tobytes(), digest_size=8).hexdigest() == "6f1026d7855e46cc"
    weights, phases = frequencies(ENCODER, 8)
    assert weights[0].tolist() == [-147.0, 246.0, 514.0, 121.0, 232.0, 239.0, 179.0, 45.0]
    assert phases[0] == pytest.approx(4.459546982292517, abs=1e-12)


def test_directions_are_fair_and_differ_by_encoder_and_dimension() -> None:
    """Signs balance, rows are nearly orthogonal, and no two keys share them."""
    table = directions(ENCODER, 4_096)
    cosine = table @ table.T / 4_096
    assert np.abs(table.mean(axis=1)).max() < 5 / math.sqrt(4_096)
    assert np.abs(cosine - np.eye(16)).max() < 5 / math.sqrt(4_096)
    assert not np.array_equal(table, directions("minilm-7", 4_096))
    assert not np.array_equal(table[:, :64], directions(ENCODER, 64))


def test_projections_keep_lengths_on_average() -> None:
    """The mean square of the projections is the square of the length over the dimension."""
    rows = np.random.default_rng(1).normal(size=(400, 64))
    scaled = 64 * np.square(project(rows, encoder=ENCODER)).mean(axis=1)
    assert np.mean(scaled / np.square(rows).sum(axis=1)) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("dimension", [3, 768])
def test_any_split_of_a_batch_gives_the_same_bits(dimension: int) -> None:
    """Histograms add exactly, and every row's features do not depend on its neighbours."""
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(301, dimension))
    reference = EmbeddingReference.learn(rows, encoder=ENCODER)
    rff = RffReference.learn(rows, encoder=ENCODER)
    whole, z = reference.count(rows, encoder=ENCODER), rff.features(rows)
    parts = np.array_split(rows, np.sort(rng.choice(np.arange(1, 301), 6, replace=False)))
    counts = [reference.count(part, encoder=ENCODER) for part in parts]
    assert np.array_equal(sum(c.projections for c in counts), whole.projections)
    assert np.array_equal(sum(c.norms for c in counts), whole.norms)
    assert np.array_equal(np.concatenate([rff.features(part) for part in parts]), z)
    assert np.array_equal(reference.counts, whole.projections)
    assert np.array_equal(reference.norm_counts, whole.norms)


def test_vectors_that_cannot_be_used_are_counted() -> None:
    """Missing, short, long and not finite vectors never reach the histograms."""
    batch = collect([[1.0, 2.0], None, [1.0], [1.0, 2.0, 3.0], [math.inf, 0.0], []], dimension=2)
    assert batch.rows.tolist() == [0]
    assert (batch.missing, batch.wrong) == (1, 4)
    assert collect([], dimension=2).matrix.shape == (0, 2)


def test_another_encoder_or_dimension_is_refused() -> None:
    """The message names both sides."""
    rows = np.random.default_rng(3).normal(size=(50, 4))
    reference = EmbeddingReference.learn(rows, encoder=ENCODER)
    with pytest.raises(ConfigurationError, match=r"'minilm-7' with dimension 4 .* 'minilm-6'"):
        reference.count(rows, encoder="minilm-7")
    with pytest.raises(ConfigurationError, match="dimension 3 do not compare"):
        reference.count(rows[:, :3], encoder=ENCODER)
    with pytest.raises(ConfigurationError, match="dimension 8193"):
        collect([], dimension=8_193)
    with pytest.raises(ConfigurationError, match="1 vectors"):
        EmbeddingReference.learn(rows[:1], encoder=ENCODER)
    rff = RffReference.learn(rows, encoder=ENCODER)
    with pytest.raises(ConfigurationError, match="dimension 3; the reference"):
        rff.features(rows[:, :3])
    with pytest.raises(ConfigurationError, match="vectors are equal"):
        median_distance(np.ones((5, 2)))
    with pytest.raises(ConfigurationError, match="2 vectors have no covariance"):
        RffReference.learn(rows[:2], encoder=ENCODER)


def test_false_alarms_of_all_histograms_together_are_within_budget() -> None:
    """The reference is a sample of 1,000 rows, and no tolerance is given."""
    rng, windows, share = np.random.default_rng(4), 6, 0.05
    alarms = np.zeros(1_000)
    for run in range(1_000):
        rows = rng.normal(size=(1_000 + windows * 50, 4))
        reference = EmbeddingReference.learn(rows[:1_000], encoder=ENCODER)
        tests = witnesses(reference, eps=0.0)
        for part in np.split(rows[1_000:], windows):
            window = reference.count(part, encoder=ENCODER)
            for test, alarm in zip(tests, any_alarm(tests, window, share), strict=True):
                if alarm:
                    alarms[run] += 1
                    test.reset()
    budget = share * windows
    assert alarms.mean() <= budget + 3 * math.sqrt(budget / 1_000)


def windows_until_alarm(
    reference: EmbeddingReference, rows: np.ndarray, encoder: str = ENCODER
) -> int:
    """Windows of 500 until any histogram alarms, counted from 1; 0 for never."""
    tests = witnesses(reference, eps=0.05)
    for i, part in enumerate(np.split(rows, len(rows) // 500), 1):
        if any(any_alarm(tests, reference.count(part, encoder=encoder), 1e-3)):
            return i
    return 0


def test_a_moved_cloud_a_longer_one_and_a_new_encoder_are_found() -> None:
    """Half a standard deviation in every dimension, 30 % of length, rotated coordinates."""
    rng = np.random.default_rng(5)
    spread = np.linspace(0.2, 2.0, 32)
    rows = rng.normal(1.0, 1.0, size=(10_000, 32)) * spread
    reference = EmbeddingReference.learn(rows, encoder=ENCODER)
    fresh = rng.normal(1.0, 1.0, size=(6_000, 32)) * spread
    rotation = np.linalg.qr(rng.normal(size=(32, 32)))[0]
    assert windows_until_alarm(reference, fresh) == 0
    assert 0 < windows_until_alarm(reference, fresh + 0.5 * spread) <= 8
    assert 0 < windows_until_alarm(reference, 1.3 * fresh) <= 4
    assert 0 < windows_until_alarm(reference, fresh @ rotation) <= 4


def test_vectors_of_one_length_do_not_drift_by_rounding() -> None:
    """An encoder that normalises: float32 rounding of the length stays inside one bin."""
    rows = np.random.default_rng(6).normal(size=(2_000, 64))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    reference = EmbeddingReference.learn(rows, encoder=ENCODER)
    rounded = reference.count(rows.astype(np.float32).astype(np.float64), encoder=ENCODER)
    assert reference.norm_counts.max() == 2_000
    assert np.array_equal(rounded.norms, reference.norm_counts)


def rff_distances(reference: RffReference, rows: np.ndarray, n: int) -> np.ndarray:
    """Statistic of each window of `n` rows."""
    sums = reference.features(rows).reshape(-1, n, 128).sum(axis=1)
    return np.array([reference.statistic(n, total) for total in sums])


@pytest.mark.parametrize(("n", "power"), [(50, 0.85), (200, 0.99)])
def test_rff_mmd_keeps_its_level_and_has_power(n: int, power: float) -> None:
    """About 1 % of 1,000 unchanged windows; most windows moved by 0.2 in all 32 dimensions."""
    rng = np.random.default_rng(7)
    reference = RffReference.learn(rng.normal(size=(5_000, 32)), encoder=ENCODER)
    threshold = reference.threshold(n, 0.01)
    null = rff_distances(reference, rng.normal(size=(1_000 * n, 32)), n)
    moved = rff_distances(reference, rng.normal(0.2, 1.0, size=(200 * n, 32)), n)
    assert np.mean(null > threshold) <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / 1_000)
    assert null.mean() == pytest.approx(reference.trace * (1 / n + 1 / 5_000), rel=0.1)
    assert np.mean(moved > threshold) >= power


def test_rff_p_value_threshold_and_correction_agree() -> None:
    """At the threshold the p-value is the level; nothing is known of an empty window."""
    rows = np.random.default_rng(8).normal(size=(1_000, 8))
    reference = RffReference.learn(rows, encoder=ENCODER)
    total = 100 * reference.mean
    shift = math.sqrt(reference.threshold(100, 0.01))
    total = total + 100 * shift * np.eye(128)[0]
    assert reference.p_value(100, total) == pytest.approx(0.01, abs=1e-6)
    assert reference.corrected(100, 100 * reference.mean) < 0
    assert math.isnan(reference.statistic(0, np.zeros(128)))
    assert math.isnan(reference.p_value(0, np.zeros(128)))


def test_control_reference_taken_as_exact() -> None:
    """Leaving out the sampling error of a small reference alarms many times the level."""
    rng = np.random.default_rng(9)
    reference = RffReference.learn(rng.normal(size=(200, 32)), encoder=ENCODER)
    weight = reference.trace_square / reference.trace / 200
    distances = rff_distances(reference, rng.normal(size=(500 * 200, 32)), 200)
    assert np.mean(distances > weight * chi2_isf(0.01, reference.freedom)) > 0.2

"""On which windows a sequential test is tried: healthy ones on the boundary, and shifted ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from detectors.bets.contract import Bet, Sums
from detectors.bets.kinds import (
    ArmCounts,
    ArmSums,
    BinaryBet,
    BinarySums,
    BoundedBet,
    BoundedSums,
    ExpectedCount,
    PairCounts,
    PairedBet,
    PoissonBet,
    TwoSampleBet,
    TwoSampleBoundedBet,
)
from detectors.bets.tempered import TemperedBet
from detectors.calibration.anytime import CalibrationSums, CalibrationTest
from detectors.calibration.class_wise import ClassWiseTest, class_sums
from detectors.checks import windows
from detectors.checks.specimen import BET_BYTES, Specimen
from detectors.drift.witness import WitnessTest
from detectors.estimation.propensity import WeightedBet, WeightSums
from detectors.fairness.four_fifths import GroupCounts, GroupTest, four_fifths, rate_excess
from detectors.feedback.flips import FlipTest
from detectors.patterns.constant import ConstantOutputTest
from detectors.sequential.band import Band, BandTest, Rates
from detectors.sequential.betting import BettingTest


def _bet(
    name: str,
    bet: Bet[Sums],
    null: windows.Draw[Sums],
    shifted: windows.Draw[Sums],
    empty: Sums,
    *unusable: tuple[Sums, str],
) -> Specimen[Sums, Any]:
    return Specimen(
        name=name,
        make=lambda: BettingTest(bet),
        null=null,
        shifted=shifted,
        empty=empty,
        unusable=unusable,
    )


_NAN, _INF = float("nan"), float("inf")
_NO_LABELS = WeightSums(n=0, w=0, wx=0, w2=0, w2x=0, w2x2=0, lost=0)
_NO_GROUP = GroupCounts(n=0, k=0, n_reference=200, k_reference=60)

_EVENTS = (
    BinarySums(n=0, s=0),
    (BinarySums(n=50, s=_NAN), "s is nan"),
    (BinarySums(n=[50, 50], s=3), r"n has shape \(2,\)"),
)
_VALUES = (
    BoundedSums(n=0, s=0.0, q=0.0),
    (BoundedSums(n=50, s=3.0, q=_INF), "q is inf"),
    (BoundedSums(n=50, s=[3.0], q=1.0), r"s has shape \(1,\)"),
)
_ARMS = (
    ArmCounts(n_c=0, k_c=0, n_b=50, k_b=2, b0=0.1),
    (ArmCounts(n_c=9, k_c=1, n_b=9, k_b=1, b0=_NAN), "b0 is nan"),
    (ArmCounts(n_c=9, k_c=1, n_b=9, k_b=[1, 2], b0=0.1), r"k_b has shape \(2,\)"),
)
_LOSSES = (
    ArmSums(n_c=0, s_c=0.0, q_c=0.0, n_b=50, s_b=2.0, q_b=2.0, b0=0.1),
    (ArmSums(n_c=9, s_c=_NAN, q_c=1, n_b=9, s_b=1, q_b=1, b0=0.1), "s_c is nan"),
    (ArmSums(n_c=9, s_c=1, q_c=1, n_b=9, s_b=1, q_b=[1], b0=0.1), r"q_b has shape \(1,\)"),
)
_PAIRS = (
    PairCounts(n10=0, n01=0, n0=0),
    (PairCounts(n10=_NAN, n01=1, n0=9), "n10 is nan"),
    (PairCounts(n10=1, n01=1, n0=[9, 9]), r"n0 has shape \(2,\)"),
)
_COUNTS = (
    ExpectedCount(count=0, mu=0.0),
    (ExpectedCount(count=9, mu=_NAN), "mu is nan"),
    (ExpectedCount(count=[9], mu=9.0), r"count has shape \(1,\)"),
)
_LABELS = (
    _NO_LABELS,
    (replace(_NO_LABELS, n=200, wx=_NAN), "wx is nan"),
    (replace(_NO_LABELS, n=200, w2x2=[1.0]), r"w2x2 has shape \(1,\)"),
)
_BAD_GROUPS = (
    (replace(_NO_GROUP, n=60, k=61), "k is 61 of 60"),
    (replace(_NO_GROUP, n=60, k_reference=_NAN), r"k_reference\[0\] is nan"),
)

_BAND = Band(low=np.array([0.1, 0.0]), high=np.array([0.3, 0.2]))
_FLIPS = FlipTest({"crm": (400, 20_000), "review": (3_000, 30_000)}, tolerance=0.0)
_STUCK = ConstantOutputTest([40, 30, 20, 10])
_CLASSES = windows.classes(0.0)(np.random.default_rng(0))

SPECIMENS: tuple[Specimen[Any, Any], ...] = (
    _bet("B1 above", BinaryBet(0.05), windows.binary(0.05), windows.binary(0.2), *_EVENTS),
    _bet(
        "B1 below", BinaryBet(0.3, side="below"), windows.binary(0.3), windows.binary(0.1), *_EVENTS
    ),
    _bet("B2 above", BoundedBet(0.1), windows.bounded(0.1), windows.bounded(0.3), *_VALUES),
    _bet(
        "B2 below",
        BoundedBet(0.4, side="below"),
        windows.bounded(0.4),
        windows.bounded(0.1),
        *_VALUES,
    ),
    _bet("B3 harm", TwoSampleBet(0.02), windows.arms(0.12), windows.arms(0.4), *_ARMS),
    _bet(
        "B3 benefit",
        TwoSampleBet(r=1.5, side="benefit"),
        windows.arms(0.15),
        windows.arms(0.03),
        *_ARMS,
    ),
    _bet("B3 loss", TwoSampleBoundedBet(0.0), windows.losses(0.1), windows.losses(0.4), *_LOSSES),
    _bet("B4 harm", PairedBet(0.01), windows.pairs(0.03, 0.02), windows.pairs(0.1, 0.02), *_PAIRS),
    _bet(
        "B4 benefit",
        PairedBet(0.02, side="benefit"),
        windows.pairs(0.04, 0.02),
        windows.pairs(0.01, 0.05),
        *_PAIRS,
    ),
    _bet("B5 above", PoissonBet(), windows.counts(1.0), windows.counts(1.5), *_COUNTS),
    _bet("B5 below", PoissonBet(side="below"), windows.counts(1.0), windows.counts(0.6), *_COUNTS),
    _bet(
        "B1 over clusters",
        TemperedBet(BinaryBet(0.05), g=5),
        windows.clusters(0.05),
        windows.clusters(0.25),
        *_EVENTS,
    ),
    _bet(
        "weighted above", WeightedBet(0.1), windows.weighted(0.1), windows.weighted(0.5), *_LABELS
    ),
    _bet(
        "weighted below",
        WeightedBet(0.4, side="below"),
        windows.weighted(0.4),
        windows.weighted(0.05),
        *_LABELS,
    ),
    Specimen(
        name="four fifths",
        make=lambda: GroupTest(four_fifths()),
        null=windows.groups(0.24),
        shifted=windows.groups(0.08),
        empty=_NO_GROUP,
        unusable=_BAD_GROUPS,
    ),
    Specimen(
        name="rate excess",
        make=lambda: GroupTest(rate_excess(0.05)),
        null=windows.groups(0.35),
        shifted=windows.groups(0.6),
        empty=_NO_GROUP,
        unusable=_BAD_GROUPS,
    ),
    Specimen(
        name="TV-witness",
        make=lambda: WitnessTest([5_000_000] * 4, eps=0.03),
        null=windows.histogram(0.03),
        shifted=windows.histogram(0.2),
        empty=np.zeros(4),
        unusable=(
            (np.array([9.0, _NAN, 9.0, 9.0]), r"counts\[1\] is nan"),
            (np.ones(3), r"shape \(3,\)"),
        ),
        state_bytes=8 * (4 + 12 + 1 + 4),
    ),
    Specimen(
        name="calibration",
        make=lambda: CalibrationTest(bins=4, tau=0.02),
        null=windows.labels(0.02),
        shifted=windows.labels(0.25),
        empty=CalibrationSums(np.zeros(4), np.zeros(4), np.zeros(4), 0.0, 0.0),
        unusable=(
            (CalibrationSums(np.ones(4), np.full(4, _NAN), np.ones(4), 0.0, 1.0), r"d\[0\] is nan"),
            (CalibrationSums(np.ones(4), np.ones(4), np.ones(4), _NAN, 1.0), "d_slope is nan"),
            (CalibrationSums(np.ones(3), np.ones(3), np.ones(3), 0.0, 1.0), r"shape \(3,\)"),
        ),
        state_bytes=8 * (4 + 2) * 2 * 8,
    ),
    Specimen(
        name="class-wise calibration",
        make=lambda: ClassWiseTest(3, bins=4),
        null=windows.classes(0.02),
        shifted=windows.classes(0.2),
        empty=class_sums(np.zeros((0, 3)), np.zeros(0, np.int64), bins=4),
        unusable=((_CLASSES[:2], "2 classes"),),
        state_bytes=3 * 8 * (4 + 2) * 2 * 8,
    ),
    Specimen(
        name="band",
        make=lambda: BandTest(_BAND),
        null=windows.rates(0.3, 0.2),
        shifted=windows.rates(0.5, 0.2),
        empty=Rates(np.zeros(2), np.zeros(2)),
        unusable=(
            (Rates(np.full(2, 9.0), np.array([1.0, _NAN])), r"s\[1\] is nan"),
            (Rates(np.array([_INF, 9.0]), np.ones(2)), r"n\[0\] is inf"),
            (Rates(np.ones(1), np.ones(1)), "holds 2 rates"),
        ),
        state_bytes=3 * BET_BYTES,
    ),
    Specimen(
        name="constant output",
        make=lambda: _STUCK.resume({"suspect": None, "wealth": []}),
        null=windows.outputs(_STUCK.limit),
        shifted=windows.outputs(0.95),
        empty=np.zeros(4),
        unusable=(
            (np.array([1.0, _NAN, 0.0, 0.0]), r"counts\[1\] is nan"),
            (np.ones(3), r"shape \(3,\)"),
        ),
    ),
    Specimen(
        name="flips",
        make=lambda: _FLIPS.resume([]),
        null=windows.flips(0.02, 0.1),
        shifted=windows.flips(0.02, 0.3),
        empty={},
        unusable=(
            ({"crm": (5, 4)}, "5 of 4"),
            ({"crm": (_NAN, 4)}, r"s\[0\] is nan"),
        ),
        state_bytes=3 * BET_BYTES,
    ),
)
"""One or more for each exported sequential test, and for each exported bet."""

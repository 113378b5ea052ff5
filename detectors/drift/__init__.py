"""Drift between a window's histogram and a reference histogram.

Every measure takes counts with the bins on the last axis and broadcasts over the axes before
it. Where either side is empty the answer is NaN: it cannot be told. The constants are the
measures as values; `WitnessTest` decides.
"""

from detectors.drift.chi_square import CHI_SQUARE
from detectors.drift.closeness import Closeness
from detectors.drift.g_test import G_TEST
from detectors.drift.js import JS
from detectors.drift.ks import KS
from detectors.drift.psi import PSI
from detectors.drift.tv import TV
from detectors.drift.wasserstein import WASSERSTEIN
from detectors.drift.witness import WitnessState, WitnessTest

__all__ = [
    "CHI_SQUARE",
    "G_TEST",
    "JS",
    "KS",
    "PSI",
    "TV",
    "WASSERSTEIN",
    "Closeness",
    "WitnessState",
    "WitnessTest",
]

"""The detectors of river on offer: how each is set, and how each must be fed.

None bounds its false alarms under windowed use. ADWIN, DDM, EDDM and the HDDMs are made for
single outcomes: a window's mean is to them one outcome, and a change from 5 % to 20 % goes
unseen. PageHinkley and KSWIN read one standardised rate for each window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import cast

from detectors.opinions.contract import StreamDetector
from detectors.opinions.feeding import Feed, bits, good_bits, z_score


@dataclass(frozen=True, slots=True)
class Entry:
    """One detector: its class in river, what it reads of a window, and its settings."""

    kind: str
    feed: Feed
    settings: Mapping[str, float | str]

    def build(self) -> StreamDetector:
        """A fresh detector.

        River is imported only now: that takes seconds, and few policies ask for an opinion.
        """
        module, _, name = self.kind.rpartition(".")
        made = getattr(import_module(module), name)(**self.settings)
        return cast(StreamDetector, made)


CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {
        # Two-sided on single outcomes; a Hoeffding-type bound inside each adaptive window.
        "adwin": Entry("river.drift.ADWIN", bits, {"delta": 0.002}),
        # In units of one standard deviation of a window's rate; only a rise.
        "page_hinkley": Entry(
            "river.drift.PageHinkley",
            z_score,
            {"min_instances": 10, "delta": 0.5, "threshold": 8.0, "mode": "up"},
        ),
        # Compares the last 30 windows with 30 of the 70 before, so it needs 100 to begin.
        "kswin": Entry(
            "river.drift.KSWIN",
            z_score,
            {"alpha": 1e-4, "window_size": 100, "stat_size": 30, "seed": 1},
        ),
        "hddm_a": Entry("river.drift.binary.HDDMA", bits, {"drift_confidence": 0.001}),
        # Its bound at the usual weight of 0.05 is 0.4 wide: it sees large jumps only.
        "hddm_w": Entry(
            "river.drift.binary.HDDMW", bits, {"drift_confidence": 0.001, "lambda_val": 0.05}
        ),
        # Looks for a fall of the share of correct answers; fed errors it would see good news only.
        "fhddm": Entry(
            "river.drift.binary.FHDDM",
            good_bits,
            {"sliding_window_size": 100, "confidence_level": 1e-6},
        ),
        "ddm": Entry("river.drift.binary.DDM", bits, {"warm_start": 30, "drift_threshold": 3.0}),
        "eddm": Entry("river.drift.binary.EDDM", bits, {"warm_start": 30, "beta": 0.9}),
    }
)
"""By name. The settings are river's own, but for PageHinkley and KSWIN, which read z-scores."""

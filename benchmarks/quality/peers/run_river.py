"""river: drift detectors on the error stream."""

from __future__ import annotations

from typing import Protocol

import record
from error_detectors import Method, Step, run
from river import drift
from river.drift import binary


class Detector(Protocol):
    """What river's detectors have in common; each starts anew with the value after a drift."""

    @property
    def drift_detected(self) -> bool:
        """Whether the last value made it report a drift."""

    def update(self, x: int) -> None:
        """Take the next value."""


def steps(detector: Detector) -> Step:
    """One value in, whether a drift was detected out."""

    def step(error: int) -> bool:
        detector.update(error)
        return detector.drift_detected

    return step


METHODS = (
    Method(
        "ADWIN",
        "delta",
        (0.002, 5e-4, 1e-4, 1e-5, 1e-6, 1e-8),
        lambda value, _: steps(drift.ADWIN(delta=value)),
    ),
    Method(
        "PageHinkley",
        "threshold",
        (50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0),
        lambda value, _: steps(drift.PageHinkley(threshold=value)),
    ),
    Method(
        "HDDM_A",
        "drift_confidence",
        (1e-3, 3e-4, 1e-4, 1e-5, 1e-6, 1e-8),
        lambda value, _: steps(binary.HDDMA(drift_confidence=value)),
    ),
    Method(
        "DDM",
        "drift_threshold",
        (3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 8.0),
        lambda value, _: steps(binary.DDM(drift_threshold=value)),
    ),
    Method(
        "EDDM",
        "beta",
        (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3),
        lambda value, _: steps(binary.EDDM(beta=value)),
    ),
    Method(
        "KSWIN",
        "alpha",
        (0.005,),
        lambda value, seed: steps(drift.KSWIN(alpha=value, seed=seed)),
        slow=True,
    ),
)


def main() -> None:
    """Run the cases asked for."""
    options = record.arguments()
    run("river", METHODS, options.data, options.only)


if __name__ == "__main__":
    main()

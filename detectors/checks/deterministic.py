"""The same windows give the same evidence, and are left as they were."""

from __future__ import annotations

from detectors.checks.specimen import Specimen, State, Summary


def deterministic(specimen: Specimen[Summary, State]) -> None:
    """Two tests agree after each window, on the very same windows and on equal ones."""
    windows = specimen.mixed(seed=1, count=12)
    first = _evidence(specimen, windows)
    assert first == _evidence(specimen, windows)
    assert first == _evidence(specimen, specimen.mixed(seed=1, count=12)), "windows were changed"


def _evidence(
    specimen: Specimen[Summary, State], windows: list[Summary]
) -> list[tuple[bool, float, State]]:
    test = specimen.make()
    found = []
    for window in windows:
        alarm = test.update(window, share=1e-3)
        found.append((alarm, test.log_m, test.state()))
    return found

"""A window without data is no evidence, and costs nothing."""

from __future__ import annotations

from detectors.checks.specimen import Specimen, State, Summary


def empty_window_changes_nothing(specimen: Specimen[Summary, State]) -> None:
    """At any point: no alarm, the same wealth, the same state."""
    test = specimen.make()
    for window in [specimen.empty, *specimen.mixed(seed=5, count=8)]:
        test.update(window, share=1e-3)
        wealth, state = test.log_m, test.state()
        assert not test.update(specimen.empty, share=1.0)
        assert (test.log_m, test.state()) == (wealth, state)

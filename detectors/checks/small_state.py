"""Thousands of tests fit into a checkpoint."""

from __future__ import annotations

from detectors.checks.specimen import Specimen, State, Summary


def state_is_small(specimen: Specimen[Summary, State]) -> None:
    """Its numbers, eight bytes each, do not exceed the specimen's limit, however long it runs."""
    test = specimen.make()
    for window in specimen.mixed(seed=11, count=40):
        test.update(window, share=1e-3)
    size = 8 * _numbers(test.state())
    assert 0 < size <= specimen.state_bytes, f"{size} bytes, allowed {specimen.state_bytes}"


def _numbers(state: object) -> int:
    if isinstance(state, dict):
        return sum(_numbers(value) for value in state.values())
    if isinstance(state, list | tuple):
        return sum(_numbers(value) for value in state)
    return 1

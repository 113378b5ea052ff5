"""Micro-benchmarks run the code of production, and say where it became slower."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.figures import Spread
from benchmarks.micro.__main__ import CASES, recorded, regressions, write
from benchmarks.micro.case import Case, measure


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_stage_and_its_floor_run(case: Case) -> None:
    """Prepared anew for each repeat, as `measure` does."""
    spread = measure(case, repeats=2)
    assert 0 < spread.minimum <= spread.median <= spread.maximum


def test_a_fifth_more_of_the_floor_is_a_regression(tmp_path: Path) -> None:
    """Beside the recorded median; a stage that was never recorded is none."""
    path = tmp_path / "micro.json"
    assert recorded(path) == {}
    write(path, {"decode": Spread(1, 2, 9), "join": Spread(9, 10, 11)})
    found = {"decode": Spread(1, 2.39, 9), "join": Spread(12, 12.1, 13), "pane": Spread(9, 9, 9)}
    assert regressions(found, recorded(path)) == ["join"]


def test_recording_one_stage_keeps_the_others(tmp_path: Path) -> None:
    path = tmp_path / "micro.json"
    write(path, {"decode": Spread(1, 2, 3), "join": Spread(4, 5, 6)})
    write(path, {"join": Spread(7, 8, 9)})
    assert recorded(path) == {"decode": 2, "join": 8}

"""A number to hold is met only by figures that were measured, and large enough."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import PARTS
from benchmarks.targets import TARGETS, Target, Verdict, judge, table

RATIO = Target("fast enough", "part", "runs/*/own", base="runs/*/floor", at_least=0.5)
TIME = Target("soon enough", "part", "runs/*/own", at_most=15, worst=True, unit=" s")


def store(results: Path, **content: object) -> None:
    (results / "part.json").write_text(json.dumps({"machine": {"date": "2026-01-02"}, **content}))


def runs(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    return [{"own": own, "floor": floor} for own, floor in pairs]


@pytest.mark.parametrize(
    ("target", "figures", "verdict"),
    [
        (RATIO, runs((6, 10), (4, 10), (7, 10)), Verdict.MET),
        (RATIO, runs((6, 10), (4, 10), (4, 10)), Verdict.MISSED),
        (TIME, runs((14, 0), (15, 0)), Verdict.MET),
        (TIME, runs((1, 0), (1, 0), (16, 0)), Verdict.MISSED),
        (TIME, [], Verdict.NOT_MEASURED),
        (TIME, [{"other": 1}], Verdict.NOT_MEASURED),
    ],
)
def test_the_median_decides_or_the_worst(
    target: Target, figures: list[dict[str, float]], verdict: Verdict, tmp_path: Path
) -> None:
    """A ratio is taken run by run, of figures of the same run."""
    store(tmp_path, runs=figures)
    assert judge(target, tmp_path).verdict is verdict


def test_what_was_not_measured_is_never_met(tmp_path: Path) -> None:
    """A missing file, a broken one, and a run that was too small say so, and why."""
    small = Target("large", "part", "mb", at_most=600, needs=("pending", 1_000))
    assert judge(small, tmp_path).why == "no part.json"
    (tmp_path / "part.json").write_text("{")
    assert judge(small, tmp_path).verdict is Verdict.NOT_MEASURED
    store(tmp_path, mb=5, pending=999)
    assert judge(small, tmp_path).why == "pending was 999, and 1,000 are needed"
    store(tmp_path, mb=5, pending=1_000)
    assert judge(small, tmp_path).verdict is Verdict.MET


def test_the_table_shows_the_spread_and_when(tmp_path: Path) -> None:
    store(tmp_path, runs=runs((6, 10), (4, 10), (7, 10)))
    *_, last = table([judge(RATIO, tmp_path)])
    assert last == "| fast enough | ≥ 0.5 | 0.4 / 0.6 / 0.7 | 3 | 2026-01-02 | met |"


def test_every_target_has_one_bound_and_a_part_that_can_be_run() -> None:
    for target in TARGETS:
        assert (target.at_least is None) != (target.at_most is None), target.name
        assert target.part in PARTS, target.name
    assert len({target.name for target in TARGETS}) == len(TARGETS)

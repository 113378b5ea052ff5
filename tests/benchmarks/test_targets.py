"""A number to hold is met only by figures that were measured, and large enough."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from benchmarks.__main__ import PARTS, Part
from benchmarks.output import RESULTS, SMALL, parsed
from benchmarks.targets import TARGETS, Target, Verdict, counted, judge, table

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


def test_a_small_run_is_neither_met_nor_missed(tmp_path: Path) -> None:
    """Its figures are shown all the same."""
    store(tmp_path, runs=runs((6, 10)))
    judged = judge(RATIO, tmp_path, whole=False)
    assert judged.verdict is Verdict.SMALL
    assert judged.spread is not None
    assert counted([judged, judge(RATIO, tmp_path)]) == "1 met, 1 small run"


def test_an_entry_is_a_result_of_its_own(tmp_path: Path) -> None:
    """With its own date; without it there is nothing to judge."""
    target = Target("fast", "part", "runs/*/own", entry="tool", at_least=5)
    day = {"machine": {"date": "2026-03-04"}, "runs": runs((6, 0))}
    store(tmp_path, tool=day, runs=runs((1, 0)))
    judged = judge(target, tmp_path)
    assert (judged.verdict, judged.date) == (Verdict.MET, "2026-03-04")
    store(tmp_path, runs=runs((6, 0)))
    assert judge(target, tmp_path).verdict is Verdict.NOT_MEASURED


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_small_run_of_a_part_leaves_the_figures_of_whole_runs_alone(part: Part) -> None:
    """The command says where its result goes, and that is elsewhere."""
    *_, option, path = part.command(small=True)
    assert option == "--output"
    assert RESULTS not in Path(path).parents
    assert part.command(small=False)[:3] == part.command(small=True)[:3]


def test_a_part_of_another_size_is_stored_elsewhere() -> None:
    """Of the same size, however many runs, it is stored among the whole runs."""

    def path(*arguments: str) -> Path:
        parser = argparse.ArgumentParser()
        parser.add_argument("--rows", type=int, default=1_000)
        parser.add_argument("--runs", type=int, default=3)
        found: Path = parsed(parser, "part", list(arguments)).output
        return found

    assert path() == path("--rows", "1000", "--runs", "1") == RESULTS / "part.json"
    assert path("--rows", "10") == SMALL / "part.json"
    assert path("--rows", "10", "--output", "here.json") == Path("here.json")


def test_the_table_shows_the_spread_and_when(tmp_path: Path) -> None:
    store(tmp_path, runs=runs((6, 10), (4, 10), (7, 10)))
    *_, last = table([judge(RATIO, tmp_path)])
    assert last == "| fast enough | ≥ 0.5 | 0.4 / 0.6 / 0.7 | 3 | 2026-01-02 | met |"


def test_every_target_has_one_bound_and_a_part_that_can_be_run() -> None:
    for target in TARGETS:
        assert (target.at_least is None) != (target.at_most is None), target.name
        assert target.part in {part.name for part in PARTS}, target.name
    assert len({target.name for target in TARGETS}) == len(TARGETS)

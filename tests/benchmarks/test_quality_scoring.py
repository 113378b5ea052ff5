"""Scores, dummies, stored results and the page, on made-up alarms."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import markdown, report
from benchmarks.quality.case import PeerRun, Run, Stream, Target, Told
from benchmarks.quality.drawing import chart
from benchmarks.quality.scoring import (
    DAY_ROWS,
    Alarm,
    Truth,
    always,
    episodes,
    never,
    outcome,
    rate_per,
    score,
)
from benchmarks.quality.stored import results_of
from benchmarks.quality.table import result_of

CHANGE = Truth(on=5_000, horizon=2_000, signals=frozenset({"x", "y"}))


def test_an_episode_ends_a_thousand_rows_after_its_first_alarm() -> None:
    """Alarms every 500 rows are many episodes, not one that never ends."""
    found = episodes(Alarm(at, "x") for at in range(0, 10_000, 500))
    assert [episode.at for episode in found] == [0, 1_500, 3_000, 4_500, 6_000, 7_500, 9_000]


def test_an_alarm_just_before_the_change_is_false_and_hides_no_detection() -> None:
    """What begins before the change does not swallow the first alarm after it."""
    seen = outcome([Alarm(4_900, "x"), Alarm(5_200, "x")], CHANGE)
    assert (seen.false, seen.delay, seen.later) == (1, 200, 0)


def test_further_names_of_one_change_are_not_false_and_other_names_are() -> None:
    """The second column of a change is right; a column that did not change is not."""
    right = outcome([Alarm(5_100, "x"), Alarm(6_500, "y")], CHANGE)
    wrong = outcome([Alarm(5_100, "x"), Alarm(6_500, "z")], CHANGE)
    assert (right.false, right.named) == (0, {"x", "y"})
    assert (wrong.false, wrong.wrong) == (1, {"z"})


def test_what_is_allowed_is_neither_detection_nor_false() -> None:
    """Once the change has begun; before it, it is false."""
    truth = Truth(on=100, horizon=9_000, signals=frozenset({"x"}), allowed=frozenset({"score"}))
    seen = outcome([Alarm(50, "score"), Alarm(300, "score"), Alarm(2_000, "x")], truth)
    assert (seen.false, seen.delay) == (1, 1_900)


def test_alarms_after_the_end_are_told_apart() -> None:
    """An interval with an end: what comes later is neither detection nor false."""
    seen = outcome([Alarm(900, "x")], Truth(on=100, off=500, signals=frozenset({"x"})))
    assert (seen.false, seen.delay, seen.later) == (0, None, 1)


def test_missed_runs_count_with_the_horizon() -> None:
    """Mean of 200 and of a missed change with a horizon of 2,000."""
    found = score([[Alarm(5_200, "x")], []], CHANGE, rows=7_000)
    assert found.restricted_mean == 1_100
    assert found.median_delay == 200
    assert found.missed is not None and found.missed.value == 0.5


def test_shares_and_rates_have_their_intervals() -> None:
    """Nothing in 200 runs is not zero: Wilson, and Garwood for 200 monitor-days."""
    found = score([[] for _ in range(200)], Truth(), rows=DAY_ROWS)
    assert found.monitor_days == 200
    assert found.any_false.high == pytest.approx(0.018845, abs=1e-6)
    assert found.false_per_day.high == pytest.approx(3.688879 / 200, abs=1e-6)


def test_rate_interval_covers_its_rate() -> None:
    """Of 2,000 Poisson counts with mean 4, at least 95 % have an interval that holds it."""
    counts = np.random.default_rng(3).poisson(4.0, 2_000)
    found = [rate_per(int(count), 2.0) for count in counts]
    assert np.mean([low.low <= 2.0 <= low.high for low in found]) >= 0.95


def test_dummies_do_not_look_good() -> None:
    """Silence misses everything; an alarm in every window finds it, falsely, and names nothing."""
    silent = score([never()], CHANGE, rows=7_001)
    noisy = score([always(0, 10_000, 500)], CHANGE, rows=7_001)
    assert silent.missed is not None and silent.missed.value == 1.0
    assert noisy.missed is not None and noisy.missed.value == 0.0
    assert noisy.false_episodes >= 3
    assert noisy.named is not None and noisy.named.value == 0.0


def test_a_target_without_a_measurement_is_neither_met_nor_missed() -> None:
    """Cannot tell is a value."""
    assert Target("x", None, 1.0).met is None
    assert Target("x", 1.0, 1.0).met is True
    assert Target("x", 0.5, 1.0, "at least").met is False


class OneStream:
    """A case of made-up runs."""

    name = "T1"
    title = "A <test>"
    streams = (Stream("", "rows", CHANGE, 0, 10_000, 500),)
    seeds = 2

    def run(self, seed: int) -> list[Run]:
        return [Run("", seed, (Alarm(5_100 + seed, "x"),))]

    def tell(self, runs: list[Run], peers: list[PeerRun]) -> Told:
        return Told([Target("delay", 100.5, 200), Target("power", 0.5, 0.8, "at least")])


def stored(folder: Path, **more: object) -> None:
    """A result in the format of the peers' scripts."""
    result = {
        "peer": "other",
        "version": "1.0",
        "case": "T1",
        "variant": "",
        "operating_point": "default",
        "settings": {},
        "seeds": 1,
        "rows_per_window": 500,
        "runs": [{"seed": 0, "alarms": [{"at": 5_499, "signal": "x"}]}],
        "seconds": 1.0,
        **more,
    }
    (folder / f"{result['peer']}-{result['case']}.json").write_text(json.dumps(result))


def test_stored_results_of_peers_are_scored_beside_ours(tmp_path: Path) -> None:
    """One row each for the monitor, both dummies and the peer; other cases are left alone."""
    stored(tmp_path)
    stored(tmp_path, peer="elsewhere", case="T2")
    case = OneStream()
    runs = [run for seed in range(2) for run in case.run(seed)]
    result = result_of(case, runs, results_of(case, tmp_path), seconds=1.0)
    names = [row[0] for row in result.tables[0].rows]
    delays = [row[6] for row in result.tables[0].rows]
    assert names[:3] == ["Kittiwake", "never alarms", "alarms in every window"]
    assert names[3:] == ["other 1.0, windows of 500"]
    assert delays == [100.5, None, 499, 499]


def test_the_page_stands_alone_and_says_what_was_missed(tmp_path: Path) -> None:
    """No address to load from, everything escaped, each verdict in words."""
    stored(tmp_path)
    case = OneStream()
    result = result_of(case, case.run(0), results_of(case, tmp_path), seconds=1.0)
    content = {"machine": {"cores": 2}, "seconds": 1, "cases": [result.stored()]}
    page = report.page(json.loads(json.dumps(content)))
    assert "A &lt;test&gt;" in page
    assert "<svg" in page
    assert not re.search(r"(src|href|url|@import|xmlns)", page)
    assert page.count(">met<") == 1
    assert page.count(">missed<") == 2, "one target, one column"


def test_the_tables_as_markdown_have_a_cell_for_every_column(tmp_path: Path) -> None:
    """Every row of a table is as wide as its head."""
    stored(tmp_path)
    case = OneStream()
    result = result_of(case, case.run(0), results_of(case, tmp_path), seconds=1.0)
    content = {"machine": {"cores": 2}, "seconds": 1, "cases": [result.stored()]}
    text = markdown.page(json.loads(json.dumps(content)))
    assert "| T1 | power | 0.5 | at least 0.8 | **missed** |" in text
    for block in text.split("\n\n"):
        widths = {line.count(" | ") for line in block.splitlines() if line.startswith("| ")}
        assert len(widths) <= 1


def test_a_chart_without_points_says_so() -> None:
    """Nobody alarmed is a result too."""
    picture = {"title": "t", "x": "row", "y": "", "lines": [], "marks": []}
    assert "none" in chart(picture)

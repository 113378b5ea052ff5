"""The answers of other tools are compared with the truth, and their rates with ours."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks import events
from benchmarks.figures import Spread
from benchmarks.peers import batch, picture, question, report, tools, truth
from benchmarks.peers.streaming import found, keyed
from benchmarks.peers.truth import Truth
from detectors.drift.psi import PSI
from streams.runtime.partitioner import partition_of
from streams.runtime.settings import Settings

COUNT = 15_000
RUNS = [
    {"floor": 400.0, "kittiwake json": 200.0, "quix windowed mean": 10.0},
    {"floor": 400.0, "kittiwake json": 300.0},
]


@pytest.fixture(scope="module")
def known() -> Truth:
    return Truth.of(list(question.predictions(Settings(), COUNT)), 4)


def as_script() -> ModuleType:
    path = question.SCRIPTS / "job.py"
    spec = importlib.util.spec_from_file_location("peer_job", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its module up while it is made.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_windows_hold_all_events_once(known: Truth) -> None:
    means = known.means()
    assert sum(n for n, _ in means.values()) == COUNT
    total = sum(n * mean for n, mean in means.values())
    assert total / COUNT == pytest.approx(known.values[truth.SCORE].mean())


def test_regrouped_windows_are_those_of_all_partitions(known: Truth) -> None:
    means = known.means()
    for (_, start), (n, mean) in known.together().items():
        own = [values for (_, at), values in means.items() if at == start]
        assert n == sum(each[0] for each in own)
        assert mean == pytest.approx(sum(each[0] * each[1] for each in own) / n)


def test_psi_is_that_of_the_detectors() -> None:
    reference = events.reference().numeric["amount"]
    values = np.random.default_rng(1).lognormal(3.2, 1, 700)
    counts = np.bincount(np.searchsorted(reference.edges, values, "right"), minlength=20)
    expected = float(PSI.value(counts, reference.counts))
    assert truth.psi(values, reference) == pytest.approx(expected)
    corrected = float(PSI.corrected(counts, reference.counts))
    assert expected - truth.noise(700, reference) == pytest.approx(corrected)


def test_scripts_count_and_compare_as_numpy_does(known: Truth) -> None:
    reference = events.reference()
    job = as_script().Job(question="drift", out="", count=0, **question.in_scripts(reference))
    bins = job.empty()
    first = np.arange(len(known.partition)) < 500
    rows = zip(*(known.values[name][first].tolist() for name in events.FEATURES), strict=True)
    for row in rows:
        job.count_in(bins, dict(zip(events.FEATURES, row, strict=True)))
    expected = [
        truth.psi(known.values[name][first], reference.numeric[name]) for name in events.FEATURES
    ]
    assert job.psi(bins) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda answer: answer.pop(0), "said nothing"),
        (lambda answer: answer[0].__setitem__(3, answer[0][3] * 1.001), "it is"),
        (lambda answer: answer[0].__setitem__(2, answer[0][2] - 1), "it is"),
    ],
)
def test_a_wrong_answer_is_refused(known: Truth, change: Any, words: str) -> None:
    answer = [[*place, *values] for place, values in sorted(known.means().items())]
    truth.check("a tool", found(answer), known.means())
    change(answer)
    with pytest.raises(RuntimeError, match=words):
        truth.check("a tool", found(answer), known.means())


def test_a_window_that_may_still_grow_need_not_be_answered(known: Truth) -> None:
    last = max(start for _, start in known.means())
    answer = {place: values for place, values in known.means().items() if place[1] < last}
    truth.check("a tool", answer, known.means())


def test_too_few_events_to_close_a_window_prove_nothing() -> None:
    known = Truth.of(list(question.predictions(Settings(), 100)), 4)
    with pytest.raises(RuntimeError, match="more events"):
        truth.check("a tool", known.means(), known.means())


def test_keyed_by_partition_the_partitions_stay() -> None:
    messages = list(question.predictions(Settings(), 50))
    for before, after in zip(messages, keyed(iter(messages), 4), strict=True):
        assert after.partition == partition_of(before.key or b"", 4)
        assert after.key == str(after.partition).encode()
        assert after.value == before.value


def test_a_tool_must_name_what_moved() -> None:
    quiet: list[list[str]] = [[] for _ in range(10)]
    with pytest.raises(RuntimeError, match="window 4"):
        batch.check("a tool", quiet)
    quiet[4], quiet[9] = ["amount"], ["age", "amount"]
    batch.check("a tool", quiet)


def test_kittiwake_finds_what_moved_in_rows(tmp_path: Path) -> None:
    assert batch.Batch(tmp_path, 5 * question.PER_WINDOW).measure_own() > 0


def stored(runs: list[report.Rates]) -> dict[str, report.Entry]:
    return report.entries(runs, events=1, rows=2)


def test_a_ratio_is_of_runs_that_have_both() -> None:
    found = stored(RUNS)
    quix = report.times(found, "kittiwake json", "quix windowed mean")
    assert quix is not None
    assert (quix.minimum, quix.maximum) == (20.0, 20.0)
    floor = report.times(found, "kittiwake json", "floor")
    assert floor is not None
    assert (floor.minimum, floor.maximum) == (0.5, 0.75)
    assert report.times(found, "kittiwake rows", "river") is None
    assert "river" not in found


def test_what_is_stored_is_what_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    report.write(path, stored(RUNS), {"river": "no wheel"})
    kept = json.loads(path.read_text())
    assert kept["kittiwake json"]["runs"] == [
        {name: rate for name, rate in run.items() if name in ("floor", "kittiwake json")}
        for run in RUNS
    ]
    assert kept["quix windowed mean"]["runs"] == RUNS[:1]
    shown = report.table(kept)
    assert "| quix windowed mean | 10 / 10 / 10 | 20 / 20 / 20 (kittiwake json) |" in shown
    assert "river failed: no wheel" in shown
    assert "quix windowed mean" in path.with_suffix(".svg").read_text()


def test_tools_that_were_not_asked_keep_their_figures(tmp_path: Path) -> None:
    """With their date, and compared with what Kittiwake did on that day."""
    path = tmp_path / "peers.json"
    first = stored(RUNS)
    for entry in first.values():
        entry["machine"] |= {"date": "2026-01-02"}
    report.write(path, first, {})
    again = {"floor": 400.0, "kittiwake json": 500.0, "faust trivial agent": 50.0}
    report.write(path, stored([again]), {"quix drift": "no wheel"})
    kept = json.loads(path.read_text())
    assert kept["quix windowed mean"] == first["quix windowed mean"]
    assert kept["kittiwake json"]["runs"] == [{"floor": 400.0, "kittiwake json": 500.0}]
    shown = report.table(kept)
    quix = "| quix windowed mean | 10 / 10 / 10 | 20 / 20 / 20 (kittiwake json) |"
    assert f"{quix} 2026-01-02, 1 run(s) |" in shown
    assert "| faust trivial agent | 50 / 50 / 50 | 10 / 10 / 10 (kittiwake json) |" in shown
    assert "quix drift failed: no wheel" in shown
    report.write(path, stored([again | {"quix drift": 100.0}]), {})
    assert "failed" not in report.table(json.loads(path.read_text()))


def test_powers_of_ten_are_evenly_spaced() -> None:
    rates = {str(power): Spread(10.0**power, 10.0**power, 10.0**power) for power in (2, 3, 4)}
    drawn = picture.draw(rates)
    places = [float(part.split("'")[0]) for part in drawn.split("<circle cx='")[1:]]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)


def test_every_tool_has_a_script_and_a_lock_with_hashes() -> None:
    for tool in (*tools.STREAMS, *tools.BATCHES):
        assert (question.SCRIPTS / f"run_{tool.environment}.py").exists()
        lock = (question.REQUIREMENTS / f"{tool.environment}.lock").read_text()
        assert lock.count("==") <= lock.count("--hash=sha256:")

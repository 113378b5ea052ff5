"""Commands that need no broker: help, policy check, profile, and errors of one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from command import Kittiwake, runner
from pyarrow import parquet

from schemas.reference import ReferenceProfile

COMMANDS = {
    (): [
        "up",
        "ingest",
        "decide",
        "act",
        "topics",
        "policy",
        "profile",
        "replay",
        "tail",
        "budget",
        "demo",
    ],
    ("act",): ["--config", "--check"],
    ("up",): ["--act", "--ingests", "--shards", "--metrics-port"],
    ("ingest",): ["--bootstrap", "--prefix", "--data", "--worker", "KITTIWAKE_WORKER"],
    ("decide",): ["--bootstrap", "--worker"],
    ("topics",): ["create", "check"],
    ("topics", "create"): ["--shards", "--models", "KITTIWAKE_SHARDS"],
    ("topics", "check"): ["code 1"],
    ("policy",): ["check", "apply"],
    ("policy", "check"): ["line, column and the fix"],
    ("policy", "apply"): ["--reference", "--at-ms"],
    ("profile",): ["--live", "--policy", "--model", "--score", "--out"],
    ("replay",): ["--policy", "--reference", "--learn", "--out", "--also"],
    ("tail",): ["alerts", "rollouts", "windows", "--until-end", "--from-beginning", "--json"],
    ("budget",): ["--all", "--json", "--bootstrap", "--prefix"],
    ("demo",): ["--kafka", "--limit"],
}
GOOD = "model: fraud\ntask: binary\nbudgets:\n  error_rate: 0.1\nsegments: [region]\n"


@pytest.fixture
def kittiwake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Kittiwake:
    monkeypatch.chdir(tmp_path)
    return runner(monkeypatch, capsys)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_names_what_there_is(command: tuple[str, ...], kittiwake: Kittiwake) -> None:
    """Every command, option and variable, with code 0."""
    ended = kittiwake(*command, "--help")
    assert ended.code == 0
    for word in COMMANDS[command]:
        assert word in ended.words


def test_the_installed_command_is_this_one(tmp_path: Path) -> None:
    """As a process of its own: an error is one line on stderr, code 1, and nothing else."""
    command = [sys.executable, "-m", "streams.cli", "policy", "check", "missing.yaml"]
    root = Path(__file__).parents[2]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=60)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == "error missing.yaml: no such file; check the path\n"


def test_a_good_policy_is_described(kittiwake: Kittiwake, tmp_path: Path) -> None:
    """With its hash, so that windows can be traced to it."""
    (tmp_path / "policy[1].yaml").write_text(GOOD)
    ended = kittiwake("policy", "check", "policy[1].yaml")
    assert ended.code == 0
    assert "policy[1].yaml is good" in ended.out
    for words in ("hash ", "fraud (binary)", "1h of panes of 1h", "error_rate 0.1", "region"):
        assert words in ended.words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: f\ntask: binary\nlables: 3\n", ":3:1: unknown key 'lables'; did you mean"),
        ("model: f\ntask: guess\n", ":2:7: "),
        ("model: f\ntask: binary\npane: 5x\n", ":3:7: pane: '5x' is not a duration"),
        ("model: [\n", ":2:1: "),
        ("", ":1:1: empty; give at least model and task"),
    ],
)
def test_a_bad_policy_is_refused_at_its_place(
    text: str, expected: str, kittiwake: Kittiwake, tmp_path: Path
) -> None:
    """File, line and column first, as editors know how to jump there."""
    (tmp_path / "bad.yaml").write_text(text)
    ended = kittiwake("policy", "check", "bad.yaml")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error bad.yaml" + expected)


def test_words_in_brackets_are_no_markup(kittiwake: Kittiwake, tmp_path: Path) -> None:
    """An error repeats what it found, whatever the terminal makes of it."""
    (tmp_path / "bad.yaml").write_text("model: f\ntask: binary\n'[/red]': 3\n")
    ended = kittiwake("policy", "check", "bad.yaml")
    assert ended.code == 1
    assert "unknown key '[/red]'" in ended.err


def rows(n: int = 400) -> dict[str, list[object]]:
    return {
        "amount": [float(i % 97) for i in range(n)],
        "country": ["DE" if i % 3 else "FR" for i in range(n)],
        "score": [i / n for i in range(n)],
    }


def write(path: Path, columns: dict[str, list[object]]) -> None:
    names, lines = list(columns), list(zip(*columns.values(), strict=True))
    match path.suffix:
        case ".csv":
            text = [",".join(names), *(",".join(map(str, line)) for line in lines)]
            path.write_text("\n".join(text) + "\n")
        case ".jsonl":
            objects = (dict(zip(names, line, strict=True)) for line in lines)
            path.write_text("".join(json.dumps(o) + "\n" for o in objects))
        case _:
            parquet.write_table(pa.table(columns), path)


def test_a_profile_is_the_same_from_every_kind_of_file(
    kittiwake: Kittiwake, tmp_path: Path
) -> None:
    """Features by kind, the score apart; the hash leaves out where the rows came from."""
    found = []
    for kind in ("csv", "jsonl", "parquet"):
        write(tmp_path / f"rows.{kind}", rows())
        out = tmp_path / kind / "reference.json"
        ended = kittiwake("profile", f"rows.{kind}", "--model", "fraud", "--out", out)
        assert ended.code == 0, ended.err
        reference = ReferenceProfile.model_validate_json(out.read_bytes())
        assert f"{out}: 400 rows, hash {reference.hash}" in ended.out
        assert "amount (numeric), country (categorical)" in ended.words
        found.append(reference)
    assert found[0].model == "fraud"
    assert found[0].score is not None
    assert found[0].score.n == 400
    assert list(found[0].numeric) == ["amount"]
    assert len({reference.hash for reference in found}) == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["profile"], "name a file, or say --live N"),
        (["profile", "rows.csv", "--live", "5"], "name a file, or say --live N"),
        (["profile", "missing.csv"], "missing.csv: no such file"),
        (["profile", "rows.txt"], "rows.txt: unknown kind of file '.txt'"),
        (["replay", "missing.jsonl", "--policy", "good.yaml"], "missing.jsonl: no such file"),
        (["replay", "rows.csv", "--policy", "missing.yaml"], "missing.yaml: no such file"),
        (
            ["replay", "rows.csv", "--policy", "good.yaml"],
            "rows.csv: no column 'time' among amount, country, score",
        ),
        (
            ["replay", "other.jsonl", "--policy", "good.yaml"],
            "first 1 to learn a reference from; 1 of other models (o 1): check `model` of the",
        ),
        (
            ["replay", "broken.jsonl", "--policy", "good.yaml"],
            "first broken.jsonl:2: bad_shape, output.score: Input should be a valid number; found",
        ),
        (["replay", "rows.csv", "--policy", "good.yaml", "--out", "rows.csv"], "rows.csv: results"),
        (["replay", "folder", "--policy", "good.yaml"], "folder is a folder; name the files in it"),
        (
            ["replay", "bare.csv", "--policy", "good.yaml"],
            "no reference can be learnt: no feature, score, class, item",
        ),
        (
            ["replay", "bare.csv", "--policy", "good.yaml", "--reference", "good.yaml"],
            "good.yaml: no usable reference: it is not JSON; make one with `kittiwake profile`",
        ),
        (
            ["replay", "bare.csv", "--policy", "good.yaml", "--reference", "broken.jsonl"],
            "broken.jsonl: no usable reference: n: Field required; make one with `kittiwake",
        ),
        (
            ["replay", "bare.csv", "--policy", "good.yaml", "--reference", "missing.json"],
            "missing.json: no such file; check the path, or make one with `kittiwake profile`",
        ),
        (["topics", "check", "--shards", "0"], "setting shards is 0: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_says_what_where_and_what_to_do(
    arguments: list[str], expected: str, kittiwake: Kittiwake, tmp_path: Path
) -> None:
    """On one line of stderr, with code 1, before anything was done."""
    write(tmp_path / "rows.csv", rows(5))
    (tmp_path / "rows.txt").write_text("x")
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bare.csv").write_text("time\n5\n")
    other = {"prediction_id": "1", "model": "o", "version": "1", "time": 5, "output": {}}
    (tmp_path / "other.jsonl").write_text(json.dumps(other))
    broken = other | {"model": "fraud", "output": {"score": "high"}}
    (tmp_path / "broken.jsonl").write_text("\n" + json.dumps(broken))
    (tmp_path / "folder").mkdir()
    ended = kittiwake(*arguments)
    assert ended.code == 1
    assert expected in ended.err
    assert ended.err.startswith("error ")
    assert not (tmp_path / "out").exists()


def test_a_setting_of_the_environment_is_named(
    kittiwake: Kittiwake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is what has to be changed."""
    monkeypatch.setenv("KITTIWAKE_METRICS_PORT", "seventy")
    ended = kittiwake("topics", "check")
    assert ended.code == 1
    assert "'seventy'" in ended.err
    assert "KITTIWAKE_METRICS_PORT" in ended.err


def test_what_is_sampled_is_described(kittiwake: Kittiwake, tmp_path: Path) -> None:
    """Where the policy says so."""
    (tmp_path / "p.yaml").write_text(GOOD + "join: {sample: 0.05}\ndedupe: {horizon: 2h}\n")
    ended = kittiwake("policy", "check", "p.yaml")
    assert "joined 0.05 of predictions repeats known for 2h" in ended.words
    (tmp_path / "p.yaml").write_text(GOOD)
    assert "joined" not in kittiwake("policy", "check", "p.yaml").words


def test_fewer_than_no_predictions_cannot_be_learnt_from(kittiwake: Kittiwake) -> None:
    """A mistake of use, too."""
    ended = kittiwake("replay", "e.jsonl", "--policy", "p.yaml", "--learn", "-5")
    assert (ended.code, "--learn" in ended.err) == (2, True)


def test_an_unknown_option_is_a_mistake_of_use(kittiwake: Kittiwake) -> None:
    """With code 2, as is the custom."""
    ended = kittiwake("replay", "--polcy", "x")
    assert ended.code == 2
    assert "--polcy" in ended.err


def test_a_profile_of_events_knows_the_level_of_each_metric(
    kittiwake: Kittiwake, tmp_path: Path
) -> None:
    """Truths among the events become outcomes of the reference, and of its windows' budgets."""
    rows = [f"p{i},{i * 60_000},{0.9 if i % 4 else 0.1},{int(i % 5 > 0)}" for i in range(2_000)]
    lines = "\n".join(["prediction_id,time,score,truth", *rows])
    (tmp_path / "events.csv").write_text(lines)
    (tmp_path / "policy.yaml").write_text("model: fraud\ntask: binary\npane: 1h\n")
    ended = kittiwake("profile", "events.csv", "--policy", "policy.yaml", "--out", "r.json")
    assert ended.code == 0, ended.err
    known = ReferenceProfile.model_validate_json((tmp_path / "r.json").read_bytes())
    wrong = sum((i % 4 > 0) != (i % 5 > 0) for i in range(2_000))
    assert known.outcomes["error_rate"].n == 2_000
    assert known.outcomes["error_rate"].sum == wrong
    assert "error_rate" in ended.out

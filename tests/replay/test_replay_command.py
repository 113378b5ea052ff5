"""``kittiwake replay``: files in, tables and files of results out."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from command import Kittiwake, runner
from pyarrow import csv, parquet
from scenario import POLICY, T0, scenario

from schemas.alerts import Alert, AlertAction
from schemas.dead_letters import DeadLetter
from schemas.policy import Budgets, Labels, Policy, Task
from schemas.rollouts import RolloutAction, RolloutEvent
from schemas.windows import WindowResult

MINUTE = 60_000
FLAGGED = Policy(
    model="fraud",
    task=Task.BINARY,
    pane="10m",
    labels=Labels(horizon="2h", maturity="10m", lateness="5m", coverage=0.5),
    budgets=Budgets(error_rate=0.1),
)


@pytest.fixture
def kittiwake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Kittiwake:
    monkeypatch.chdir(tmp_path)
    return runner(monkeypatch, capsys)


def table(n: int = 900) -> pa.Table:
    """Two hours of one model, with the truth of most rows."""
    rng = np.random.default_rng(11)
    time = T0 + np.sort(rng.integers(0, 120 * MINUTE, n))
    score = np.round(rng.beta(1, 3, n), 4)
    truth = [int(y) if rng.random() < 0.8 else None for y in rng.random(n) < score]
    return pa.table(
        {
            "prediction_id": [f"tx-{i}" for i in range(n)],
            "time": pa.array(time, pa.int64()),
            "version": ["v1"] * n,
            "score": score,
            "amount": np.round(rng.lognormal(3, 1, n), 2),
            "truth": pa.array(truth, pa.int64()),
            "truth_time": pa.array(time + 3 * MINUTE, pa.int64()),
        }
    )


def as_json(rows: pa.Table) -> str:
    """The same as events, in order of time."""
    lines: list[tuple[int, str]] = []
    for row in rows.to_pylist():
        who = {"prediction_id": row["prediction_id"], "model": "fraud"}
        event: dict[str, Any] = {**who, "version": "v1", "time": row["time"]}
        event |= {"output": {"score": row["score"]}, "features": {"amount": row["amount"]}}
        lines.append((row["time"], json.dumps(event)))
        if row["truth"] is not None:
            told = {**who, "time": row["truth_time"], "label": row["truth"]}
            lines.append((row["truth_time"], json.dumps(told)))
    lines.sort(key=lambda line: line[0])
    return "".join(text + "\n" for _, text in lines)


def windows(directory: Path) -> list[WindowResult]:
    text = (directory / "windows.jsonl").read_text()
    return [WindowResult.model_validate_json(line) for line in text.splitlines()]


def test_every_kind_of_file_gives_the_same_windows(kittiwake: Kittiwake, tmp_path: Path) -> None:
    """JSON lines, packed JSON lines, CSV and Parquet; the results are written and shown."""
    rows = table()
    (tmp_path / "e.jsonl").write_text(as_json(rows))
    (tmp_path / "e.jsonl.gz").write_bytes(gzip.compress(as_json(rows).encode()))
    csv.write_csv(rows, tmp_path / "e.csv")
    parquet.write_table(rows, tmp_path / "e.parquet")
    (tmp_path / "policy.yaml").write_text(FLAGGED.model_dump_json(exclude_none=True))
    contents = []
    for name in ("e.jsonl", "e.jsonl.gz", "e.csv", "e.parquet"):
        out = tmp_path / "results" / name
        ended = kittiwake("replay", name, "--policy", "policy.yaml", "--out", out)
        assert ended.code == 0, ended.err
        assert "Windows (all segments)" in ended.out
        assert "0 dead letters" in ended.out
        assert f"files: {out}/windows.jsonl, {out}/alerts.jsonl, {out}/rollouts.jsonl" in ended.out
        contents.append([window.content for window in windows(out)])
    assert len(contents[0]) == 12
    assert contents[1:] == contents[:1] * 3
    found = windows(tmp_path / "results" / "e.csv")
    assert sum(window.predictions for window in found) == 900
    labelled = 900 - rows.column("truth").null_count
    assert sum(window.coverage.labelled for window in found) == labelled
    assert {window.reference for window in found} != {""}
    assert any(m.name == "tv" and m.feature == "amount" for m in found[-1].metrics)


def test_without_a_reference_there_is_no_drift(kittiwake: Kittiwake, tmp_path: Path) -> None:
    """Learning none is a choice; everything else is as before."""
    parquet.write_table(table(200), tmp_path / "e.parquet")
    (tmp_path / "policy.yaml").write_text(FLAGGED.model_dump_json(exclude_none=True))
    ended = kittiwake("replay", "e.parquet", "--policy", "policy.yaml", "--learn", 0)
    assert ended.code == 0, ended.err
    found = windows(tmp_path / "out" / "replay")
    assert {window.reference for window in found} == {""}
    assert not any(metric.feature for window in found for metric in window.metrics)


def test_policies_are_compared_on_the_same_panes(kittiwake: Kittiwake, tmp_path: Path) -> None:
    """Each has its files and a row of the table; one that sums up otherwise is refused at once."""
    parquet.write_table(table(400), tmp_path / "e.parquet")
    stricter = FLAGGED.model_copy(update={"budgets": Budgets(error_rate=0.01)})
    longer = FLAGGED.model_copy(update={"pane": "20m"})
    for name, policy in (("now", FLAGGED), ("stricter", stricter), ("longer", longer)):
        (tmp_path / f"{name}.yaml").write_text(policy.model_dump_json(exclude_none=True))
    replay = ("replay", "e.parquet", "--policy", "now.yaml", "--learn", 0)
    ended = kittiwake(*replay, "--also", "stricter.yaml")
    assert ended.code == 0, ended.err
    rows = ended.out[ended.out.index("Policies on the same panes") :].splitlines()
    assert [row.split()[0] for row in rows[4:6]] == ["now", "stricter"]
    out = tmp_path / "out" / "replay"
    assert {window.policy for window in windows(out)} == {FLAGGED.hash}
    anew = [json.loads(line) for line in (out / "stricter" / "alerts.jsonl").open()]
    assert {alert["policy"] for alert in anew} == {stricter.hash}
    assert 0.01 in {alert["budget"] for alert in anew if alert["metric"] == "error_rate"}
    ended = kittiwake(*replay, "--also", "longer.yaml")
    assert ended.err.startswith(
        "error longer.yaml: policies differ in pane (20m and not 10m), by which events"
    )
    assert ended.code == 1
    ended = kittiwake(*replay, "--also", "now.yaml")
    assert "two policies are named now" in ended.err


def test_a_given_reference_is_used(kittiwake: Kittiwake, tmp_path: Path) -> None:
    """That of the same rows, by `kittiwake profile`."""
    parquet.write_table(table(400).select(["amount", "score"]), tmp_path / "normal.parquet")
    parquet.write_table(table(400), tmp_path / "e.parquet")
    (tmp_path / "policy.yaml").write_text(FLAGGED.model_dump_json(exclude_none=True))
    kittiwake("profile", "normal.parquet", "--model", "fraud")
    reference = json.loads((tmp_path / "reference.json").read_text())
    assert sorted(reference["numeric"]) == ["amount"]
    command = ("replay", "e.parquet", "--policy", "policy.yaml", "--reference", "reference.json")
    assert kittiwake(*command).code == 0
    (used,) = {window.reference for window in windows(tmp_path / "out" / "replay")}
    assert len(used) == 16


def test_a_line_without_a_usable_time_costs_only_itself(
    kittiwake: Kittiwake, tmp_path: Path
) -> None:
    """First in the file, far away in time: no endless steps, and a dead letter each."""
    ns = json.dumps({"prediction_id": "x", "model": "fraud", "time": T0 * 1_000_000, "label": 1})
    old = json.dumps({"prediction_id": "y", "model": "fraud", "time": 0, "label": 1})
    (tmp_path / "e.jsonl").write_text(f"nonsense\n{ns}\n{old}\n" + as_json(table(200)))
    (tmp_path / "policy.yaml").write_text(FLAGGED.model_dump_json(exclude_none=True))
    ended = kittiwake("replay", "e.jsonl", "--policy", "policy.yaml", "--learn", 0)
    assert ended.code == 0, ended.err
    assert "3 dead letters" in ended.out
    listed = ended.out.partition("3 dead letters")[2].splitlines()[1:4]
    told = [line.split(maxsplit=2) for line in listed]
    assert [line[:2] for line in told] == [
        ["1", "not_json"],
        ["1", "bad_shape"],
        ["1", "unmatched"],
    ]
    assert told[0][2].startswith("e.jsonl:1: record: not JSON: ")
    assert told[1][2].startswith("e.jsonl:2: time: Input should be less than")
    assert told[2][2].startswith("feedback offset 1 (prediction_id 'y'): prediction_id: no ")
    letters = (tmp_path / "out" / "replay" / "dead_letters.jsonl").read_text().splitlines()
    reasons = [DeadLetter.model_validate_json(letter).reason.value for letter in letters]
    assert sorted(reasons) == ["bad_shape", "not_json", "unmatched"]
    assert sum(window.predictions for window in windows(tmp_path / "out" / "replay")) == 200


def test_rows_of_other_models_are_counted_by_model(kittiwake: Kittiwake, tmp_path: Path) -> None:
    """They have no policy here; a table's rows are named by number."""
    rows = table(30)
    models = pa.array(["a"] * 5 + ["b"] * 2 + ["fraud"] * 23)
    csv.write_csv(rows.append_column("model", models), tmp_path / "e.csv")
    (tmp_path / "policy.yaml").write_text(FLAGGED.model_dump_json(exclude_none=True))
    ended = kittiwake("replay", "e.csv", "--policy", "policy.yaml")
    assert ended.code == 0, ended.err
    truths = [row["truth"] is not None for row in rows.to_pylist()]
    a, b = 5 + sum(truths[:5]), 2 + sum(truths[5:7])
    (line,) = [line for line in ended.out.splitlines() if " no_policy " in line]
    count, _, rest = line.split(maxsplit=2)
    assert count == str(a + b)
    assert rest.startswith(f"of models a {a}, b {b}; e.csv: row 1: model 'a' has no active policy")


def test_results_that_cannot_be_written_stop_the_run_before_it_begins(
    kittiwake: Kittiwake, tmp_path: Path
) -> None:
    """A file where a folder should be, or above it; of another policy's results, too."""
    parquet.write_table(table(50), tmp_path / "e.parquet")
    for name in ("policy", "other"):
        (tmp_path / f"{name}.yaml").write_text(FLAGGED.model_dump_json(exclude_none=True))
    (tmp_path / "taken").write_text("mine")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "other").write_text("mine")
    replay = ("replay", "e.parquet", "--policy", "policy.yaml")
    for arguments in (
        ("--out", "taken"),
        ("--out", "taken/deeper/still"),
        ("--out", "here", "--also", "other.yaml"),
    ):
        ended = kittiwake(*replay, *arguments)
        assert (ended.code, ended.out) == (1, "")
        assert "results go to a folder, and " in ended.err
    assert not (tmp_path / "here" / "windows.jsonl").exists()


def test_what_an_earlier_run_left_does_not_stay(kittiwake: Kittiwake, tmp_path: Path) -> None:
    """The second run has no dead letters, and no file of them."""
    (tmp_path / "policy.yaml").write_text(FLAGGED.model_dump_json(exclude_none=True))
    kept = tmp_path / "out" / "replay" / "dead_letters.jsonl"
    for bad, there in (("nonsense\n", True), ("", False)):
        (tmp_path / "e.jsonl").write_text(bad + as_json(table(50)))
        assert kittiwake("replay", "e.jsonl", "--policy", "policy.yaml", "--learn", 0).code == 0
        assert kept.exists() == there


def test_the_terminal_tells_the_story(kittiwake: Kittiwake, tmp_path: Path) -> None:
    """Alerts and the rollback as they happen, then tables whose figures are those of the files."""
    story = scenario(3_000)
    lines = [
        json.dumps(event | {"model": "fraud", "share": 0.3})
        for event in (
            {"version": "v1", "time": T0, "action": "deployed", "role": "baseline"},
            {"version": "v2", "time": T0, "action": "canary_started", "role": "canary"}
            | {"generation": 2},
        )
    ]
    lines += [(message.value or b"").decode() for message in story.messages]
    (tmp_path / "e.jsonl").write_text("\n".join(lines))
    (tmp_path / "policy.yaml").write_text(POLICY.model_dump_json(exclude_none=True))
    (tmp_path / "reference.json").write_text(story.reference.model_dump_json())
    command = ("replay", "e.jsonl", "--policy", "policy.yaml", "--reference", "reference.json")
    ended = kittiwake(*command, width=250)
    assert ended.code == 0, ended.err
    out = tmp_path / "out" / "replay"
    alerts = [Alert.model_validate_json(x) for x in (out / "alerts.jsonl").open()]
    rollouts = [RolloutEvent.model_validate_json(x) for x in (out / "rollouts.jsonl").open()]
    opened = [alert for alert in alerts if alert.action is AlertAction.OPENED]
    asked = [event for event in rollouts if event.action is RolloutAction.ROLLBACK_REQUESTED]
    assert opened
    assert len(asked) == 1
    for said in (*alerts, *asked):
        assert " ".join(said.summary.split()) in ended.words
    assert "ROLLBACK.REQUESTED" in ended.out
    lasting = next(w for w in windows(out) if w.segment == "" and w.arm == "canary")
    shown = [line for line in ended.out.splitlines() if "fraud v2 canary" in line]
    assert shown
    assert len([line for line in ended.out.splitlines() if "fraud v1" in line]) > 0
    assert lasting.predictions > 0
    holds = sum(event.action is RolloutAction.HOLD for event in rollouts)
    assert f"windows on hold before: {holds}" in ended.words
    for title in ("Windows (all segments)", "Alerts", "Rollouts"):
        assert title in ended.out

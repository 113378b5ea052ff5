"""A policy file is read whole or refused with file, line, column and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import PolicyError
from schemas.policy import Labels, Policy, PolicyRecord, Task
from schemas.policy_file import load, loads
from schemas.topics import POLICIES
from streams.control import Control

HEAD = "model: fraud\ntask: binary\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "empty; give at least model and task"),
        ("- a\n", 1, 1, "not a mapping; start with model: NAME"),
        ("model: fraud\n", 1, 1, "task is missing; add it"),
        ("model: [\n", 2, 1, "mend the YAML here"),
        ("model: a\nmodel: b\n", 2, 1, 'found duplicate key "model"'),
        (HEAD + "\tx: 1\n", 3, 1, "'\\t' that cannot start any token"),
        (HEAD + "---\na: 1\n", 3, 1, "expected a single document"),
        (HEAD + "owner: *nobody\n", 3, 8, "undefined alias 'nobody'"),
        (HEAD + "owner: \x01\n", 1, 1, "not YAML: unacceptable character"),
        (HEAD + "owner: 2026-01-01\n", 3, 8, "read as date; quote it"),
        (HEAD + "owner: !!python/object x\n", 3, 8, "quote it"),
        (HEAD + "owner: 0x1F\n", 3, 8, "owner is the number 31; quote it"),
        (HEAD + "drift: {score: .inf}\n", 3, 16, "not a finite number"),
        (HEAD + "features:\n  1: {}\n", 4, 3, "key 1 is not text; quote it"),
        (HEAD + "features:\n  '': {}\n", 4, 3, "at least 1 character"),
        (HEAD + "lables:\n  horizon: 1d\n", 3, 1, "did you mean 'labels'?"),
        (HEAD + "labels:\n  horizn: 1d\n", 4, 3, "did you mean 'horizon'?"),
        (HEAD + "labels: {zzz: 1}\n", 3, 10, "known here: horizon, maturity"),
        (HEAD + "labels:\n", 3, 1, "labels is empty; give it a value or leave it out"),
        (HEAD + "labels:\n  horizon: 30\n", 4, 12, "give a duration its unit"),
        (HEAD + "labels:\n  horizon: 30x\n", 4, 12, "'30x' is not a duration; write"),
        (HEAD + "budgets:\n  error_rate: 2\n", 4, 15, "error_rate is 2; input should be less"),
        (HEAD + "patterns: {repeats: yes}\n", 3, 21, "valid boolean"),
        (HEAD + "canary: {automatic: true}\n", 3, 10, "known here: guardrails"),
        (HEAD + "canary: {guardrails: []}\n", 3, 22, "at least 1 item"),
        (HEAD + "segments: country\n", 3, 11, "valid array"),
        (HEAD + "segments:\n  - a\n  - 3\n", 5, 5, "segments[1] is the number 3"),
        (
            HEAD
            + "canary:\n  guardrails:\n  - {metric: brier, margin: 0}\n"
            + "  - metric: eror_rate\n    margin: 0\n",
            6,
            13,
            "did you mean 'error_rate'?",
        ),
        ("model: fraud\ntask: binry\n", 2, 7, "task is 'binry'; did you mean 'binary'?"),
        (HEAD + "pane: 10ms\n", 3, 7, "shorter than 1s; make it"),
        (HEAD + "pane: 5m\nwindow: 7m\n", 4, 9, "choose a window that whole panes fill"),
        (HEAD + "features:\n  a: {min: 5, max: 1}\n", 4, 12, "min 5.0 is not below max 1.0"),
        (HEAD + "labels: {maturity: 3d, horizon: 2d}\n", 3, 20, "maturity is 3d, longer than"),
        (HEAD + "labels:\n  horizon: 2d\n", 4, 12, "set labels.maturity to at most 2d"),
        (
            HEAD + "overload: {lag: 0s}\n",
            3,
            17,
            "lag is 0s: INGEST would always shed",
        ),
    ],
)
def test_each_error_names_its_place_and_fix(
    text: str, line: int, column: int, message: str
) -> None:
    """Line and column count from 1 and point at the key or value to change."""
    with pytest.raises(PolicyError) as error:
        loads(text, "fraud.yaml")
    first = str(error.value).splitlines()[0]
    assert first.startswith(f"fraud.yaml:{line}:{column}: ")
    assert message in str(error.value)
    assert (error.value.line, error.value.column) == (line, column)


def test_all_errors_are_named_at_once_in_file_order() -> None:
    """One run of the check is enough to mend a file."""
    with pytest.raises(PolicyError) as error:
        loads(HEAD + "zzz: 1\nbudgets: {brier: 0}\npane: 1\n")
    lines = str(error.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "policy.yaml:3:1",
        "policy.yaml:4:18",
        "policy.yaml:5:7",
    ]


def test_aliases_cannot_blow_a_policy_up() -> None:
    """Aliases of aliases end in an error, not in memory; merged keys are found."""
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    with pytest.raises(PolicyError, match="do not nest aliases"):
        loads(HEAD + bomb)
    merged = "features:\n  a: &a {max: 2}\n  b:\n    <<: *a\n    min: 1\n"
    contract = loads(HEAD + merged).features["b"]
    assert (contract.min, contract.max) == (1, 2)
    with pytest.raises(PolicyError, match=r"policy.yaml:\d+:\d+: features.b.max is -1|not below"):
        loads(HEAD + merged.replace("2", "-1"))


def test_yaml_scalars_map_to_strict_fields() -> None:
    """Whole numbers serve as floats, enum words as enums; text stays text."""
    policy = loads(
        HEAD + "owner: 'no'\nlabels: {scale: 2, positive: yes}\n"
        "budgets: {error_rate: 5e-2}\npatterns: {repeats: true}\n"
    )
    assert policy.task is Task.BINARY
    assert (policy.labels.scale, policy.labels.positive) == (2.0, "yes")
    assert policy.budgets.error_rate == 0.05
    assert (policy.patterns.repeats, policy.owner) == (True, "no")


def test_load_names_the_file(tmp_path: Path) -> None:
    """Trouble with the file itself is a PolicyError, too."""
    path = tmp_path / "fraud.yaml"
    with pytest.raises(PolicyError, match="no such file"):
        load(path)
    path.write_bytes(b"model: \xff\n")
    with pytest.raises(PolicyError, match="byte 7 is not UTF-8"):
        load(path)
    path.write_text(HEAD + "pane: 1\n")
    with pytest.raises(PolicyError, match=r"fraud\.yaml:3:7: pane"):
        load(str(path))
    path.write_text(HEAD)
    assert load(path).model == "fraud"
    with pytest.raises(PolicyError, match="cannot be read"):
        load(tmp_path)


def test_a_contradiction_is_refused_at_the_door_and_no_sooner() -> None:
    """All are named at once; at the very horizon is early enough, and what is in the log holds."""
    with pytest.raises(PolicyError) as error:
        loads(HEAD + "overload: {lag: 0ms}\nlabels: {horizon: 2d}\n")
    lines = str(error.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["policy.yaml:3:17", "policy.yaml:4:19"]
    at_once = loads(HEAD + "overload: {lag: 1ms}\nlabels: {maturity: 2d, horizon: 2d}\n")
    assert at_once.maturity_ms == at_once.horizon_ms
    before = Policy(model="m", task=Task.BINARY, labels=Labels(horizon="2d"))
    record = PolicyRecord(hash=before.hash, policy=before).model_dump_json()
    control = Control()
    control.apply(POLICIES, record.encode())
    assert control.policy(before.hash) == before

"""A real program as executor."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rollback_requests import execute

from schemas.commands import Outcome
from schemas.executors import Command

PROGRAM = """
import json, os, pathlib, sys, time
state = pathlib.Path(sys.argv[1])
question = json.load(sys.stdin)
held = json.loads(state.read_text())
with open(sys.argv[1] + ".log", "a") as log:
    log.write(json.dumps({"env": sorted(os.environ), **question}) + "\\n")
mode = held.pop("mode", "")
if question["op"] == "read":
    print(json.dumps({**held, "token": str(held["generation"])}))
elif mode == "later":
    sys.exit(75)
elif mode == "broken":
    sys.exit("no permission")
elif mode == "garbage":
    print("done!")
elif question["observed"]["token"] != str(held["generation"]):
    print(json.dumps({"changed": False}))
else:
    if not question["dry_run"]:
        held = {"version": question["request"]["target"], "generation": held["generation"] + 1}
        state.write_text(json.dumps(held))
    if mode == "hangs":
        time.sleep(60)
    print(json.dumps({"changed": True}))
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """What the program keeps: v12 at generation 7."""
    (tmp_path / "program.py").write_text(PROGRAM)
    return keep(tmp_path / "state.json")


def keep(state: Path, **changes: Any) -> Path:
    """Write what the program keeps."""
    state.write_text(json.dumps({"version": "v12", "generation": 7, **changes}))
    return state


def settings(state: Path, **changes: Any) -> Command:
    """An executor that runs the program."""
    argv = [sys.executable, str(state.parent / "program.py"), str(state)]
    given = {"kind": "command", "name": "script", "models": ["fraud"], "argv": argv}
    return Command.model_validate({**given, "compare_and_set": True, **changes})


def questions(state: Path) -> list[Any]:
    """What the program was asked."""
    return [json.loads(line) for line in Path(f"{state}.log").read_text().splitlines()]


def test_a_program_reads_sets_and_is_read_back(state):
    """It gets the request and what was read, and no more of the environment than named."""
    environ = {"PATH": "/usr/bin", "DEPLOY_TOKEN": "x", "OTHER_SECRET": "y"}
    done = execute(settings(state, environment=["DEPLOY_TOKEN"]), environ=environ)
    assert (done.outcome, done.generation) == (Outcome.APPLIED, 8)
    read, write, back = questions(state)
    assert [read["op"], write["op"], back["op"]] == ["read", "set", "read"]
    assert write["request"]["target"] == "v11"
    assert write["request"]["key"] == "key-1"
    assert write["observed"]["token"] == "7"
    assert set(write["env"]) - {"LC_CTYPE"} == {"DEPLOY_TOKEN", "PATH"}


def test_a_program_that_hangs_after_its_write_is_killed_and_read_back(state):
    """The effect decides, not the answer."""
    keep(state, mode="hangs")
    done = execute(settings(state, timeout="2s"))
    assert (done.outcome, done.generation) == (Outcome.APPLIED, 8)


@pytest.mark.parametrize(
    ("mode", "outcome", "said"),
    [
        ("later", None, ""),
        ("broken", Outcome.FAILED, "exit code 1, 'no permission"),
        ("garbage", Outcome.FAILED, "wrote no JSON object but b'done!"),
    ],
)
def test_exit_codes_tell_later_from_never(state, mode, outcome, said):
    """75 comes again; the rest is for people."""
    keep(state, mode=mode)
    done = execute(settings(state))
    assert (done and done.outcome) == outcome
    assert said in (done.detail if done else "")


def test_a_program_that_is_not_there_fails(state):
    """With its name."""
    done = execute(settings(state, argv=["/no/such/program"]))
    assert (done.outcome, "/no/such/program: cannot be run" in done.detail) == (
        Outcome.FAILED,
        True,
    )


def test_without_its_promise_a_person_decides(state):
    """A program is not taken to compare and set unless its owner says so."""
    unguarded = settings(state, compare_and_set=False)
    assert execute(unguarded).outcome is Outcome.REFUSED
    assert execute(unguarded, approvals=["ada"]).outcome is Outcome.APPLIED


def test_a_dry_run_is_told_to_the_program(state):
    """So that it can check more."""
    assert execute(settings(state, dry_run=True)) is None
    assert questions(state)[1]["dry_run"] is True
    assert json.loads(state.read_text())["version"] == "v12"


def test_what_a_program_leaves_behind_is_killed_too(tmp_path):
    """It ended itself, but what it started still holds its output open after the timeout."""
    path, pid, began = tmp_path / "program.py", tmp_path / "pid", time.monotonic()
    path.write_text(
        "import pathlib, subprocess, sys\n"
        "left = subprocess.Popen(['sleep', '60'])\n"
        "pathlib.Path(sys.argv[1]).write_text(str(left.pid))\n"
    )
    argv = [sys.executable, str(path), str(pid)]
    one = Command(kind="command", name="script", models=["fraud"], argv=argv, timeout="2s")
    assert execute(one, environ={"PATH": os.environ["PATH"]}) is None
    while _runs(pid.read_text()):  # A signal takes a moment; the sleep takes a minute.
        time.sleep(0.01)
        assert time.monotonic() < began + 30


def _runs(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"

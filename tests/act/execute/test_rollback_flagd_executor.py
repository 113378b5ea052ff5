"""flagd: real files, and real processes that write them at the same time."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rollback_requests import NOW_MS, execute, requested

from schemas.commands import Outcome
from schemas.executors import Flagd
from streams.act.execute import build
from streams.act.execute.contract import Change, request_of

ROOT = Path(__file__).parents[3]

FLAGS = {
    "$schema": "https://flagd.dev/schema/v0/flags.json",
    "flags": {
        "fraud": {
            "state": "ENABLED",
            "variants": {"v11": "v11", "v12": "v12"},
            "defaultVariant": "v12",
            "targeting": {},
            "metadata": {"generation": 7, "owner": "risk"},
        },
        "other": {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"},
    },
}

PROCESS = """
import sys
from rollback_requests import execute
from schemas.executors import Flagd
done = execute(
    Flagd(kind="flagd", name=sys.argv[2], models=["*"], path=sys.argv[1], compare_and_set=True),
    idempotency_key=sys.argv[2], generation=int(sys.argv[3]),
)
print(done.outcome if done else "again")
"""

COUNTER = """
import fcntl, json, os, sys
for _ in range(40):
    with open(sys.argv[1] + ".lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(sys.argv[1]) as file:
            flags = json.load(file)
        counter = flags["flags"]["other"].setdefault("metadata", {"count": 0})
        counter["count"] += 1
        with open(sys.argv[1] + ".new", "w") as file:
            json.dump(flags, file)
        os.replace(sys.argv[1] + ".new", sys.argv[1])
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with v12 as the default."""
    path = tmp_path / "flags.json"
    path.write_text(json.dumps(FLAGS))
    return path


def settings(path: Path, **changes: Any) -> Flagd:
    """An executor for the file."""
    given = {"kind": "flagd", "name": "flags", "models": ["fraud"], "path": str(path)}
    return Flagd.model_validate({**given, "compare_and_set": True, **changes})


def flag(path: Path) -> Any:
    """The flag as it stands in the file."""
    return json.loads(path.read_text())["flags"]["fraud"]


def spawn(program: str, *arguments: str) -> subprocess.Popen[str]:
    """A process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests/support'}"},
    )


def test_the_target_becomes_the_only_variant(path):
    """Nothing else in the file changes, nor its mode; no other file is left."""
    path.chmod(0o640)
    done = execute(settings(path))
    assert (done.outcome, done.generation) == (Outcome.APPLIED, 8)
    assert flag(path)["defaultVariant"] == "v11"
    assert flag(path)["metadata"] == {"generation": 8, "owner": "risk", "rollback": "key-1"}
    assert json.loads(path.read_text())["flags"]["other"] == FLAGS["flags"]["other"]
    assert path.stat().st_mode & 0o777 == 0o640
    assert {file.name for file in path.parent.iterdir()} == {"flags.json", "flags.json.lock"}


def test_a_canary_by_targeting_is_ended(path):
    """The default was the target all along, but some got v12."""
    flags = json.loads(path.read_text())
    some = {"fractional": [["v11", 90], ["v12", 10]]}
    flags["flags"]["fraud"] |= {"defaultVariant": "v11", "targeting": some}
    path.write_text(json.dumps(flags))
    assert execute(settings(path)).outcome is Outcome.APPLIED
    assert flag(path)["targeting"] == {}
    assert flag(path)["metadata"]["generation"] == 8


def test_a_repetition_changes_nothing_and_an_undone_one_is_stale(path):
    """The generation in the file tells there and back again."""
    execute(settings(path))
    content = path.read_bytes()
    assert execute(settings(path)).detail == "v11 is served already"
    assert path.read_bytes() == content
    flags = json.loads(content)
    flags["flags"]["fraud"]["defaultVariant"] = "v12"
    path.write_text(json.dumps(flags))
    assert execute(settings(path)).outcome is Outcome.REFUSED


@pytest.mark.parametrize("changes", [{"compare_and_set": False}, {}])
def test_without_a_lock_for_all_or_a_generation_a_person_decides(path, changes):
    """Each alone does not make a compare-and-set."""
    if not changes:
        flags = json.loads(path.read_text())
        del flags["flags"]["fraud"]["metadata"]
        path.write_text(json.dumps(flags))
    refused = execute(settings(path, **changes))
    assert (refused.outcome, "person must approve" in refused.detail) == (Outcome.REFUSED, True)
    assert execute(settings(path, **changes), approvals=["ada"]).outcome is Outcome.APPLIED


def test_a_file_that_changed_since_it_was_read_is_a_conflict(path):
    """Even if the change is to another flag: the whole file is replaced."""
    request = request_of(requested(), at_ms=NOW_MS)
    (serving,) = build([settings(path)], {}).serving
    observed = asyncio.run(serving.executor.read(request))
    changed = path.read_text().replace('"owner": "risk"', '"owner": "fraud"')
    path.write_text(changed)
    done = asyncio.run(serving.executor.set(request, observed, dry_run=False))
    assert done.change is Change.CONFLICT
    assert path.read_text() == changed


def test_who_holds_the_lock_is_waited_for(path):
    """Not for ever: then the request comes again."""
    with Path(f"{path}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert execute(settings(path, timeout="100ms")) is None
    assert execute(settings(path)).outcome is Outcome.APPLIED


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ('{"flags": {}}', "no flag 'fraud'"),
        (json.dumps(FLAGS).replace('"v11"', '"v9"'), "no variant 'v11'; add it"),
    ],
)
def test_a_file_that_cannot_be_used_fails_with_the_fix(path, content, said):
    """And is not touched."""
    path.write_text(content)
    done = execute(settings(path))
    assert (done.outcome, said in done.detail) == (Outcome.FAILED, True)
    assert path.read_text() == content


def test_a_file_that_is_not_there_fails(path):
    """Waiting would not help."""
    done = execute(settings(path.parent / "none.json"))
    assert (done.outcome, "check path and rights" in done.detail) == (Outcome.FAILED, True)


def test_a_dry_run_leaves_the_file(path):
    """Not even a lock."""
    content = path.read_bytes()
    assert execute(settings(path, dry_run=True)) is None
    assert path.read_bytes() == content
    assert len(list(path.parent.iterdir())) == 1


def test_a_link_stays_a_link(path):
    """What it points to is replaced."""
    link = path.parent / "link.json"
    link.symlink_to(path)
    assert execute(settings(link)).outcome is Outcome.APPLIED
    assert link.is_symlink()
    assert flag(path)["defaultVariant"] == "v11"


def test_processes_at_once_make_one_transition_and_lose_nobodys_writes(path):
    """Two with one key, one that is stale, and another that counts in the same file."""
    counter = spawn(COUNTER, str(path))
    asked = [("key-a", "7"), ("key-a", "7"), ("key-b", "6")]
    processes = [spawn(PROCESS, str(path), *words) for words in asked]
    said = [process.communicate(timeout=60)[0].strip() for process in processes]
    counter.communicate(timeout=60)
    assert counter.returncode == 0
    assert set(said[:2]) <= {"applied", "again"}
    assert said[2] in {"refused", "applied"}  # applied: v11 was served when it looked
    whole = json.loads(path.read_text())
    assert whole["flags"]["other"]["metadata"]["count"] == 40
    if "applied" in said[:2]:
        assert flag(path)["metadata"]["generation"] == 8
        assert flag(path)["metadata"]["rollback"] == "key-a"


def test_a_flag_without_a_generation_gets_none(path):
    """Who deploys would not count it up, and every later request would be stale."""
    flags = json.loads(path.read_text())
    del flags["flags"]["fraud"]["metadata"]
    path.write_text(json.dumps(flags))
    done = execute(settings(path), approvals=["ada"])
    assert (done.outcome, done.generation) == (Outcome.APPLIED, None)
    assert flag(path)["metadata"] == {"rollback": "key-1"}

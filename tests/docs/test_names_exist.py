"""Settings, metrics, tests and paths named in a page exist, and none is left out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from schemas.dead_letters import Reason
from schemas.rollouts import RolloutAction
from streams.runtime.catalogue import CATALOGUE
from streams.runtime.settings import Settings

ROOT = Path(__file__).parents[2]
SETTINGS = {f"KITTIWAKE_{name.upper()}" for name in Settings.model_fields}
NOT_SETTINGS = {"KITTIWAKE_CACHE"}
NOT_METRICS = {"kittiwake_client"}
FOLDERS = "client|deploy|detectors|docs|examples|schemas|streams|tests"
PLACE = re.compile(rf"^((?:{FOLDERS})/[\w./-]+?)(?:::(\w+))?$")


def test_variables_are_settings(pages):
    """A ``KITTIWAKE_…`` in a page is a setting; operations.md has them all."""
    named = {
        (page.name, name)
        for page in pages.values()
        for name in re.findall(r"KITTIWAKE_[A-Z_]+[A-Z]", page.text)
    }
    assert {item for item in named if item[1] not in SETTINGS | NOT_SETTINGS} == set()
    assert {name for page, name in named if page == "docs/operations.md"} >= SETTINGS


def test_variables_outside_of_the_settings_are_read_by_the_code():
    """The exceptions above are no free pass."""
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "streams").rglob("*.py"))
    assert all(f'"{name}"' in code for name in NOT_SETTINGS)


def test_metrics_are_in_the_catalogue(pages):
    """A ``kittiwake_…`` in a page is a series; operations.md has every metric."""
    series = {name for declared in CATALOGUE for name in declared.series}
    named = {
        (page.name, name)
        for page in pages.values()
        for name in re.findall(r"\bkittiwake_[a-z_]+[a-z]", page.text)
    }
    names = {declared.name for declared in CATALOGUE}
    assert {item for item in named if item[1] not in series | names | NOT_METRICS} == set()
    for name in names:
        assert f"`{name}`" in pages["docs/operations.md"].text


def test_paths_and_tests_exist(pages):
    """A path in a page is there, and a test named in it is one."""
    missing, seen = [], 0
    for page in pages.values():
        if page.path.parts[-3:-1] == ("examples", "bank"):
            continue
        for code in page.code:
            match = PLACE.match(code.strip())
            if match is None:
                continue
            seen += 1
            path, function = ROOT / match[1], match[2]
            if not path.exists() or (function and function not in functions(path)):
                missing.append(f"{page.name}: {code}")
    assert missing == []
    assert seen > 30


def functions(path: Path) -> set[str]:
    """Names of the functions of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_reason_of_a_dead_letter_has_an_answer(pages):
    """The runbook has a row for each."""
    rows = set(re.findall(r"^\| `(\w+)` \|", pages["docs/runbooks/dead-letters.md"].text, re.M))
    assert rows == {reason.value for reason in Reason}


def test_everything_said_of_a_rollout_is_explained(pages):
    """The runbook names each action."""
    text = pages["docs/runbooks/rollback-requested.md"].text
    assert {action for action in RolloutAction if f"`{action.value}`" not in text} == set()

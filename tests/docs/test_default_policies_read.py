"""The policies of five lines that the page on policies shows can be read, one for each task."""

from __future__ import annotations

import re

import pytest

from schemas.features import FeatureContract
from schemas.policy import Policy, Task
from schemas.policy_file import loads

BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
ROW = re.compile(r"^\| `(\w+)` \| `(labels: \{[^`]+\})`", re.MULTILINE)
SIGNAL = re.compile(r"^\| `(\w+)`[^|]*\| `\1: (\{[^`]+\})` \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def text(pages) -> str:
    """The page without its table of keys."""
    return pages["docs/policy.md"].text.partition("## Five lines are enough")[2]


def test_five_lines_are_a_policy_of_every_task(text):
    """Five keys, no more; the table of other tasks changes two of them."""
    lines = BLOCK.findall(text)[0].splitlines()
    assert len(lines) == 5
    labels = {"binary": lines[3], **dict(ROW.findall(text))}
    assert set(labels) == {task.value for task in Task}
    for task, line in labels.items():
        policy = loads("\n".join([lines[0], f"task: {task}", lines[2], line, lines[4]]))
        assert policy.task == task
        assert policy.maturity_ms < policy.horizon_ms


def test_contracts_of_signals_set_a_level_of_their_mean(text):
    """All of them together are a policy of a chat."""
    contracts = dict(SIGNAL.findall(text))
    assert set(contracts) == {"refusal", "toxicity", "judge", "tokens", "cost"}
    lines = [f"  {name}: {contract}" for name, contract in contracts.items()]
    policy: Policy = loads("\n".join(["model: m", "task: chat", "features:", *lines]))
    found: list[FeatureContract] = list(policy.features.values())
    assert all((known.max_mean or known.min_mean) is not None for known in found)

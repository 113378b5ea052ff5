"""Policies as YAML: read with positions, so that each error names its place and its fix."""

from __future__ import annotations

from pathlib import Path

from schemas.contradictions import contradictions
from schemas.errors import PolicyError
from schemas.policy import Policy
from schemas.yaml_file import YamlFile

FILE = YamlFile(Policy, PolicyError, "at least model and task", "model: NAME", contradictions)


def load(path: Path | str) -> Policy:
    """The policy of a YAML file.

    Raises
    ------
    PolicyError
        If the file cannot be read, or `loads` refuses its text.
    """
    return FILE.load(path)


def loads(text: str, file: str = "policy.yaml") -> Policy:
    """The policy of YAML text.

    Parameters
    ----------
    text
        One YAML document.
    file
        Name for messages.

    Raises
    ------
    PolicyError
        If the text is not YAML or not a policy, or contradicts itself; names the first place and
        lists the others.

    Examples
    --------
    >>> loads("model: fraud\\ntask: binary\\n").window_ms
    3600000
    >>> loads("model: fraud\\ntask: binary\\nlables:\\n  horizon: 30d\\n")
    Traceback (most recent call last):
    schemas.errors.PolicyError: policy.yaml:3:1: unknown key 'lables'; did you mean 'labels'?
    """
    return FILE.loads(text, file)

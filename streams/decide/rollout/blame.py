"""What is at fault where a canary does worse: the version, or the world that both arms live in.

A comparison of two arms cancels what both have in common only if it hurts both alike. While inputs
or labels are broken for both, a version that does worse may do so because of that: a rollback
would be no remedy, so the rollout holds, and whoever owns the data is to be called.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.rollouts import Blame

HELD = "hold; page the data owner"
"""What is to be done about broken inputs or labels."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of both arms by a look, all of the same windows.

    Parameters
    ----------
    harmed
        Guardrails in which the version is proven to be worse.
    sound
        Those of them that are proven on windows in which nothing was broken for both arms.
    labelled
        Those of them that need labels.
    inputs
        What is broken in the inputs of both arms, or in those that the baseline answers.
    labels
        What is wrong with the labels.
    canary_inputs
        What is broken in the inputs of the canary alone.
    """

    harmed: tuple[str, ...]
    sound: tuple[str, ...] = ()
    labelled: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    canary_inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What is at fault, why, and what forbids a rollback ("" where nothing does)."""

    blame: Blame
    reason: str
    blocked_by: str = ""


def blame(facts: Facts) -> Finding:
    """What is at fault; only a version is to be rolled back.

    Trouble with labels says nothing against what needs none. Inputs that are broken for the canary
    alone are a matter of the version that reads them.

    Examples
    --------
    >>> blame(Facts(harmed=("error_rate",), sound=("error_rate",))).blame.value
    'version'
    >>> blame(Facts(harmed=("error_rate",), inputs=("missing_rate of age",)))
    Finding(blame=<Blame.INPUTS: 'inputs'>, reason='inputs are broken (missing_rate of age): \
hold; page the data owner', blocked_by='inputs_broken')
    >>> blame(Facts(harmed=())).blame.value
    'unknown'
    """
    if not facts.harmed:
        return Finding(Blame.UNKNOWN, "no harm")
    if facts.inputs:
        return _held(Blame.INPUTS, f"inputs are broken ({_list(facts.inputs)})")
    convicting = [name for name in facts.harmed if not facts.labels or name not in facts.labelled]
    if not convicting:
        return _held(Blame.LABELS, f"labels cannot be trusted ({_list(facts.labels)})")
    if not set(convicting) & set(facts.sound):
        return _held(Blame.INPUTS, "harm shows only in windows with broken inputs or labels")
    if facts.canary_inputs:
        return Finding(Blame.VERSION, f"its own inputs are broken ({_list(facts.canary_inputs)})")
    return Finding(Blame.VERSION, "")


def _held(fault: Blame, why: str) -> Finding:
    return Finding(fault, f"{why}: {HELD}", f"{fault.value}_broken")


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names)

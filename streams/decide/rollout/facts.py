"""What a look at a rollout knows of broken inputs and labels, gathered for `blame`."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.canary.three_way import Decision
from schemas.policy import Canary, Guardrail
from schemas.predictions import Arm
from streams.decide.rollout import trouble
from streams.decide.rollout.arms import Cohort, covered
from streams.decide.rollout.blame import Facts
from streams.decide.rollout.faults import Faults, chronic_of, faults_of, name_of
from streams.decide.rollout.plan import Rollout
from streams.decide.rollout.rails import harm_threshold, needs_labels, sound_evidence
from streams.decide.rollout.records import Track, Trouble
from streams.decide.state import State

UNEQUAL = "coverage"
"""What is wrong with labels that are too few, or came unequally to both arms."""


def broken(state: State, rollout: Rollout, cohort: Cohort) -> Faults:
    """What was broken in a window, alerts on the baseline's inputs included.

    What broke before the rollout began is left out: the baseline lives with it, and so must the
    canary.
    """
    before = trouble.standing(state, rollout.model, rollout.baseline, rollout.start_ms)
    chronic = chronic_of([one for one in before if trouble.of_inputs(one)])
    found = faults_of(state, cohort, chronic=chronic)
    alerts = [name_of(one.metric, one.feature) for one in _input_alerts(state, rollout, cohort)]
    shared = dict.fromkeys((*found.shared, *(name for name in alerts if name not in chronic)))
    return Faults(tuple(one for one in found.own if one not in shared), tuple(shared))


def distrusted(state: State, rollout: Rollout, cohort: Cohort) -> tuple[str, ...]:
    """What alerts say is wrong with the baseline's labels when a window is looked at."""
    open_ = trouble.standing(state, rollout.model, rollout.baseline, cohort.due_ms)
    return tuple(
        dict.fromkeys(name_of(one.metric, one.feature) for one in open_ if trouble.of_labels(one))
    )


def facts_of(
    state: State,
    rollout: Rollout,
    cohort: Cohort,
    track: Track,
    guardrails: Sequence[Guardrail],
    choice: Decision,
    canary: Canary,
    *,
    n_tests: int,
) -> Facts:
    """All that says what is at fault for the harm that was found; ``n_tests`` as in `rails`."""
    harmed = choice.guardrails
    labelled = tuple(g.metric for g in guardrails if g.metric in harmed and needs_labels(g))
    labels = distrusted(state, rollout, cohort) if labelled else ()
    if labelled and rollout.arm is not Arm.SHADOW and not covered(state, cohort):
        labels = (*labels, UNEQUAL)
    needed = harm_threshold(canary, n_tests)
    sound = [name for name in harmed if sound_evidence(track.rails[name]) >= needed]
    return Facts(
        harmed=harmed,
        sound=tuple(sound),
        labelled=labelled,
        inputs=broken(state, rollout, cohort).shared,
        labels=labels,
        canary_inputs=tuple(sorted(track.own_faults)),
    )


def counted(known: dict[str, int], found: Sequence[str]) -> dict[str, int]:
    """Windows by what was broken in them, after one more.

    Examples
    --------
    >>> counted({"missing rate of age": 2}, ["missing rate of age", "out_of_domain"])
    {'missing rate of age': 3, 'out_of_domain': 1}
    """
    return known | {name: known.get(name, 0) + 1 for name in found}


def _input_alerts(state: State, rollout: Rollout, cohort: Cohort) -> list[Trouble]:
    open_ = trouble.standing(state, rollout.model, rollout.baseline, cohort.due_ms)
    return [one for one in open_ if trouble.of_inputs(one)]

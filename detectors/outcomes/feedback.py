"""What a label pane knows of the labels themselves: reviews, reversals, weights and pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.estimation.propensity import CAP
from detectors.summary import SCALE, Builder, CellBuilder, Field, Floats, Ints, Layout, quantise
from schemas.policy import Policy, Task

HISTORY = (Field("n_review"), Field("n_disagree"), Field("n_flip"))
"""Labels that a person reviewed, that a review changed, that other feedback reversed."""

PAIRS = (Field("pair_n"), Field("pair_10"), Field("pair_01"), Field("pair_both"))
"""Labelled pairs of a shadow's and the served answer; only the shadow, only the served answer,
and both of them wrong."""

PAIRED = frozenset({Task.BINARY, Task.MULTICLASS})
"""Tasks in which a shadow and the answer that was served are right or wrong by the same truth."""

SHARED = PAIRED | {Task.REGRESSION}
"""Tasks in which a shadow takes its truth from the answer that was served. What people do with a
ranking or a chat answer says nothing of another one."""

WEIGHTED_METRICS = {"error_rate_weighted": "err", "brier_weighted": "brier"}
"""Metrics of labels that were chosen with known chances: the sum of which a label pane keeps
weighted ones, too."""

MOST_LOST = 500.0
"""Most weight that is counted as lost for one label."""


class Answers(Protocol):
    """The part of a task (`detectors.outcomes.contract.Outcome`) that is needed here."""

    fields: tuple[Field, ...]

    def add(self, build: Builder, tails: NDArray[np.void], truth: Floats) -> None: ...


@dataclass(frozen=True, slots=True)
class Told:
    """How n labels came about; every array has shape (n,).

    ``source`` is the place, from 1, in ``labels.sources``, 0 for any other. ``propensity`` is NaN
    where it is not known.
    """

    reviewed: NDArray[np.bool_]
    disagreed: NDArray[np.bool_]
    flipped: NDArray[np.bool_]
    source: Ints
    propensity: Floats


def fields_of(answers: Answers, policy: Policy) -> tuple[Field, ...]:
    """Fields of a label pane under a policy, beside those of its task.

    Examples
    --------
    >>> from detectors.outcomes import outcome_of
    >>> policy = Policy(model="m", task=Task.REGRESSION)
    >>> [field.name for field in fields_of(outcome_of(policy), policy)]
    ['n_review', 'n_disagree', 'n_flip']
    """
    found = [*HISTORY, *(PAIRS if policy.task in PAIRED else ())]
    for source in sources_of(policy):
        found += [Field(f"{source}:source_n"), Field(f"{source}:source_flip")]
    if weighs(policy):
        found += [Field("ipw_n"), Field("ipw_clipped")]
        found += [Field(f"ipw_{name}", fixed=True) for name in ("w", "w2", "lost")]
        found += [
            Field(f"ipw_{name}_{power}", fixed=True)
            for name in _weighted(answers)
            for power in ("wx", "w2x", "w2x2")
        ]
    return tuple(found)


def weighs(policy: Policy) -> bool:
    """Whether errors are weighted by the inverse of the propensity of their labels."""
    return policy.labels.propensity and policy.task in PAIRED


def sources_of(policy: Policy) -> tuple[str, ...]:
    """Sources of feedback that are counted apart, each once."""
    return tuple(dict.fromkeys(policy.labels.sources))


def add_history(build: Builder, told: Told, sources: tuple[str, ...]) -> None:
    """Add reviews and reversals, and the labels and reversals of each named source."""
    for name, chosen in (
        ("n_review", told.reviewed),
        ("n_disagree", told.disagreed),
        ("n_flip", told.flipped),
    ):
        build.ones(name, np.flatnonzero(chosen))
    for place, source in enumerate(sources, start=1):
        of_source = told.source == place
        build.ones(f"{source}:source_n", np.flatnonzero(of_source))
        build.ones(f"{source}:source_flip", np.flatnonzero(of_source & told.flipped))


def add_weighted(
    build: Builder, answers: Answers, tails: NDArray[np.void], truth: Floats, propensity: Floats
) -> None:
    """Add what labels with a known propensity sum up to, weighted by its inverse, at most `CAP`."""
    rows = np.flatnonzero(~np.isnan(propensity) & (tails["known"] == 1))
    full = 1.0 / propensity[rows]
    weight = np.minimum(full, CAP)
    build.ones("ipw_n", rows)
    build.ones("ipw_clipped", rows[full > CAP])
    build.add("ipw_w", rows, quantise(weight))
    build.add("ipw_w2", rows, quantise(weight**2))
    build.add("ipw_lost", rows, quantise(np.minimum(full - weight, MOST_LOST)))
    for name in _weighted(answers):
        value = _values(answers, tails, truth, name)[rows]
        build.add(f"ipw_{name}_wx", rows, quantise(weight * value))
        build.add(f"ipw_{name}_w2x", rows, quantise(weight**2 * value))
        build.add(f"ipw_{name}_w2x2", rows, quantise((weight * value) ** 2))


def add_pairs(
    build: Builder,
    answers: Answers,
    shadows: NDArray[np.void],
    served: NDArray[np.void],
    rows: Ints,
    truth: Floats,
) -> None:
    """Add pairs: answers of a shadow and of what served, and the truth of both, shape (m,).

    ``rows`` are their places among the rows of ``build``. A pair with an unusable answer adds
    nothing.
    """
    usable = (shadows["known"] == 1) & (served["known"] == 1)
    wrong = _values(answers, shadows, truth, "err") > 0.5
    beside = _values(answers, served, truth, "err") > 0.5
    for name, chosen in (
        ("pair_n", usable),
        ("pair_10", usable & wrong & ~beside),
        ("pair_01", usable & ~wrong & beside),
        ("pair_both", usable & wrong & beside),
    ):
        build.ones(name, rows[chosen])


def _weighted(answers: Answers) -> list[str]:
    names = {field.name for field in answers.fields}
    return [name for name in WEIGHTED_METRICS.values() if name in names]


def _values(answers: Answers, tails: NDArray[np.void], truth: Floats, name: str) -> Floats:
    """What each row adds to a field of its task, shape (n,)."""
    layout = Layout(answers.fields)
    build = CellBuilder(layout)
    answers.add(build, tails, truth)
    cells = build.build()
    chosen = cells.columns == layout.start(name)
    values = np.zeros(len(tails))
    values[cells.rows[chosen]] = cells.values[chosen]
    fixed = next(field.fixed for field in answers.fields if field.name == name)
    return values / SCALE if fixed else values

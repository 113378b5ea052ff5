"""Fit the example's two models on the calls of May to July 2008.

``python -m examples.bank.fit`` writes ``models/v1.json`` and ``models/v2.json``;
``--check`` fits again and compares with the shipped coefficients.

Both are logistic regressions with an L2 penalty, fit by Newton's method (iteratively reweighted
least squares). Inputs are what the bank knows of the client and of the call: age and its square,
log of the number of contacts, job, marital state, education, default, housing, loan, contact. The
economic indicators are left out: three months hold three or four values of each, and the slopes
fit on them would be absurd a year later. They are monitored as features all the same.

**v1** is fit on all calls. **v2** has a common fault. To make fitting cheap, only every sixth
"no" was kept, and nobody added log(1/6) back to the intercept; its odds are six times too high.

References
----------
King, G., Zeng, L. (2001). Logistic regression in rare events data. Political Analysis 9(2).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from examples.bank.model import Model, Term, read, standardised, write
from examples.bank.timeline import Call, load

FIT_UNTIL = date(2008, 8, 1)
PENALTY = 30.0
"""Least log loss when each week of the three months is left out in turn (1 to 1000 tried)."""
THRESHOLD = 0.3
"""A follow-up costs three tenths of what a subscription brings: it pays from p = 0.3 on."""
KEPT_NEGATIVES = 6
TOLERANCE = 1e-6
DIGITS = 9

INPUTS = (("age", "linear"), ("age", "square"), ("campaign", "log"))
CATEGORIES = ("job", "marital", "education", "default", "housing", "loan", "contact")
NOTES = {
    "v1": "Fit on the calls of May to July 2008.",
    "v2": "As v1, but fit on every sixth negative without correcting the intercept: a fault.",
}

Array = NDArray[np.float64]


def irls(inputs: Array, outcomes: Array, *, penalty: float, iterations: int = 50) -> Array:
    """Coefficients of the penalised logistic regression; column 0, the intercept, is free.

    Parameters
    ----------
    inputs
        Shape (rows, columns), column 0 all ones.
    outcomes
        Shape (rows,), 0 or 1.
    penalty
        Half the sum of squared coefficients is added this many times to the negative log
        likelihood.

    Raises
    ------
    ArithmeticError
        If the coefficients still move after ``iterations`` steps.

    Examples
    --------
    >>> irls(np.ones((4, 1)), np.array([1.0, 0.0, 0.0, 0.0]), penalty=1.0).round(6)
    array([-1.098612])
    """
    weights = np.zeros(inputs.shape[1])
    penalties = np.full(inputs.shape[1], penalty)
    penalties[0] = 0.0
    for _ in range(iterations):
        p = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (outcomes - p) - penalties * weights
        hessian = (inputs.T * (p * (1 - p))) @ inputs + np.diag(penalties)
        step = np.linalg.solve(hessian, gradient)
        weights += step
        if np.abs(step).max() < 1e-12:
            return weights
    raise ArithmeticError(f"no convergence after {iterations} steps; raise the penalty")


def numeric_terms(calls: Sequence[Call]) -> tuple[Term, ...]:
    """The numeric inputs with mean and standard deviation of these calls, weights still 0."""
    return tuple(_fit_scale(name, transformation, calls) for name, transformation in INPUTS)


def categories(calls: Sequence[Call]) -> dict[str, dict[str, float]]:
    """The values of each category in these calls, weights still 0."""
    return {
        name: dict.fromkeys(sorted({str(call.features[name]) for call in calls}), 0.0)
        for name in CATEGORIES
    }


def matrix(
    calls: Sequence[Call], terms: Sequence[Term], values: dict[str, dict[str, float]]
) -> Array:
    """Intercept, standardised numbers and one column for each category value."""
    columns = [np.ones(len(calls))]
    for term in terms:
        numbers = (_number(call, term.feature) for call in calls)
        columns.append(np.array([standardised(number, term) for number in numbers]))
    for name, weights in values.items():
        texts = np.array([str(call.features[name]) for call in calls])
        columns.extend((texts == value).astype(np.float64) for value in weights)
    return np.column_stack(columns)


def fit(version: str, history: Sequence[Call], rows: Sequence[Call]) -> Model:
    """A model scaled by the history and fit on the rows, coefficients to nine decimals."""
    terms, values = numeric_terms(history), categories(history)
    outcomes = np.array([float(call.subscribed) for call in rows])
    solution = irls(matrix(rows, terms, values), outcomes, penalty=PENALTY)
    weights = iter(solution.round(DIGITS).tolist())
    return Model(
        version=version,
        note=NOTES[version],
        threshold=THRESHOLD,
        intercept=next(weights),
        numeric=tuple(term._replace(weight=next(weights)) for term in terms),
        categories={name: {v: next(weights) for v in values[name]} for name in values},
    )


def thinned(calls: Sequence[Call]) -> list[Call]:
    """All positives and every sixth negative, in order."""
    negatives = [call for call in calls if not call.subscribed]
    kept = {call.number for call in negatives[::KEPT_NEGATIVES]}
    return [call for call in calls if call.subscribed or call.number in kept]


def fit_all(calls: Sequence[Call]) -> tuple[Model, Model]:
    """v1 and v2."""
    history = [call for call in calls if call.day < FIT_UNTIL]
    return fit("v1", history, history), fit("v2", history, thinned(history))


def coefficients(model: Model) -> Array:
    """All numbers of a model in one row, for comparison."""
    numeric = [number for term in model.numeric for number in term[2:]]
    weights = [weight for values in model.categories.values() for weight in values.values()]
    return np.array([model.intercept, model.threshold, *numeric, *weights])


def difference(one: Model, other: Model) -> float:
    """Largest difference of a coefficient; infinite if the models have other inputs."""
    if _shape(one) != _shape(other):
        return float("inf")
    return float(np.abs(coefficients(one) - coefficients(other)).max())


def main() -> int:
    """Fit and write, or fit and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="compare with the shipped models")
    options = parser.parse_args()
    worst = 0.0
    for model in fit_all(load()):
        if options.check:
            apart = difference(model, read(model.version))
            worst = max(worst, apart)
            print(f"{model.version}: largest difference {apart:.2e}")
        else:
            print(write(model))
    return int(worst > TOLERANCE)


def _fit_scale(feature: str, transformation: str, calls: Sequence[Call]) -> Term:
    numbers = np.array([_number(call, feature) for call in calls])
    if transformation == "log":
        numbers = np.log(numbers)
    mean, scale = float(numbers.mean()), float(numbers.std())
    return Term(feature, transformation, round(mean, DIGITS), round(scale, DIGITS), 0.0)


def _number(call: Call, feature: str) -> float:
    value = call.features[feature]
    if not isinstance(value, int | float):
        raise TypeError(f"{call.id}: {feature} is {value!r}, expected a number")
    return float(value)


def _shape(model: Model) -> list[str]:
    values = [f"{name}={value}" for name, table in model.categories.items() for value in table]
    inputs = [f"{term.feature}:{term.transformation}" for term in model.numeric]
    return [*inputs, *values, *(str(field.name) for field in dataclasses.fields(model))]


if __name__ == "__main__":
    sys.exit(main())

"""The shipped models of the bank example are those that the script fits, and behave as told."""

from __future__ import annotations

import dataclasses
import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from examples.bank.fit import TOLERANCE, difference, fit_all, irls, thinned
from examples.bank.model import Model, read, write
from examples.bank.timeline import Call, load

Array = NDArray[np.float64]
README = Path(__file__).parents[2] / "examples" / "bank" / "README.md"


@pytest.fixture(scope="module")
def calls() -> list[Call]:
    return load()


@pytest.fixture(scope="module")
def august(calls: list[Call]) -> list[Call]:
    return [call for call in calls if (call.day.year, call.day.month) == (2008, 8)]


def percent(share: float) -> str:
    """A share with two digits, as the README writes it."""
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"


def outcomes(calls: list[Call]) -> Array:
    return np.array([float(call.subscribed) for call in calls])


def scores(model: Model, calls: list[Call]) -> Array:
    return np.array([model.score(call.features) for call in calls])


def errors(model: Model, calls: list[Call]) -> float:
    wrong = [
        (model.label(model.score(call.features)) == "yes") is not call.subscribed for call in calls
    ]
    return float(np.mean(wrong))


def test_fitting_again_gives_the_shipped_coefficients(calls: list[Call]) -> None:
    """The shipped files are the script's, to a millionth."""
    for model in fit_all(calls):
        assert difference(model, read(model.version)) <= TOLERANCE


def test_a_changed_coefficient_or_input_is_noticed() -> None:
    """The check can fail: it sees a moved number and a missing category."""
    model = read("v1")
    moved = dataclasses.replace(model, intercept=model.intercept + 1e-3)
    assert difference(model, moved) == pytest.approx(1e-3)
    fewer = dataclasses.replace(model, categories={})
    assert math.isinf(difference(model, fewer))


def test_irls_finds_the_stationary_point() -> None:
    """At the solution the penalised score is zero, and the intercept is not penalised."""
    generator = np.random.default_rng(7)
    inputs = np.column_stack([np.ones(500), generator.normal(size=(500, 3))])
    outcome = (generator.random(500) < 0.3).astype(np.float64)
    weights = irls(inputs, outcome, penalty=5.0)
    p = 1 / (1 + np.exp(-inputs @ weights))
    assert inputs.T @ (outcome - p) == pytest.approx(5.0 * weights * [0, 1, 1, 1], abs=1e-9)


def test_irls_refuses_to_return_what_has_not_converged() -> None:
    """Separable data without a penalty has no finite solution, and says so."""
    inputs = np.array([[1.0, -1.0], [1.0, 1.0]])
    with pytest.raises((ArithmeticError, np.linalg.LinAlgError)):
        irls(inputs, np.array([0.0, 1.0]), penalty=0.0, iterations=5)


def test_v1_is_calibrated_a_month_ahead(august: list[Call]) -> None:
    """In August 2008, not used for fitting, mean score and rate differ by less than .01."""
    gap = float(scores(read("v1"), august).mean() - outcomes(august).mean())
    assert abs(gap) < 0.01


def test_v2_is_truly_worse(august: list[Call]) -> None:
    """On the same calls v2 has twice the Brier score of v1 and four times its errors."""
    v1, v2, truth = read("v1"), read("v2"), outcomes(august)
    brier = [float(((scores(model, august) - truth) ** 2).mean()) for model in (v1, v2)]
    assert brier[1] > 2 * brier[0]
    assert errors(v2, august) > 4 * errors(v1, august)


def test_the_fault_of_v2_is_the_missing_prior_correction(calls: list[Call]) -> None:
    """Adding log(1/6) to v2's intercept makes it agree with v1 in the mean."""
    history = [call for call in calls if call.day < date(2008, 8, 1)]
    assert sum(not call.subscribed for call in thinned(history)) == math.ceil(
        sum(not call.subscribed for call in history) / 6
    )
    v2 = read("v2")
    mended = dataclasses.replace(v2, intercept=v2.intercept + math.log(1 / 6))
    gap = scores(mended, history).mean() - scores(read("v1"), history).mean()
    assert abs(float(gap)) < 0.003


def test_the_frozen_model_fails_in_the_crisis(calls: list[Call]) -> None:
    """In March 2009 six times as many subscribe as v1 expects."""
    march = [call for call in calls if (call.day.year, call.day.month) == (2009, 3)]
    assert outcomes(march).sum() > 6 * scores(read("v1"), march).sum()


PERIODS = {
    "May to July 2008, fit": (date(2008, 5, 1), date(2008, 8, 1)),
    "August 2008, a month ahead": (date(2008, 8, 1), date(2008, 9, 1)),
    "October 2008": (date(2008, 10, 1), date(2008, 11, 1)),
    "November 2008": (date(2008, 11, 1), date(2008, 12, 1)),
    "March 2009": (date(2009, 3, 1), date(2009, 4, 1)),
    "April 2009": (date(2009, 4, 1), date(2009, 5, 1)),
    "May 2009": (date(2009, 5, 1), date(2009, 6, 1)),
    "June 2009 to November 2010": (date(2009, 6, 1), date(2011, 1, 1)),
}


@pytest.mark.parametrize("name", PERIODS)
def test_the_table_of_the_readme_is_true(name: str, calls: list[Call]) -> None:
    """Calls, rate and expectation of each period are those of the data and of v1."""
    first, end = PERIODS[name]
    those = [call for call in calls if first <= call.day < end]
    rate, expected = outcomes(those).mean(), scores(read("v1"), those).mean()
    stated = f"| {name} | {len(those):,} | {percent(float(rate))} | {percent(float(expected))} |"
    assert stated in README.read_text("utf-8").splitlines()


def test_a_model_survives_writing_and_reading(tmp_path: Path) -> None:
    """What is written is read back equal."""
    model = read("v2")
    write(model, tmp_path)
    assert read("v2", tmp_path) == model


def test_unknown_and_missing_values_are_scored() -> None:
    """A missing number or an unseen category adds nothing instead of failing."""
    model = read("v1")
    plain = round(1 / (1 + math.exp(-model.intercept)), 6)
    assert model.score({"age": None, "job": "astronaut"}) == plain

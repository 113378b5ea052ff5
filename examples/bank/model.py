"""The model that the example serves: a logistic regression, read from JSON.

The score is the probability that the client subscribes:

    p = 1 / (1 + exp(-(intercept + sum of numeric terms + sum of category terms)))

A numeric term is a weight times the standardised value; a category term is the weight of the
value. A missing value, or a category that was not seen when fitting, adds nothing.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypedDict

from examples.bank.timeline import Features

MODELS = Path(__file__).with_name("models")
DIGITS = 6


class Term(NamedTuple):
    """A numeric input: the feature, its transformation and how it is standardised."""

    feature: str
    transformation: str
    mean: float
    scale: float
    weight: float


class ModelFile(TypedDict):
    """What a file under ``models/`` holds."""

    version: str
    note: str
    threshold: float
    intercept: float
    numeric: list[dict[str, str | float]]
    categories: dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Model:
    """A version with its coefficients."""

    version: str
    note: str
    threshold: float
    intercept: float
    numeric: tuple[Term, ...]
    categories: dict[str, dict[str, float]]

    def score(self, features: Features) -> float:
        """Probability of a subscription, rounded to six decimals so that platforms agree.

        Examples
        --------
        >>> model = Model("v", "", 0.2, 0.0, (Term("age", "linear", 40.0, 10.0, 1.0),), {})
        >>> model.score({"age": 40}), model.score({"age": 50}), model.score({"age": None})
        (0.5, 0.731059, 0.5)
        """
        logit = self.intercept
        for term in self.numeric:
            value = features.get(term.feature)
            if isinstance(value, int | float):
                logit += term.weight * standardised(float(value), term)
        for name, weights in self.categories.items():
            logit += weights.get(str(features.get(name)), 0.0)
        return round(1 / (1 + math.exp(-logit)), DIGITS)

    def label(self, score: float) -> str:
        """The decision: ``yes`` sends the client to a follow-up."""
        return "yes" if score >= self.threshold else "no"


def standardised(value: float, term: Term) -> float:
    """The model's input made of a feature's value.

    Examples
    --------
    >>> standardised(60.0, Term("age", "square", 40.0, 10.0, 0.0))
    4.0
    """
    if term.transformation == "log":
        return (math.log(value) - term.mean) / term.scale
    centred = (value - term.mean) / term.scale
    return centred * centred if term.transformation == "square" else centred


def read(version: str, folder: Path = MODELS) -> Model:
    """The shipped model of that version.

    Raises
    ------
    FileNotFoundError
        If there is no such version.

    Examples
    --------
    >>> read("v1").threshold
    0.3
    """
    data: ModelFile = json.loads((folder / f"{version}.json").read_text("utf-8"))
    return Model(
        version=data["version"],
        note=data["note"],
        threshold=data["threshold"],
        intercept=data["intercept"],
        numeric=tuple(_term(entry) for entry in data["numeric"]),
        categories=data["categories"],
    )


def write(model: Model, folder: Path = MODELS) -> Path:
    """Write a model as JSON and return its path."""
    data: ModelFile = {
        "version": model.version,
        "note": model.note,
        "threshold": model.threshold,
        "intercept": model.intercept,
        "numeric": [dict(term._asdict()) for term in model.numeric],
        "categories": model.categories,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{model.version}.json"
    path.write_text(json.dumps(data, indent=2) + "\n", "utf-8")
    return path


def _term(entry: dict[str, str | float]) -> Term:
    return Term(
        feature=str(entry["feature"]),
        transformation=str(entry["transformation"]),
        mean=float(entry["mean"]),
        scale=float(entry["scale"]),
        weight=float(entry["weight"]),
    )

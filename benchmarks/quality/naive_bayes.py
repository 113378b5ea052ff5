"""Gaussian naive Bayes, frozen once it is fitted: the model of case G3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from detectors.arrays import FloatArray
from detectors.summary import Ints

SMOOTHING = 1e-9
"""Share of the largest variance of an input that is added to every variance."""


@dataclass(frozen=True)
class NaiveBayes:
    """Means and variances (C, d) and log shares (C,) of classes 0 to C - 1.

    Examples
    --------
    >>> inputs = np.array([[0.0], [0.2], [1.0], [1.2]])
    >>> model = NaiveBayes.fit(inputs, np.array([0, 0, 1, 1]))
    >>> model.probabilities(np.array([[0.1], [1.1]])).round(3).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    mean: FloatArray
    variance: FloatArray
    log_share: FloatArray

    @classmethod
    def fit(cls, inputs: FloatArray, classes: Ints) -> Self:
        """Fit to inputs (n, d) and classes (n,)."""
        smoothing = SMOOTHING * inputs.var(axis=0).max()
        own = [inputs[classes == label] for label in range(int(classes.max()) + 1)]
        return cls(
            np.stack([rows.mean(axis=0) for rows in own]),
            np.stack([rows.var(axis=0) + smoothing for rows in own]),
            np.log([len(rows) / len(inputs) for rows in own]),
        )

    def probabilities(self, inputs: FloatArray) -> FloatArray:
        """Posterior probabilities (n, C)."""
        distance = (inputs[:, None, :] - self.mean) ** 2 / self.variance
        log_joint = self.log_share - 0.5 * (
            np.log(2 * np.pi * self.variance).sum(axis=-1) + distance.sum(axis=-1)
        )
        odds = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float64)


def across_folds(inputs: FloatArray, classes: Ints, *, folds: int = 5) -> FloatArray:
    """Probabilities (n, C) of rows by models fitted to others, every ``folds``-th row held out.

    On the rows that a model was fitted to it errs too rarely; a budget taken from them would
    alarm on a model as good as ever.
    """
    found = np.zeros((len(inputs), int(classes.max()) + 1))
    for fold in range(folds):
        held = np.arange(len(inputs)) % folds == fold
        model = NaiveBayes.fit(inputs[~held], classes[~held])
        found[held] = model.probabilities(inputs[held])
    return found

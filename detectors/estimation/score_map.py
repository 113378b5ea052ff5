"""Share of positives behind each score and decision, learned from labelled reference rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from detectors.arrays import ArrayLike, FloatArray, as_floats
from schemas.errors import ConfigurationError


def cells(n: ArrayLike, n1: ArrayLike) -> FloatArray:
    """Rows by decision and score bin.

    Parameters
    ----------
    n, n1
        Rows, and rows with a positive decision, of each score bin, shape (..., B).

    Returns
    -------
    Shape (..., 2, B): negative decisions first.

    Raises
    ------
    ValueError
        More positive decisions than rows, a negative count, or different shapes.

    Examples
    --------
    >>> cells([100, 50], [0, 40]).tolist()
    [[100.0, 10.0], [0.0, 40.0]]
    """
    rows, positive = as_floats(n), as_floats(n1)
    if rows.shape != positive.shape:
        raise ValueError(f"n has shape {rows.shape} and n1 {positive.shape}; they must be equal")
    split = np.stack([rows - positive, positive], axis=-2)
    if not np.all(split >= 0.0):
        worst = float(np.min(split))
        raise ValueError(f"a bin holds {worst:g} rows of one decision; need 0 <= n1 <= n")
    return as_floats(split)


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """Share of positives by decision and score bin; leading axes are maps side by side.

    Build it with `learn` or `known`.
    """

    rate: FloatArray
    """Share of positives, shape (..., 2, B), negative decisions first."""
    variance: FloatArray
    """Sampling variance of the share, shape (..., 2, B)."""
    shared: bool
    """Whether both decisions of a bin rest on the same rows, so that their errors are one."""

    @classmethod
    def learn(
        cls,
        n: ArrayLike,
        pos: ArrayLike,
        *,
        n1: ArrayLike | None = None,
        tp: ArrayLike | None = None,
    ) -> Self:
        """Learn from the counts of labelled reference rows.

        A threshold that cuts a bin makes decision and truth dependent within it: given `n1` and
        `tp`, each decision gets a share of its own. A decision never seen in a bin takes the
        share of the whole bin, with the variance of a guess.

        Parameters
        ----------
        n, pos
            Rows and positives of each score bin, shape (..., B).
        n1, tp
            Rows with a positive decision, and positives among them, shape (..., B); both or
            neither.

        Raises
        ------
        ConfigurationError
            One of `n1` and `tp` without the other.
        ValueError
            Counts that contradict each other.

        Examples
        --------
        >>> ScoreMap.learn([99, 199], [9, 179]).rate[1].round(3).tolist()
        [0.095, 0.898]

        References
        ----------
        .. [1] Brown, Cai, DasGupta, Interval estimation for a binomial proportion, Statistical
           Science 16, 2001 (the half counts).
        """
        bins, positives = as_floats(n), as_floats(pos)
        _require_part("pos", positives, bins)
        whole = (positives + 0.5) / (bins + 1.0)
        if n1 is None and tp is None:
            rate, size = _twice(whole), _twice(bins)
        elif n1 is None or tp is None:
            raise ConfigurationError("n1 and tp come together: give both or neither")
        else:
            size = cells(bins, n1)
            hits = np.stack([positives - as_floats(tp), as_floats(tp)], axis=-2)
            _require_part("pos or tp", hits, size)
            rate = np.where(size > 0.0, (hits + 0.5) / (size + 1.0), _twice(whole))
        variance = rate * (1.0 - rate) / (size + 1.0)
        return cls(as_floats(rate), as_floats(variance), shared=n1 is None)

    @classmethod
    def known(cls, rate: ArrayLike) -> Self:
        """A map without sampling error, of the same share for both decisions, shape (..., B).

        Raises
        ------
        ConfigurationError
            A share outside [0, 1].

        Examples
        --------
        >>> ScoreMap.known([0.1, 0.9]).variance.max()
        np.float64(0.0)
        """
        shares = as_floats(rate)
        if not np.all((shares >= 0.0) & (shares <= 1.0)):
            raise ConfigurationError(f"shares {shares.tolist()} must all lie in [0, 1]")
        return cls(_twice(shares), np.zeros_like(_twice(shares)), shared=True)

    def noise(self, weight: FloatArray) -> FloatArray:
        """Variance that the error of the map gives to a sum of shares.

        Parameters
        ----------
        weight
            Weight of each share in the sum, shape (..., 2, B).

        Returns
        -------
        Shape (...).
        """
        if self.shared:
            both = np.sum(weight, axis=-2)
            return as_floats(np.sum(both**2 * self.variance[..., 0, :], axis=-1))
        return as_floats(np.sum(weight**2 * self.variance, axis=(-2, -1)))


def _twice(values: FloatArray) -> FloatArray:
    return as_floats(np.stack([values, values], axis=-2))


def _require_part(name: str, part: FloatArray, whole: FloatArray) -> None:
    if part.shape != whole.shape or not np.all((part >= 0.0) & (part <= whole)):
        raise ValueError(
            f"{name} of shape {part.shape} does not fit into rows of shape {whole.shape}: every "
            "count must lie between 0 and the rows of its bin"
        )

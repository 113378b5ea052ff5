"""Class mix: has the share of a predicted class jumped, or the mix as a whole moved?

`class_share_test` names the class of a spike; for a change spread over many classes,
`detectors.drift.witness.WitnessTest` on the same counts is faster. Give each its own share.
"""

from __future__ import annotations

import numpy as np

from detectors.arrays import ArrayLike, as_floats
from detectors.sequential.band import Band, BandTest, Rates, around
from schemas.errors import ConfigurationError


def class_band(reference: ArrayLike, *, tolerance: float = 0.05) -> Band:
    """Band of each class around its reference share.

    Parameters
    ----------
    reference
        Predictions of each class in the reference, shape (C,); a last entry for all other
        classes is one of them.
    tolerance
        Change of a share that does not matter, in [0, 1).

    Raises
    ------
    ConfigurationError
        Fewer than 2 classes, an empty reference, or `tolerance` outside [0, 1).

    Examples
    --------
    >>> class_band([7_000, 2_000, 1_000]).high.round(3).tolist()
    [0.763, 0.262, 0.159]
    """
    counts = as_floats(reference)
    if counts.ndim != 1 or counts.size < 2 or not counts.sum() > 0.0:
        raise ConfigurationError(
            f"the reference has shape {counts.shape} and {float(counts.sum()):g} predictions; "
            "a class mix needs at least 2 classes and 1 prediction"
        )
    return around(counts, np.full(counts.shape, counts.sum()), tolerance=tolerance)


def class_rates(counts: ArrayLike) -> Rates:
    """A window's class counts, shape (C,), as rates: every class against all predictions.

    Examples
    --------
    >>> class_rates([7, 2, 1]).n.tolist()
    [10.0, 10.0, 10.0]
    """
    window = as_floats(counts)
    return Rates(n=as_floats(np.full(window.shape, window.sum())), s=window)


def class_share_test(reference: ArrayLike, *, tolerance: float = 0.05) -> BandTest:
    """Two-sided test of every class's share at once; feed it `class_rates`.

    A class that the reference holds at 0 is tested upwards only. One share of the budget covers
    all classes.

    Parameters
    ----------
    reference
        Predictions of each class in the reference, shape (C,).
    tolerance
        Change of a share that does not matter, in [0, 1).

    Raises
    ------
    ConfigurationError
        See `class_band`.

    Examples
    --------
    >>> test = class_share_test([7_000, 2_000, 1_000])
    >>> [test.update(class_rates(c), share=0.001) for c in ([140, 40, 20], [90, 30, 80])]
    [False, True]
    >>> test.leading
    (2, 'above')
    """
    return BandTest(class_band(reference, tolerance=tolerance))

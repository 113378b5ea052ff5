"""How many labels a window may expect: one for each prediction, or for each in the sample."""

from __future__ import annotations

from detectors.inputs import SAMPLED
from detectors.summary import Ints, Layout


def awaited_field(inputs: Layout) -> str:
    """The field of an input pane that counts predictions which wait for a label."""
    return SAMPLED if SAMPLED in inputs else "n"


def awaited(inputs: Layout, served: Ints) -> int:
    """Predictions of a window that wait for a label.

    Examples
    --------
    >>> import numpy as np
    >>> from detectors.summary import Field
    >>> awaited(Layout((Field("n"), Field("n_sampled"))), np.array([10, 4]))
    4
    >>> awaited(Layout((Field("n"),)), np.array([10]))
    10
    """
    return inputs.count(served, awaited_field(inputs))

"""Chance that follows from what is drawn for: the same for whoever draws again.

References
----------
.. [1] Steele, Lea, Flood, Fast splittable pseudorandom number generators, OOPSLA 2014: the mixing
   of SplitMix64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Floats


def uniform(hashes: NDArray[np.uint64]) -> Floats:
    """Numbers in [0, 1) that look independent, however alike the hashes are; shape kept.

    Examples
    --------
    >>> uniform(np.array([1, 2, 3], np.uint64)).round(3).tolist()
    [0.338, 0.859, 0.118]
    """
    x = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) * 2.0**-53

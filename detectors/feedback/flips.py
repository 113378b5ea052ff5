"""Flips: does a source of feedback turn earlier labels round more often than it used to?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Self

import numpy as np

from detectors.arrays import as_floats
from detectors.sequential.band import Band, BandTest, Rates, around
from schemas.errors import ConfigurationError

OTHERS = ""
"""All sources that the reference does not know, tested together."""


class FlipTest:
    """Alarm when a source reverses earlier labels more often than in the reference.

    A flip is feedback that changes a label already in force; its source is who sent the new one.
    Sources that the reference does not know are one more stream, `OTHERS`, against the reference
    of all sources together. One share of the budget covers all sources.

    Parameters
    ----------
    reference
        For each source, flips and all its feedback on cases that had a label, above 0.
    tolerance
        Rise of a rate that does not matter, in [0, 1).

    Raises
    ------
    ConfigurationError
        No source, a source without feedback, or `tolerance` outside [0, 1).

    Examples
    --------
    >>> test = FlipTest({"crm": (20, 2_000), "review": (300, 3_000)})
    >>> test.update({"crm": (1, 100), "review": (11, 100)}, share=0.001)
    False
    >>> test.update({"crm": (1, 100), "bulk-import": (60, 100)}, share=0.001)
    True
    >>> test.leading == OTHERS
    True
    """

    def __init__(
        self, reference: Mapping[str, tuple[int, int]], *, tolerance: float = 0.02
    ) -> None:
        known = {name: pair for name, pair in reference.items() if name != OTHERS}
        if not known:
            raise ConfigurationError(
                "the reference names no source of feedback; give flips and feedback of each"
            )
        self.sources = (*sorted(known), OTHERS)
        total = (sum(k for k, _ in reference.values()), sum(n for _, n in reference.values()))
        pairs = [*(known[name] for name in self.sources[:-1]), total]
        band = around(*np.array(pairs).T, tolerance=tolerance)
        self._test = BandTest(Band(low=as_floats(np.zeros(len(pairs))), high=band.high))

    def update(self, window: Mapping[str, tuple[int, int]], *, share: float) -> bool:
        """Bet on one window and return whether it alarms.

        Parameters
        ----------
        window
            For each source, flips and all its feedback on cases that had a label.
        share
            The window's share of the false-alarm budget, in [0, 1].

        Raises
        ------
        ConfigurationError
            A share outside [0, 1].
        ValueError
            More flips than feedback.
        """
        return self._test.update(self._rates(window), share=share)

    def _rates(self, window: Mapping[str, tuple[int, int]]) -> Rates:
        place = {name: i for i, name in enumerate(self.sources)}
        flips, feedback = np.zeros((2, len(place)))
        for name, (k, n) in window.items():
            i = place.get(name, place[OTHERS])
            flips[i] += k
            feedback[i] += n
        return Rates(n=feedback, s=flips)

    @property
    def leading(self) -> str | None:
        """The source that holds most evidence; None for a fresh start."""
        found = self._test.leading
        return None if found is None else self.sources[found[0]]

    @property
    def log_m(self) -> float:
        """Natural log of the wealth; an alarm is at 0 or above."""
        return self._test.log_m

    def reset(self) -> None:
        """Start anew, as after an alarm."""
        self._test.reset()

    def state(self) -> list[float | None]:
        """Log-wealth of each bet, None for none; an empty list for a fresh start."""
        return self._test.state()

    @classmethod
    def restore(
        cls,
        reference: Mapping[str, tuple[int, int]],
        state: Sequence[float | None],
        *,
        tolerance: float = 0.02,
    ) -> Self:
        """Continue from a `state` with the same reference and tolerance.

        Raises
        ------
        ValueError
            A state of another number of sources.
        """
        return cls(reference, tolerance=tolerance).resume(state)

    def resume(self, state: Sequence[float | None]) -> Self:
        """A test with these sources that goes on from a `state`.

        Raises
        ------
        ValueError
            A state of another number of sources.
        """
        test = copy(self)
        test._test = self._test.resume(state)
        return test

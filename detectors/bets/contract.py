"""What a bet is: settings that turn the sums of a window into log-wealth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Protocol, TypeVar

import numpy as np

from detectors.arrays import BoolArray, FloatArray, as_floats


@dataclass(frozen=True, slots=True)
class WindowSums(ABC):
    """Sums of one window, or of many windows on leading axes; the fields are one bet's.

    Everything else in the fields, such as the guess of a baseline, is fixed before the window.
    """

    @property
    @abstractmethod
    def filled(self) -> BoolArray:
        """Where the window says something, shape (...); elsewhere nothing is bet."""

    def require_shape(self, shape: tuple[int, ...]) -> None:
        """Refuse sums that would poison a wealth for good.

        Raises
        ------
        ValueError
            Names the field with another shape, or with a value that is not finite.

        Examples
        --------
        >>> from detectors.bets.kinds import BinarySums
        >>> BinarySums(n=100, s=float("nan")).require_shape(())
        Traceback (most recent call last):
        ...
        ValueError: s is nan; skip a window whose sums are unknown
        """
        for field in fields(self):
            values = as_floats(getattr(self, field.name))
            if values.shape != shape:
                raise ValueError(f"{field.name} has shape {values.shape}; this test holds {shape}")
            require_finite(field.name, values)


Sums = TypeVar("Sums", bound=WindowSums)
Sums_contra = TypeVar("Sums_contra", bound=WindowSums, contravariant=True)


class Bet(Protocol[Sums_contra]):
    """K bets against one null hypothesis, each fair or worse while the hypothesis holds.

    Settings may be arrays of the shape (...) of the sums, one for each of many tests.
    """

    @property
    def bets(self) -> int:
        """Length K of the increments."""

    def increments(self, sums: Sums_contra) -> FloatArray:
        """Log-wealth that each bet wins, shape (..., K); any finite number where not filled."""


def require_finite(name: str, values: FloatArray) -> None:
    """Refuse NaN and infinity.

    Raises
    ------
    ValueError
        Names the first such value and its place.

    Examples
    --------
    >>> require_finite("counts", as_floats([3.0, float("inf")]))
    Traceback (most recent call last):
    ...
    ValueError: counts[1] is inf; skip a window whose sums are unknown
    """
    known = np.isfinite(values)
    if not known.all():
        place = np.argwhere(~known)[0].tolist()
        where = f"{name}[{', '.join(map(str, place))}]" if place else name
        value = float(values[tuple(place)])
        raise ValueError(f"{where} is {value:g}; skip a window whose sums are unknown")

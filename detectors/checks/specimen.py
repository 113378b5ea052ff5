"""A sequential test with the windows on which it is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from detectors.checks import windows
from detectors.contract import SequentialTest

Summary = TypeVar("Summary")
State = TypeVar("State")

BET_BYTES = 128
"""Most that the memory of a test with one bet may take; twelve numbers are 96 bytes."""


@dataclass(frozen=True, kw_only=True)
class Specimen(Generic[Summary, State]):
    """A sequential test with the windows on which it is tried.

    Parameters
    ----------
    name
        Names the test and its null hypothesis.
    make
        A fresh test.
    null, shifted
        A window drawn on the boundary of the null hypothesis, and one far beyond it.
    empty
        A window without data.
    unusable
        Windows that must be refused, each with a pattern that the message must match.
    state_bytes
        Most that the state may take, at eight bytes a number.
    """

    name: str
    make: Callable[[], SequentialTest[Summary, State]]
    null: windows.Draw[Summary]
    shifted: windows.Draw[Summary]
    empty: Summary
    unusable: tuple[tuple[Summary, str], ...]
    state_bytes: int = BET_BYTES

    def mixed(self, *, seed: int, count: int) -> list[Summary]:
        """`count` windows, healthy and shifted in turn."""
        rng = np.random.default_rng(seed)
        return [self.shifted(rng) if place % 2 else self.null(rng) for place in range(count)]

    def covers(self) -> set[type]:
        """The exported classes that this specimen tries: the test, its bet, and a bet inside."""
        test = self.make()
        inside: list[object] = [test]
        while (inner := getattr(inside[-1], "bet", None)) is not None:
            inside.append(inner)
        return {type(unit) for unit in inside}

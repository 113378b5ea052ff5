"""The turn of a stream's tests: a window that is due, and who is to look at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from detectors.arrays import FloatArray
from schemas.summaries import Part
from streams.decide.alerts.events import Occasion
from streams.decide.detect import Asked
from streams.decide.detect.roster import Roster
from streams.decide.keys import MonitorKey


class Turn(NamedTuple):
    """A window, the tests that are to look at it, where the memory of each is kept, and what it
    may spend.

    Those in ``rosters``, which may spend ``bank_shares``, are stepped side by side; ``loose`` are
    the numbers of all others.
    """

    now: Occasion
    part: Part
    asked: Sequence[Asked]
    keys: Sequence[MonitorKey]
    shares: Sequence[float]
    rosters: Sequence[Roster]
    bank_shares: Sequence[FloatArray]
    loose: Sequence[int]

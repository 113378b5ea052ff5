"""Sums of windows that were asked for lately, so that they are added up once."""

from __future__ import annotations

from collections import OrderedDict

from detectors.summary import Ints
from schemas.summaries import Part
from streams.decide.keys import WindowKey

MOST_BYTES = 64 << 20
"""What is kept at once; beyond, what was asked for first goes first."""


class Sums:
    """Sums of parts of windows, dense; no part of the state, for it can always be added up again.

    Examples
    --------
    >>> import numpy as np
    >>> first = WindowKey("m", "v1", "baseline", "", "p", "", 0)
    >>> second, sums = first._replace(start_ms=60_000), Sums(most_bytes=100)
    >>> for window in (first, second):
    ...     sums.put(window, (Part.INPUT,), np.zeros(8, np.int64))
    >>> sums.get(first, (Part.INPUT,)) is None, sums.get(second, (Part.INPUT,)) is None
    (True, False)
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._known: OrderedDict[WindowKey, dict[tuple[Part, ...], Ints]] = OrderedDict()

    def get(self, window: WindowKey, parts: tuple[Part, ...]) -> Ints | None:
        """The sum of parts of a window; None where it is not known."""
        known = self._known.get(window)
        return None if known is None else known.get(parts)

    def put(self, window: WindowKey, parts: tuple[Part, ...], sums: Ints) -> None:
        """Keep the sum of parts of a window, which nobody may write to."""
        self._known.setdefault(window, {})[parts] = sums
        self._bytes += sums.nbytes
        while self._bytes > self._most_bytes:
            self.forget(next(iter(self._known)))

    def forget(self, window: WindowKey) -> None:
        """Forget a window whose panes changed."""
        known = self._known.pop(window, None)
        if known is not None:
            self._bytes -= sum(sums.nbytes for sums in known.values())

"""Windows whose results are to be published: new ones first, then those that late rows changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from streams.decide.keys import WindowKey


class Unpublished:
    """Two queues, each first come, first served; a window stands in one of them, once.

    So a storm of late labels, which changes all windows that are held, delays no new one.

    Examples
    --------
    >>> queue, first = Unpublished(), WindowKey("m", "v1", "baseline", "", "p", "", 0)
    >>> second, third = (first._replace(start_ms=start) for start in (60_000, 120_000))
    >>> queue.changed(first); queue.changed(second); queue.new(third); queue.changed(third)
    >>> [window.start_ms for window in queue.take(2, lambda window: 1)], len(queue)
    ([120000, 0], 1)
    >>> queue.is_more(0, lambda window: 1), queue.is_more(1, lambda window: 1)
    (True, False)
    """

    def __init__(self) -> None:
        self._new: dict[WindowKey, None] = {}
        self._changed: dict[WindowKey, None] = {}

    def new(self, window: WindowKey) -> None:
        """Queue a window that has closed, or whose labels are mature."""
        self._changed.pop(window, None)
        self._new[window] = None

    def changed(self, window: WindowKey) -> None:
        """Queue a window whose result has changed, behind all that are new."""
        if window not in self._new:
            self._changed[window] = None

    def take(self, most: int, weigh: Callable[[WindowKey], int]) -> list[WindowKey]:
        """The next windows, at least one if there is any, and no more than weigh so much."""
        taken: list[WindowKey] = []
        for queue in (self._new, self._changed):
            for window in queue:
                most -= weigh(window)
                if taken and most < 0:
                    break
                taken.append(window)
        for window in taken:
            self.discard(window)
        return taken

    def is_more(self, most: int, weigh: Callable[[WindowKey], int]) -> bool:
        """Whether those that are queued weigh more than so much."""
        for window in chain(self._new, self._changed):
            most -= weigh(window)
            if most < 0:
                return True
        return False

    def among(self, windows: Iterable[WindowKey]) -> list[WindowKey]:
        """Those that are queued, in the order given."""
        return [one for one in windows if one in self._new or one in self._changed]

    def discard(self, window: WindowKey) -> None:
        """Take a window out."""
        self._new.pop(window, None)
        self._changed.pop(window, None)

    def __len__(self) -> int:
        return len(self._new) + len(self._changed)

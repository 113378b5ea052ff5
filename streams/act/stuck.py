"""Whether reading has come to a halt although there is something to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from streams.act.outgoing import Place


class Progress(NamedTuple):
    """The offset up to which a partition is taken, and how many offsets lie behind that."""

    taken: int
    behind: int


class Stuck:
    """Notices partitions of which nothing is taken while events wait.

    Faust's consumers have been seen to stop without an error. A process that ends is started again
    and finds what waits; one that stays tells nobody anything.

    Parameters
    ----------
    after_ms
        How long nothing may be taken, in milliseconds.

    Examples
    --------
    >>> stuck = Stuck(60_000)
    >>> stuck.check({("alerts", 0): Progress(7, behind=3)}, now_ms=0)
    >>> stuck.check({("alerts", 0): Progress(8, behind=9)}, now_ms=60_000)
    >>> stuck.check({("alerts", 0): Progress(8, behind=9)}, now_ms=120_000)
    Traceback (most recent call last):
    RuntimeError: alerts[0]: 9 events wait, and none was taken for 60 s; start ACT again
    """

    def __init__(self, after_ms: int) -> None:
        self._after_ms = after_ms
        self._since: dict[Place, tuple[int, int]] = {}

    def check(self, progress: Mapping[Place, Progress], *, now_ms: int) -> None:
        """Take in how far each partition is.

        Raises
        ------
        RuntimeError
            If one is stuck.
        """
        waiting = {place: reached for place, reached in progress.items() if reached.behind}
        before, self._since = self._since, {}
        for place, (taken, behind) in waiting.items():
            at, since_ms = before.get(place, (taken, now_ms))
            self._since[place] = (taken, since_ms if at == taken else now_ms)
            if now_ms - self._since[place][1] >= self._after_ms:
                topic, partition = place
                raise RuntimeError(
                    f"{topic}[{partition}]: {behind} events wait, and none was taken for "
                    f"{(now_ms - since_ms) // 1_000} s; start ACT again"
                )

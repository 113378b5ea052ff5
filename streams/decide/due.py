"""Windows that are due, in the order in which they are judged."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from streams.decide.keys import StreamKey, WindowKey
from streams.decide.state import State, Window
from streams.decide.subject import Subject

Due = tuple[int, int, WindowKey]
"""When a window is due, its start, and which it is."""

Cohort = tuple[str, int]
"""A model, and the start of windows."""


class Queues:
    """When windows close, when their labels are mature, and when nothing can change them any more.

    All that is due by a watermark is taken out, in order of due time, start and stream.
    """

    def __init__(self) -> None:
        self._closing: list[Due] = []
        self._maturing: list[Due] = []
        self._ageing: list[Due] = []

    def add(self, window: WindowKey, known: Window, subject: Subject) -> None:
        """Wait for what has not come to a window yet."""
        end = window.start_ms + subject.window_ms
        queues = (
            (self._closing, known.closed, subject.input_delay_ms),
            (self._maturing, known.matured, subject.label_delay_ms),
            (self._ageing, False, subject.held_ms),
        )
        for queue, done, delay in queues:
            if not done:
                heapq.heappush(queue, (end + delay, window.start_ms, window))

    def closing(self, predictions_ms: int | None) -> list[Due]:
        """Windows that close."""
        return pop(self._closing, predictions_ms)

    def maturing(self, labels_ms: int | None) -> list[Due]:
        """Windows whose labels are mature."""
        return pop(self._maturing, labels_ms)

    def lapsing(self, state: State, labels_ms: int | None) -> list[WindowKey]:
        """Windows that nothing can change any more; one not judged yet is kept."""
        lapsing: list[WindowKey] = []
        for due in pop(self._ageing, labels_ms):
            known = state.windows.get(due[2]) or Window()
            if known.closed and known.matured:
                lapsing.append(due[2])
            else:
                heapq.heappush(self._ageing, due)
        return lapsing


def pop(queue: list[Due], watermark_ms: int | None) -> list[Due]:
    """Everything due by a watermark, in order of due time, start and stream."""
    found: list[Due] = []
    while queue and watermark_ms is not None and queue[0][0] <= watermark_ms:
        found.append(heapq.heappop(queue))
    return found


def rounds(due: Sequence[Due]) -> Iterator[list[Due]]:
    """Windows in order, cut so that in one round a stream has one window and a version one policy.

    Tests of different streams share nothing, so those of a round run together; but a new policy
    of a version ends what the tests of its other streams had open.
    """
    together: dict[StreamKey, Due] = {}
    rules: dict[StreamKey, tuple[str, str]] = {}
    for one in due:
        window = one[2]
        stream, own = window.stream, (window.policy, window.reference)
        version = stream._replace(segment="")
        if stream in together or rules.get(version, own) != own:
            yield list(together.values())
            together, rules = {}, {}
        together[stream], rules[version] = one, own
    if together:
        yield list(together.values())


def version_of(window: WindowKey) -> tuple[str, str, str]:
    """A version, and the rules that it is judged by."""
    return (window.version, window.policy, window.reference)


def cohort(window: WindowKey) -> Cohort:
    """Windows that share a budget: all that start together, whatever policy each is under."""
    return (window.model, window.start_ms)

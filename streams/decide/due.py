"""Windows that are due, in the order in which they are judged."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from streams.decide.keys import StreamKey, WindowKey

Due = tuple[int, int, WindowKey]
"""When a window is due, its start, and which it is."""

Cohort = tuple[str, int]
"""A model, and the start of windows."""


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

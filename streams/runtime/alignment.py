"""Alignment: feedback that is read ahead of its predictions would wait in the join store.

When a shard is behind, its feedback, of which there is less, is read to the end first, and each
row is put aside and taken up again. So a partition of feedback is paused while its watermark lies
ahead of that of predictions, unless all predictions have been read. Nothing is changed by it but
the order in which the two are read, and that does not matter to the join.
"""

from __future__ import annotations

from typing import Final

from streams.runtime.transport import Member, TopicPartition

AHEAD_MS: Final = 60_000
"""How far feedback may be ahead; once it is paused, predictions catch up with all of it."""


class Alignment:
    """The partitions of feedback of a member that are paused because they are ahead."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._held: set[TopicPartition] = set()

    def follow(
        self, feedback: TopicPartition, predictions: TopicPartition, *, ahead_ms: int
    ) -> None:
        """Pause feedback, or resume it.

        Parameters
        ----------
        feedback, predictions
            The two partitions of a shard.
        ahead_ms
            By how much the watermark of feedback is ahead.
        """
        caught_up = ahead_ms <= 0 or self._member.at_end(predictions)
        if feedback in self._held:
            if caught_up:
                self._held.discard(feedback)
                self._member.resume([feedback])
        elif ahead_ms > AHEAD_MS and not caught_up:
            self._held.add(feedback)
            self._member.pause([feedback])

    def forget(self) -> None:
        """All partitions have been resumed, or are gone."""
        self._held.clear()

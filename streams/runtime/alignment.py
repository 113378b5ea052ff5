"""Alignment: feedback that is read ahead of its predictions would wait in the join store.

When a shard is behind, its feedback, of which there is less, is read to the end first, and each
row whose prediction is not there yet is put aside and taken up again, at five times the cost. So
a shard that has just come reads predictions first, and feedback is paused whenever these are not
ahead of it by as much as it moves on in one step, until all of them have been read. From then on
it is not paused, unless much of it comes early again. Nothing is changed by it but the order in
which the two are read, and that does not matter to the join.
"""

from __future__ import annotations

from typing import Final

from streams.ingest.admit.watermark import BEFORE_ALL
from streams.runtime.transport import Member, TopicPartition

EARLY: Final = 0.1
"""Share of early feedback up to which nothing is done: for some no prediction ever comes."""


class Alignment:
    """The partitions of feedback of a member that are paused because they came early."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._held: dict[TopicPartition, int] = {}
        self._behind: set[TopicPartition] = set()
        self._reached_ms: dict[TopicPartition, int] = {}
        self._stride_ms: dict[TopicPartition, int] = {}

    def follow(
        self,
        feedback: TopicPartition,
        predictions: TopicPartition,
        *,
        feedback_ms: int,
        predictions_ms: int,
        early: float,
    ) -> None:
        """Pause feedback, or resume it.

        Parameters
        ----------
        feedback, predictions
            The two partitions of a shard.
        feedback_ms, predictions_ms
            Their watermarks.
        early
            Share of the feedback just read that came before its prediction.
        """
        new = feedback not in self._reached_ms
        stride_ms = self._stride(feedback, feedback_ms)
        ahead_ms, at_end = feedback_ms - predictions_ms, self._member.at_end(predictions)
        if at_end:
            self._behind.discard(feedback)
        elif new or (early > EARLY and ahead_ms > 0):
            self._behind.add(feedback)
        overtakes = ahead_ms > -stride_ms
        if feedback in self._held:
            came = predictions_ms > self._held[feedback]
            if at_end or (came and not overtakes):
                del self._held[feedback]
                self._member.resume([feedback])
        elif feedback in self._behind and (new or overtakes):
            self._held[feedback] = predictions_ms
            self._member.pause([feedback])

    def _stride(self, feedback: TopicPartition, feedback_ms: int) -> int:
        """How far feedback moves on in a step: the most of late, the step before counts half."""
        before_ms = self._reached_ms.get(feedback, BEFORE_ALL)
        self._reached_ms[feedback] = feedback_ms
        stride_ms = self._stride_ms.get(feedback, 0)
        if before_ms != BEFORE_ALL and feedback_ms > before_ms:
            stride_ms = max(feedback_ms - before_ms, stride_ms // 2)
        self._stride_ms[feedback] = stride_ms
        return stride_ms

    def forget(self) -> None:
        """All partitions have been resumed, or are gone."""
        self._held.clear()
        self._behind.clear()
        self._reached_ms.clear()
        self._stride_ms.clear()

"""Alignment: feedback that is read ahead of its predictions would wait in the join store.

When a shard is behind, its feedback, of which there is less, is read to the end first, and each
row whose prediction is not there yet is put aside and taken up again, at five times the cost. So
while more predictions are left than one step reads, a partition of feedback is paused whenever
these are not ahead of it by as much as it moves on in a step. Nothing is changed by it but the
order in which the two are read, and that does not matter to the join.
"""

from __future__ import annotations

from typing import Final

from streams.ingest.admit.watermark import BEFORE_ALL
from streams.runtime.transport import Member, TopicPartition

LEAD_MS: Final = 60_000
"""Most that predictions are let ahead: labels of a shard that stays behind are not held longer."""


class Alignment:
    """The partitions of feedback of a member that are paused until their predictions are ahead.

    Parameters
    ----------
    member
        Whose partitions they are.
    step_records
        Most records that one step reads.
    """

    def __init__(self, member: Member, *, step_records: int) -> None:
        self._member = member
        self._step_records = step_records
        self._held: set[TopicPartition] = set()
        self._reached_ms: dict[TopicPartition, int] = {}
        self._stride_ms: dict[TopicPartition, int] = {}

    def follow(
        self, feedback: TopicPartition, *, feedback_ms: int, predictions_ms: int, lag: int
    ) -> None:
        """Pause a partition of feedback, or resume it.

        Parameters
        ----------
        feedback
            The partition.
        feedback_ms, predictions_ms
            The watermarks of its shard.
        lag
            Predictions of the shard that are left to read.
        """
        lead_ms, stride_ms = predictions_ms - feedback_ms, self._stride(feedback, feedback_ms)
        wait = lag > self._step_records and lead_ms <= stride_ms
        if wait and feedback not in self._held:
            self._held.add(feedback)
            self._member.pause([feedback])
        elif not wait and feedback in self._held:
            self._held.discard(feedback)
            self._member.resume([feedback])

    def _stride(self, feedback: TopicPartition, feedback_ms: int) -> int:
        """How far feedback moves on in a step: the last one in which it moved, or half of the
        estimate before, if that is more."""
        before_ms = self._reached_ms.get(feedback, BEFORE_ALL)
        self._reached_ms[feedback] = feedback_ms
        stride_ms = self._stride_ms.get(feedback, 0)
        if before_ms != BEFORE_ALL and feedback_ms > before_ms:
            stride_ms = min(max(feedback_ms - before_ms, stride_ms // 2), LEAD_MS)
        self._stride_ms[feedback] = stride_ms
        return stride_ms

    def forget(self) -> None:
        """All partitions have been resumed, or are gone."""
        self._held.clear()
        self._reached_ms.clear()
        self._stride_ms.clear()

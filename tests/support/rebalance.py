"""A rebalance for members that restore nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streams.runtime.transport import TopicPartition


class Anywhere:
    """A rebalance that starts at the committed offset."""

    def assigned(
        self,
        partitions: Sequence[TopicPartition],
        committed: Mapping[TopicPartition, int | None],
    ) -> Mapping[TopicPartition, int]:
        return {}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        return

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        return

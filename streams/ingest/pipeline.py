"""The INGEST pipeline of one shard: records in, pane deltas out.

decode → watermarks → admit → join → panes, in columns, then a checkpoint that holds all of it.
A shard is partition p of ``predictions`` and of ``feedback``. It holds no panes between
checkpoints: each checkpoint hands on what the rows since the last one add up to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from schemas import topics
from schemas.summaries import Mark
from streams.control import Control
from streams.ingest.admit.admitted import PartitionsOf
from streams.ingest.admit.routes import Route, Routes
from streams.ingest.admit.watermark import BEFORE_ALL
from streams.ingest.checkpoint import Checkpoint, ShardState
from streams.ingest.context import Context
from streams.ingest.feedback import Feedback
from streams.ingest.join.pairing import Pairing
from streams.ingest.panes.panes import Panes
from streams.ingest.panes.shedding import levels_after
from streams.ingest.plan import Plans
from streams.ingest.predictions import Predictions
from streams.ingest.store.lapse import lapse
from streams.ingest.store.overlay import Overlay
from streams.ingest.store.tables import Base
from streams.records import Record, Records, columns_of


class Shard:
    """One shard.

    Parameters
    ----------
    number, count
        Which shard of how many.
    control
        Policies, references and deployments known so far; shared, it may grow.
    base
        The committed part of the join store.
    partitions_of
        The topic's partitioner, to find rows on the wrong partition.
    skew_ms
        How far an event's time may lie after the broker's.
    look
        Reads the control topics to their end, before rows are refused for want of a policy: it
        may be in the log already and not have come here yet. False if it did so a moment ago.
    """

    def __init__(
        self,
        *,
        number: int,
        count: int,
        control: Control,
        base: Base,
        partitions_of: PartitionsOf,
        state: ShardState,
        routes: dict[int, Route],
        skew_ms: int = 300_000,
        look: Callable[[], bool] = lambda: False,
    ) -> None:
        known = Routes(control.deploys)
        known.load(routes)
        self._count = count
        self._context = context = Context(
            number=number,
            plans=Plans(control),
            partitions_of=partitions_of,
            skew_ms=skew_ms,
            look=look,
            state=state,
            store=Overlay(base),
            routes=known,
            panes=Panes(known),
        )
        pairing = Pairing(context)
        self._feedback = Feedback(context, pairing)
        self._predictions = Predictions(context, pairing, self._feedback)
        self._idle_ms: int | None = None
        self._silent = False

    @property
    def state(self) -> ShardState:
        """What is remembered; do not change it."""
        return self._context.state

    @property
    def held_bytes(self) -> int:
        """Memory that what was read since the last checkpoint takes, in bytes."""
        return self._context.panes.held_bytes

    def apply(self, records: Iterable[Record]) -> None:
        """Take records of both topics, each topic in order of offset; seen offsets are skipped."""
        for columns in columns_of(records):
            self.take(columns)

    def take(self, records: Records) -> None:
        """Take records of one topic; seen offsets are skipped."""
        self._idle_ms = None
        new = records.since(self._context.state.offsets.get(records.topic, 0))
        self.reach({records.topic: records.offsets[-1] + 1})
        if not len(new):
            return
        if records.topic.endswith(topics.PREDICTIONS):
            self._predictions.take(new)
        else:
            self._feedback.take(new)

    def reach(self, positions: Mapping[str, int]) -> None:
        """Say that every record before these offsets has been applied: marks are no records."""
        for topic, offset in positions.items():
            self._context.state.offsets[topic] = max(
                offset, self._context.state.offsets.get(topic, 0)
            )

    def idle(self, elapsed_ms: int | None) -> None:
        """Say that both topics have been read to their ends for so long; None ends it."""
        self._idle_ms = elapsed_ms

    def silent(self, silent: bool) -> None:
        """Say whether feedback has been read to its end for a while, though predictions come."""
        self._silent = silent

    def checkpoint(self, behind_ms: int | None = None) -> Checkpoint:
        """Everything since the last checkpoint.

        ``behind_ms`` is the age of the newest prediction read, by the broker's time; None where
        that is not known. What is shed from here on follows from it.
        """
        state = self._context.state
        mark = self._mark()
        if behind_ms is not None:
            policies = self._context.plans.policies(state.levels)
            state.levels = levels_after(state.levels, policies, behind_ms)
        state.sequence += 1
        lapsed = lapse(
            self._context.store,
            pending_ms=self._labels_ms(),
            waiting_ms=state.predictions_ms,
            misses=self._feedback.misses,
        )
        state.pending -= lapsed.dropped
        self._context.lapses.save(self._context.store, state.epoch, state.sequence)
        self._context.notes.dead += lapsed.dead
        notes = self._context.notes.take()
        return Checkpoint(
            state=msgspec.structs.replace(state, offsets=dict(state.offsets)),
            new_routes=self._context.routes.new(),
            join_changes=self._context.store.take(),
            panes=self._context.panes.take(),
            mark=mark,
            dead=notes.dead,
            reviews=notes.reviews,
            tally=notes.tally,
            more=lapsed.more,
        )

    def _mark(self) -> Mark:
        idle_ms = self._idle_ms
        labels_ms = self._labels_ms() if idle_ms is None else self._context.state.predictions_ms
        return Mark(
            shard=self._context.number,
            shards=self._count,
            predictions_ms=_moved(self._context.state.predictions_ms, idle_ms),
            labels_ms=_moved(labels_ms, idle_ms),
            idle=idle_ms is not None,
            shedding=self._context.state.levels,
        )

    def _labels_ms(self) -> int:
        """The smaller of both watermarks; but silent feedback holds nothing back for ever.

        Once no label could be joined any more, a model that gets none is done waiting.
        """
        both_ms = min(self._context.state.predictions_ms, self._context.state.feedback_ms)
        if not self._silent:
            return both_ms
        longest_ms = self._context.plans.longest_kept_ms(self._context.state.predictions_ms)
        if longest_ms is None:
            return both_ms
        return max(both_ms, self._context.state.predictions_ms - longest_ms)


def _moved(watermark_ms: int, idle_ms: int | None) -> int | None:
    if watermark_ms == BEFORE_ALL:
        return None
    return watermark_ms + (idle_ms or 0)

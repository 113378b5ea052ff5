"""INGEST on a transport: owns shards, feeds them, and commits their checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detectors.summary import Ints
from schemas import topics
from streams.ingest.checkpoint import Checkpoint
from streams.ingest.columns.strings import Strings
from streams.ingest.pipeline import Shard
from streams.records import Message, Records
from streams.runtime import catalogue, checkpoint, ingest_checkpoint, join_log, summary_log
from streams.runtime.alignment import Alignment
from streams.runtime.clock import Clock, Stopwatch
from streams.runtime.control_reader import ControlReader
from streams.runtime.ingest_metrics import IngestMetrics
from streams.runtime.metrics import Metrics
from streams.runtime.partitioner import partition_of, partitions_of
from streams.runtime.pressure import Appetite, Commits
from streams.runtime.settings import Settings
from streams.runtime.silence import Silence
from streams.runtime.store import JoinStore, StoreMark, StoreMemory
from streams.runtime.transport import TopicPartition, Transport
from streams.runtime.worker_metrics import WorkerMetrics

GROUP = "kittiwake-ingest"

HINT_MS = 60_000
"""A restart on the same disk reads as much of the join log as came in so long, not all of it."""

LOOK_MS = 5_000
"""Rows of models without a policy make the control topics be looked through this often."""


class _Owned:
    """A shard that this worker owns, with its store on disk."""

    def __init__(
        self, lineage: str, shard: Shard, store: JoinStore, silence: Silence, *, now_ms: int
    ) -> None:
        self.lineage = lineage
        self.shard = shard
        self.store = store
        mark = store.mark()
        self.hint = 0 if mark is None else mark.hint
        self.hinted_ms = now_ms
        self.silence = silence
        self.changed = False
        self.read_ms: int | None = None


class IngestWorker:
    """One member of the INGEST group.

    Call `step` in a loop from one thread; any exception ends the worker, and a new one goes on
    from the last checkpoint.
    """

    def __init__(
        self, *, transport: Transport, settings: Settings, clock: Clock, metrics: Metrics
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._memory = StoreMemory(
            cache_bytes=settings.store_cache_bytes, buffer_bytes=settings.store_buffer_bytes
        )
        self._worker_metrics = WorkerMetrics(metrics, settings.prefix + GROUP)
        self._shown = IngestMetrics(metrics)
        self._sources = (settings.topic(topics.PREDICTIONS), settings.topic(topics.FEEDBACK))
        self._leaving = False
        self._owned: dict[int, _Owned] = {}
        self._controls = ControlReader(transport, settings)
        # Asked for once: a topic's partitions do not change under a running worker.
        self._shards = transport.partition_count(self._sources[0]) or settings.shards
        self._records = self._bytes = 0
        self._looked_ms: int | None = None
        self._last_ms = clock.elapsed_ms()
        summaries = settings.topic(topics.SUMMARIES)
        count = transport.partition_count(summaries) or settings.models
        self._summaries = summary_log.Target(
            topic=summaries,
            partitions=count,
            partition_of=lambda key: partition_of(key, count),
        )
        self._member = transport.member(
            group=settings.prefix + GROUP,
            topics=self._sources,
            rebalance=self,
            transactional_id=f"{settings.prefix}{GROUP}-{settings.worker}",
        )
        self._commits = Commits(self._member, metrics)
        self._alignment = Alignment(self._member, step_records=settings.poll_records)
        self._appetite = Appetite(
            most_records=settings.poll_records, most_bytes=settings.poll_bytes
        )

    def step(self) -> bool:
        """Take the next records, checkpoint if it is due; True if there is more to do.

        While a commit waits, none come: all partitions are paused.
        """
        self._controls.poll()
        watch = Stopwatch(self._clock)
        fetched = self._member.fetch(
            max_records=self._appetite.records, timeout_ms=self._settings.poll_ms
        )
        self._metrics.inc(catalogue.LOOP_SECONDS, watch.lap_s(), stage="poll")
        if self._commits.waiting:
            self._commits.again()
            # It resumes every partition.
            self._alignment.forget()
        # Feedback that comes before its prediction is put aside, row by row.
        for records in sorted(fetched, key=lambda own: own.topic != self._sources[0]):
            self._take(records)
        number, size = sum(map(len, fetched)), sum(records.size for records in fetched)
        self._appetite.took(number, size)
        self._records += number
        self._bytes += size
        self._find_idle()
        if not self._commits.waiting:
            self._align()
        self._metrics.inc(catalogue.LOOP_SECONDS, watch.lap_s(), stage="apply")
        if not self._commits.waiting and self._due():
            self.checkpoint()
            self._metrics.inc(catalogue.LOOP_SECONDS, watch.lap_s(), stage="checkpoint")
        return bool(fetched) or self._commits.waiting

    def _align(self) -> None:
        lag = self._member.lag()
        for number, own in self._owned.items():
            state = own.shard.state
            predictions, feedback = ((topic, number) for topic in self._sources)
            self._alignment.follow(
                feedback,
                feedback_ms=state.feedback_ms,
                predictions_ms=state.predictions_ms,
                lag=lag.get(predictions, 0),
            )

    def _take(self, records: Records) -> None:
        """Give records of one topic to their shard."""
        owned = self._owned[records.partition]
        owned.shard.take(records)
        owned.changed = True
        of_feedback = records.topic == self._sources[1]
        owned.silence.heard(feedback=of_feedback)
        if not of_feedback:
            owned.read_ms = records.timestamps_ms[-1]
        self._metrics.inc(catalogue.RECORDS, len(records), topic=records.topic)

    def checkpoint(self) -> bool:
        """Commit everything since the last checkpoint in one transaction; True if work is left."""
        self._commits.again()
        if self._commits.waiting:
            return True
        started_ms = self._clock.elapsed_ms()
        self._last_ms = started_ms
        self._records = self._bytes = 0
        owned = {number: own for number, own in self._owned.items() if own.changed}
        if not owned:
            return False
        positions = self._member.positions()
        for number, own in owned.items():
            own.shard.reach({topic: positions[topic, number] for topic in self._sources})
        for number, own in owned.items():
            self._shown.held(number, own.shard.held_bytes)
        taken = {
            number: own.shard.checkpoint(self._behind_ms(number, own))
            for number, own in owned.items()
        }
        messages: list[Message] = []
        offsets: dict[TopicPartition, int] = {}
        for number, done in taken.items():
            messages += ingest_checkpoint.messages(
                number,
                owned[number].lineage,
                done,
                settings=self._settings,
                summaries=self._summaries,
            )
            for topic, offset in done.state.offsets.items():
                offsets[topic, number] = offset
        self._commits.begin(messages, offsets, lambda: self._committed(taken, started_ms))
        return self._commits.waiting or any(done.more for done in taken.values())

    def _committed(self, taken: Mapping[int, Checkpoint], started_ms: int) -> None:
        for number, done in taken.items():
            own = self._owned[number]
            own.store.write(done.join_changes, self._mark(number, done))
            own.changed, own.read_ms = done.more, None
            self._shown.committed(number, done)
        self._worker_metrics.committed(self._clock, started_ms)
        self._worker_metrics.lag(self._member.lag())

    def _behind_ms(self, number: int, own: _Owned) -> int | None:
        """Age of the newest prediction read, by the broker's time; None where none was read."""
        if self._member.at_end((self._sources[0], number)):
            behind_ms = 0
        elif own.read_ms is None:
            return None
        else:
            behind_ms = max(0, self._clock.wall_ms() - own.read_ms)
        self._shown.behind(number, behind_ms)
        return behind_ms

    def close(self) -> None:
        """Checkpoint and leave the group; what the metrics said last stays true."""
        self._leaving = True
        self._member.close()
        self._controls.close()
        self._drop()

    def assigned(
        self,
        partitions: Sequence[TopicPartition],
        committed: Mapping[TopicPartition, int | None],
    ) -> Mapping[TopicPartition, int]:
        """Restore every shard from its checkpoint and its join log."""
        self._metrics.inc(catalogue.REBALANCES)
        self._controls.catch_up()
        self._drop()
        start: dict[TopicPartition, int] = {}
        for number in sorted({partition for _, partition in partitions}):
            owned = self._restore(number, committed)
            self._owned[number] = owned
            for topic, offset in owned.shard.state.offsets.items():
                start[topic, number] = offset
        return start

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Checkpoint and let go."""
        self.checkpoint()
        self._drop()

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Let go; another worker goes on from the last checkpoint."""
        self._drop()

    def _drop(self) -> None:
        self._commits.drop()
        self._alignment.forget()
        for own in self._owned.values():
            own.store.close()
        if not self._leaving:
            self._worker_metrics.forget()
            for number in self._owned:
                self._shown.forget(number)
        self._owned.clear()

    def _restore(self, number: int, committed: Mapping[TopicPartition, int | None]) -> _Owned:
        topic = self._settings.topic(topics.CHECKPOINTS)
        parts = checkpoint.read(self._transport, topic, number, f"ingest/{number}")
        if ingest_checkpoint.STATE not in parts:
            checkpoint.check_unstarted(
                {(name, number): committed[name, number] for name in self._sources}
            )
        saved = ingest_checkpoint.saved(parts)
        checkpoint.check_barrier(
            {(source, number): offset for source, offset in saved.shard.offsets.items()},
            committed,
        )
        store = JoinStore(self._settings.data / "join" / str(number), memory=self._memory)
        target = StoreMark(saved.lineage, saved.shard.epoch, saved.shard.sequence, 0)
        log = self._settings.topic(topics.JOIN_LOG)
        join_log.catch_up(self._transport, log, number, store, target)
        saved.shard.epoch += 1
        saved.shard.sequence = 0
        shard = Shard(
            number=number,
            count=self._shards,
            control=self._controls.control,
            base=store,
            partitions_of=self._partitions_of,
            state=saved.shard,
            routes=ingest_checkpoint.routes(parts),
            skew_ms=self._settings.skew_ms,
            look=self._look,
        )
        silence = Silence(idle_ms=self._settings.idle_ms)
        return _Owned(saved.lineage, shard, store, silence, now_ms=self._clock.elapsed_ms())

    def _look(self) -> bool:
        """Read the control topics to their end, unless that was done a moment ago."""
        now_ms = self._clock.elapsed_ms()
        if self._looked_ms is not None and now_ms - self._looked_ms < LOOK_MS:
            return False
        self._looked_ms = now_ms
        self._controls.catch_up()
        return True

    def _partitions_of(self, keys: Strings) -> Ints:
        return partitions_of(keys, self._shards)

    def _due(self) -> bool:
        return (
            self._records >= self._settings.checkpoint_records
            or self._bytes >= self._settings.checkpoint_bytes
            or self._held_bytes() >= self._settings.held_bytes
            or self._clock.elapsed_ms() - self._last_ms >= self._settings.checkpoint_ms
        )

    def _held_bytes(self) -> int:
        return sum(own.shard.held_bytes for own in self._owned.values())

    def _find_idle(self) -> None:
        """Move the event time of shards on whose topics have been at their ends for a while."""
        now_ms = self._clock.elapsed_ms()
        for number, own in self._owned.items():
            predictions_end, feedback_end = (
                self._member.at_end((topic, number)) for topic in self._sources
            )
            elapsed_ms = own.silence.look(
                now_ms, predictions_end=predictions_end, feedback_end=feedback_end
            )
            own.shard.silent(own.silence.of_feedback)
            if elapsed_ms is not None:
                own.shard.idle(elapsed_ms)
                own.changed = True

    def _mark(self, number: int, done: Checkpoint) -> StoreMark:
        """What the store follows by now; the log's end is asked for now and then only."""
        own, now_ms = self._owned[number], self._clock.elapsed_ms()
        if now_ms - own.hinted_ms >= HINT_MS:
            log = self._settings.topic(topics.JOIN_LOG)
            own.hint, own.hinted_ms = self._transport.end_offset(log, number), now_ms
        return StoreMark(own.lineage, done.state.epoch, done.state.sequence, own.hint)

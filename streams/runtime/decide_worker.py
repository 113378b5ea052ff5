"""DECIDE on a transport: merges summaries, commits its decisions, then publishes them.

Decisions never leak: state, offsets and the bytes to be published (the outbox) are committed in
one transaction; only then a plain producer publishes the bytes. After a crash the outbox of the
last checkpoint is published again, so a duplicate has the same id and the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from schemas import topics
from schemas.errors import Retriable
from schemas.summaries import SummaryBatch, decode
from streams.decide.pipeline import Decide, Outputs
from streams.records import Message
from streams.runtime import catalogue, checkpoint, outbox
from streams.runtime.clock import Clock, Stopwatch
from streams.runtime.control_reader import ControlReader
from streams.runtime.decision_metrics import DecisionMetrics
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.runtime.transport import TopicPartition, Transport
from streams.runtime.worker_metrics import WorkerMetrics

GROUP = "kittiwake-decide"
STATE = "state/"
"""Before the name of each row of the state among the parts of a checkpoint."""


class _Owned:
    """A partition of summaries that this worker owns."""

    def __init__(self, decide: Decide, offset: int, letters: int) -> None:
        self.decide = decide
        self.offset = offset
        self.letter_parts = letters


class DecideWorker:
    """One member of the DECIDE group; call `step` in a loop from one thread."""

    def __init__(
        self, *, transport: Transport, settings: Settings, clock: Clock, metrics: Metrics
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._shown = DecisionMetrics(metrics)
        self._worker_metrics = WorkerMetrics(metrics, settings.prefix + GROUP)
        self._topic = settings.topic(topics.SUMMARIES)
        self._owned: dict[int, _Owned] = {}
        self._controls = ControlReader(transport, settings)
        self._sender = transport.sender()
        self._member = transport.member(
            group=settings.prefix + GROUP,
            topics=(self._topic,),
            rebalance=self,
            transactional_id=f"{settings.prefix}{GROUP}-{settings.worker}",
        )

    def step(self) -> bool:
        """Take the next summaries, decide, commit, publish; True if there were any."""
        self._controls.poll()
        watch = Stopwatch(self._clock)
        records = self._member.poll(
            max_records=self._settings.poll_records, timeout_ms=self._settings.poll_ms
        )
        self._metrics.inc(catalogue.LOOP_SECONDS, watch.lap_s(), stage="poll")
        touched: set[int] = set()
        for record in records:
            owned = self._owned[record.partition]
            if record.offset >= owned.offset and record.value is not None:
                self._apply(owned.decide, decode(record.value))
                owned.offset = record.offset + 1
                touched.add(record.partition)
        if records:
            self._metrics.inc(catalogue.RECORDS, len(records), topic=self._topic)
        if touched:
            for number in touched:
                self._owned[number].offset = self._member.positions()[self._topic, number]
            self._decide(touched)
            self._metrics.inc(catalogue.LOOP_SECONDS, watch.lap_s(), stage="decide")
        return bool(records)

    def close(self) -> None:
        """Leave the group; everything decided has been committed and published."""
        self._member.close()
        self._sender.close()
        self._controls.close()

    def assigned(
        self,
        partitions: Sequence[TopicPartition],
        committed: Mapping[TopicPartition, int | None],
    ) -> Mapping[TopicPartition, int]:
        """Restore each partition and publish again what may not have been published."""
        self._metrics.inc(catalogue.REBALANCES)
        self._controls.catch_up()
        self._owned.clear()
        for _, number in partitions:
            self._owned[number] = self._restore(number, committed)
        self._sender.flush()
        return {(self._topic, number): owned.offset for number, owned in self._owned.items()}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Let go: each step has committed what it decided."""
        self._owned.clear()

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Let go."""
        self._owned.clear()

    def _restore(self, number: int, committed: Mapping[TopicPartition, int | None]) -> _Owned:
        topic = self._settings.topic(topics.CHECKPOINTS)
        parts = checkpoint.read(self._transport, topic, number, f"decide/{number}")
        letters = outbox.unpack(parts)
        for letter in letters:
            self._sender.send(letter)
        offset = 0
        if "offset" in parts:
            offset = msgspec.msgpack.decode(parts["offset"], type=int)
            checkpoint.check_barrier({(self._topic, number): offset}, committed)
        else:
            place = (self._topic, number)
            checkpoint.check_unstarted({place: committed[place]})
        decide = Decide(self._controls.control, number)
        decide.load(
            {
                part.removeprefix(STATE): value
                for part, value in parts.items()
                if part.startswith(STATE)
            }
        )
        self._shown.restore(decide.open_alerts())
        return _Owned(decide, offset, len(outbox.pack(letters)))

    def _apply(self, decide: Decide, batch: SummaryBatch) -> None:
        """INGEST may have read a control record that has not come here yet."""
        try:
            decide.apply(batch)
        except Retriable:
            self._controls.catch_up()
            decide.apply(batch)

    def _decide(self, touched: set[int]) -> None:
        started_ms = self._clock.elapsed_ms()
        messages: list[Message] = []
        letters: list[Message] = []
        decided: list[Outputs] = []
        for number in sorted(touched):
            owned = self._owned[number]
            outputs = owned.decide.advance()
            decided.append(outputs)
            own = outbox.messages(outputs, self._settings)
            letters += own
            messages += self._state(number, owned, own)
        offsets = {(self._topic, number): self._owned[number].offset for number in touched}
        self._member.commit(messages, offsets)
        for letter in letters:
            self._sender.send(letter)
        self._sender.flush()
        for outputs in decided:
            self._show(outputs)
        for number in touched:
            self._shown.budgets(self._owned[number].decide.budgets())
        self._worker_metrics.committed(self._clock, started_ms)
        self._worker_metrics.lag(self._member.lag())

    def _state(self, number: int, owned: _Owned, letters: list[Message]) -> list[Message]:
        packed = outbox.pack(letters)
        changes: dict[str, bytes | None] = {
            f"{outbox.PART}/{i}": None for i in range(len(packed), owned.letter_parts)
        }
        owned.letter_parts = len(packed)
        changes |= packed
        changes |= {STATE + part: value for part, value in owned.decide.changed().items()}
        changes["offset"] = msgspec.msgpack.encode(owned.offset)
        topic = self._settings.topic(topics.CHECKPOINTS)
        return checkpoint.messages(topic, number, f"decide/{number}", changes)

    def _show(self, outputs: Outputs) -> None:
        for result in outputs.windows:
            self._shown.window(result)
        for alert in outputs.alerts:
            self._shown.alert(alert)
        for event in outputs.rollouts:
            self._shown.rollout(event)

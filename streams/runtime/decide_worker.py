"""DECIDE on a transport: merges summaries, heeds commands, commits decisions, publishes them.

Decisions never leak: state, offsets and the bytes to be published (the outbox) are committed in
one transaction; only then a plain producer publishes the bytes. After a crash the outbox of the
last checkpoint is published again, so a duplicate has the same id and the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from schemas import topics
from schemas.commands import Command, Tick, read_command
from schemas.dead_letters import DeadLetter, Reason
from schemas.errors import Retriable
from schemas.summaries import SummaryBatch, decode
from streams.dead_letters import dead_letter
from streams.decide.outputs import Outputs
from streams.decide.pipeline import Decide
from streams.records import Message, Record
from streams.runtime import catalogue, checkpoint, outbox
from streams.runtime.clock import Clock, Stopwatch
from streams.runtime.control_reader import ControlReader
from streams.runtime.decision_metrics import DecisionMetrics
from streams.runtime.envelope import dead_message
from streams.runtime.metrics import Metrics
from streams.runtime.partitioner import partition_of
from streams.runtime.pressure import Appetite, Commits
from streams.runtime.settings import Settings
from streams.runtime.transport import TopicPartition, Transport
from streams.runtime.worker_metrics import WorkerMetrics

GROUP = "kittiwake-decide"
FIRST: Final = 0
REFUSED: Final = 100
"""Control records at most that a worker keeps to tell of; of more the latest."""

OFFSETS = "offsets"
STATE = "state/"
"""Before the name of each row of the state among the parts of a checkpoint."""


class _Owned:
    """A partition of summaries, commands and ticks that is this worker's; offsets are by topic."""

    def __init__(self, decide: Decide, offsets: dict[str, int], letters: int) -> None:
        self.decide = decide
        self.offsets = offsets
        self.letter_parts = letters
        self.dead: list[DeadLetter] = []


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
        self._summaries = settings.topic(topics.SUMMARIES)
        commands = map(settings.topic, (topics.TICKS, topics.COMMANDS))
        self._topics = (*commands, self._summaries)
        self._leaving = False
        self._owned: dict[int, _Owned] = {}
        self._refused: deque[DeadLetter] = deque(maxlen=REFUSED)
        self._controls = ControlReader(transport, settings, self._refuse_control)
        self._sender = transport.sender()
        self._member = transport.member(
            group=settings.prefix + GROUP,
            topics=self._topics,
            rebalance=self,
            transactional_id=f"{settings.prefix}{GROUP}-{settings.worker}",
        )
        self._commits = Commits(self._member, metrics)
        self._appetite = Appetite(
            most_records=settings.poll_records, most_bytes=settings.poll_bytes
        )
        self._partitions = transport.partition_count(self._summaries) or settings.models

    def step(self) -> bool:
        """Take the next summaries and commands, decide, commit, publish; True if there is more.

        While a commit waits, none come: all partitions are paused.
        """
        self._controls.poll()
        watch = Stopwatch(self._clock)
        records = self._member.poll(
            max_records=self._appetite.records,
            timeout_ms=0 if self._behind() else self._settings.poll_ms,
        )
        self._appetite.took(len(records), sum(len(record.value or b"") for record in records))
        self._metrics.inc(catalogue.LOOP_SECONDS, watch.lap_s(), stage="poll")
        self._commits.again()
        touched: set[int] = set()
        for record in records:
            self._metrics.inc(catalogue.RECORDS, topic=record.topic)
            if self._take(record):
                touched.add(record.partition)
        due = touched
        if not self._commits.waiting:
            touched |= {number for number, owned in self._owned.items() if owned.dead}
            due = touched | self._behind()
        if due:
            positions = self._member.positions()
            for number in due:
                self._owned[number].offsets = {
                    topic: positions[topic, number] for topic in self._topics
                }
            self._decide(due, judged=touched)
            self._metrics.inc(catalogue.LOOP_SECONDS, watch.lap_s(), stage="decide")
        return bool(records) or self._commits.waiting or bool(self._behind())

    def _behind(self) -> set[int]:
        """Partitions whose DECIDE has put off results: it goes on without new records."""
        return {number for number, owned in self._owned.items() if owned.decide.behind}

    def close(self) -> None:
        """Leave the group; everything decided has been committed and published, and what the
        metrics said last stays true."""
        self._leaving = True
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
        self._drop()
        for number in sorted({number for _, number in partitions}):
            self._owned[number] = self._restore(number, committed)
        if FIRST in self._owned:
            self._tell_refused(self._owned[FIRST])
        self._sender.flush()
        return self._offsets(self._owned)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Let go: each step has committed what it decided, or a commit was refused and waits."""
        self._commits.again()
        self._drop()

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """Let go."""
        self._drop()

    def _drop(self) -> None:
        self._commits.drop()
        if not self._leaving:
            self._worker_metrics.forget()
            self._shown.forget()
        self._owned.clear()

    def _restore(self, number: int, committed: Mapping[TopicPartition, int | None]) -> _Owned:
        topic = self._settings.topic(topics.CHECKPOINTS)
        parts = checkpoint.read(self._transport, topic, number, f"decide/{number}")
        letters = outbox.unpack(parts)
        for letter in letters:
            self._sender.send(letter)
        offsets = dict.fromkeys(self._topics, 0)
        if OFFSETS in parts:
            offsets = msgspec.msgpack.decode(parts[OFFSETS], type=dict[str, int])
            saved = {(topic, number): offset for topic, offset in offsets.items()}
            checkpoint.check_barrier(saved, committed)
        else:
            places = [(topic, number) for topic in self._topics]
            checkpoint.check_unstarted({place: committed[place] for place in places})
        decide = Decide(self._controls.control, number)
        decide.load(
            {
                part.removeprefix(STATE): value
                for part, value in parts.items()
                if part.startswith(STATE)
            }
        )
        self._shown.restore(decide.open_alerts())
        self._shown.budgets(decide.budgets())
        return _Owned(decide, offsets, len(outbox.pack(letters)))

    def _offsets(self, numbers: Iterable[int]) -> dict[TopicPartition, int]:
        return {
            (topic, number): offset
            for number in numbers
            for topic, offset in self._owned[number].offsets.items()
        }

    def _take(self, record: Record) -> bool:
        """Give a record to the partition's DECIDE; False if it was taken before."""
        owned = self._owned[record.partition]
        if record.offset < owned.offsets[record.topic] or record.value is None:
            return False
        owned.offsets[record.topic] = record.offset + 1
        if record.topic == self._summaries:
            self._apply(owned.decide, decode(record.value))
        else:
            self._command(owned, record, record.value)
        return True

    def _command(self, owned: _Owned, record: Record, value: bytes) -> None:
        """What is no command, or is of a model elsewhere, is a dead letter, and stops nothing."""
        try:
            command = read_command(value)
        except ValueError as error:
            words = f"no usable command: {error}"
            self._refuse(owned, dead_letter(record, Reason.BAD_SHAPE, words))
            return
        own = self._partition(command, record)
        if own != record.partition:
            # Heeded here it would do nothing, and begin a second audit chain of the model.
            words = (
                f"a command for model {command.model!r} on partition {record.partition}; write it "
                f"to partition {own}: the key is the model, the partitioner that of Kafka's clients"
            )
            self._refuse(owned, dead_letter(record, Reason.STRAY, words))
            return
        owned.decide.command(command, record.timestamp_ms)

    def _partition(self, command: Command, record: Record) -> int:
        """Where a command belongs; a tick is about all of its partition."""
        if isinstance(command, Tick):
            return record.partition
        return partition_of(command.model.encode(), self._partitions)

    def _refuse(self, owned: _Owned, letter: DeadLetter) -> None:
        owned.dead.append(letter)
        self._metrics.inc(catalogue.DEAD_LETTERS, topic=letter.topic, reason=letter.reason)

    def _refuse_control(self, letter: DeadLetter) -> None:
        """Every worker reads these topics; the one that has the first partition tells."""
        self._refused.append(letter)
        if FIRST in self._owned:
            self._tell_refused(self._owned[FIRST])

    def _tell_refused(self, owned: _Owned) -> None:
        """Tell of control records that could not be used; after a restart of the old ones again,
        by the same ids."""
        while self._refused:
            self._refuse(owned, self._refused.popleft())

    def _apply(self, decide: Decide, batch: SummaryBatch) -> None:
        """INGEST may have read a control record that has not come here yet."""
        try:
            decide.apply(batch)
        except Retriable:
            self._controls.catch_up()
            decide.apply(batch)

    def _decide(self, due: Collection[int], *, judged: Collection[int]) -> None:
        """Commit and publish what partitions have to say: of those that are not judged, which are
        only behind, more results."""
        started_ms = self._clock.elapsed_ms()
        messages: list[Message] = []
        letters: list[Message] = []
        decided: list[tuple[int, Outputs]] = []
        for number in sorted(due):
            owned = self._owned[number]
            outputs = owned.decide.advance() if number in judged else owned.decide.more()
            decided.append((number, outputs))
            own = outbox.messages(outputs, self._settings)
            letters += own
            messages += self._state(number, owned, own)
            messages += [dead_message(dead, self._settings, source="decide") for dead in owned.dead]
            owned.dead.clear()
        self._commits.begin(
            messages,
            self._offsets(due),
            lambda: self._publish(letters, decided, judged, started_ms),
        )

    def _publish(
        self,
        letters: Sequence[Message],
        said: Sequence[tuple[int, Outputs]],
        judged: Collection[int],
        started_ms: int,
    ) -> None:
        """Publish what has been committed."""
        for letter in letters:
            self._sender.send(letter)
        self._sender.flush()
        if self._metrics.is_read:
            for number, outputs in said:
                self._show(outputs)
                if outputs.windows and number in judged:
                    # Only tests of windows spend, and adding up what thousands spent takes time.
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
        changes[OFFSETS] = msgspec.msgpack.encode(owned.offsets)
        topic = self._settings.topic(topics.CHECKPOINTS)
        return checkpoint.messages(topic, number, f"decide/{number}", changes)

    def _show(self, outputs: Outputs) -> None:
        self._shown.windows(outputs.windows)
        for alert in outputs.alerts:
            self._shown.alert(alert)
        for event in outputs.rollouts:
            self._shown.rollout(event)

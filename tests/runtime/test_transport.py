"""What every transport promises, on each of them: in one process, and on a real Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import pytest
from transport_bench import Bench, Worker, owned_by

from schemas.errors import ConfigurationError, Fenced, TopicMismatch, TransportError
from streams.records import Message, Record
from streams.runtime.broker import Broker
from streams.runtime.kafka import KafkaTransport
from streams.runtime.local import LocalTransport
from streams.runtime.local_member import LocalMember
from streams.runtime.partitioner import partition_of
from streams.runtime.transport import Member, TopicPartition

STALL_MS = 1_500


@pytest.fixture(params=["local", "kafka"])
def bench(request: pytest.FixtureRequest, prefix: str) -> Iterator[Bench]:
    """Each transport in turn."""
    if request.param == "local":
        local = LocalTransport(clock=lambda: 1_700_000_000_000)

        def expel(member: Member) -> None:
            assert isinstance(member, LocalMember)
            local.expel(member)

        bench = Bench(local, prefix, expel)
    else:
        broker: Broker = request.getfixturevalue("kafka")
        transport = KafkaTransport(
            broker.bootstrap,
            session_timeout_ms=STALL_MS,
            max_poll_interval_ms=60_000 if "zombie" not in request.node.name else STALL_MS,
        )
        bench = Bench(transport, prefix, lambda _: time.sleep(1.5 * STALL_MS / 1_000))
    yield bench
    bench.close()
    bench.transport.close()


class TestTopics:
    """Topics are made once and never silently differ."""

    def test_ensure_topics_creates_once(self, bench: Bench) -> None:
        """A second call with the same specification changes nothing."""
        for _ in range(2):
            name = bench.topic("alerts", 3)
        assert bench.transport.partition_count(name) == 3
        assert bench.transport.partition_count(name + "-absent") is None

    def test_other_partition_count_is_refused(self, bench: Bench) -> None:
        """A topic with another partition count stops the start; the message names it."""
        bench.topic("alerts", 3)
        with pytest.raises(TopicMismatch, match=r"alerts has 3 partitions"):
            bench.topic("alerts", 4)

    def test_other_clean_up_is_refused(self, bench: Bench) -> None:
        """A state topic must be compacted."""
        bench.topic("state")
        with pytest.raises(TopicMismatch, match=r"state has"):
            bench.topic("state", compacted=True)

    def test_group_needs_its_topics(self, bench: Bench) -> None:
        """A member of a missing topic, or of topics that cannot be co-partitioned, is refused."""
        two, three = bench.topic("two", 2), bench.topic("three", 3)
        with pytest.raises(ConfigurationError, match="absent"):
            bench.join(Worker(), two, bench.prefix + "absent")
        with pytest.raises(ConfigurationError, match="one partition count"):
            bench.join(Worker(), two, three)
        worker = Worker()
        bench.join(worker, two, three, co_partitioned=False)
        bench.settle(worker, partitions=5)


class TestWriting:
    """What is written is what is read."""

    def test_keys_choose_partitions_and_keep_order(self, bench: Bench) -> None:
        """Keys go where Java clients put them; a partition keeps the order of sending."""
        topic = bench.topic("predictions", 4)
        sent = [(f"key-{number % 40}".encode(), str(number).encode()) for number in range(200)]
        bench.send(*(Message(topic, value, key=key) for key, value in sent))
        for partition in range(4):
            found = [(each.key, each.value) for each in bench.transport.read(topic, partition)]
            assert found == [item for item in sent if partition_of(item[0], 4) == partition]
            assert found

    def test_everything_of_a_message_arrives(self, bench: Bench) -> None:
        """Headers in order and doubled, no key, no value, time, and a partition that was named."""
        topic = bench.topic("events", 2)
        headers = (("ce_type", b"a"), ("ce_type", b"b"), ("empty", b""))
        bench.send(
            Message(topic, None, key=b"k", partition=1, headers=headers, timestamp_ms=1_600_000),
            Message(topic, b"", partition=1, timestamp_ms=1_600_001),
        )
        assert list(bench.transport.read(topic, 1)) == [
            Record(topic, 1, 0, 1_600_000, b"k", None, headers),
            Record(topic, 1, 1, 1_600_001, None, b"", ()),
        ]

    def test_message_without_time_gets_one(self, bench: Bench) -> None:
        """The moment of sending, in milliseconds."""
        topic = bench.topic("events")
        bench.send(Message(topic, b"1"))
        (record,) = bench.transport.read(topic, 0)
        assert record.timestamp_ms >= 1_700_000_000_000

    def test_unknown_partition_is_an_error(self, bench: Bench) -> None:
        """A message for a partition that is not there is not dropped in silence."""
        topic = bench.topic("events")
        with pytest.raises(TransportError):
            bench.send(Message(topic, b"1", partition=7))


class TestCommit:
    """Messages and offsets, all or nothing."""

    def test_messages_and_offsets_arrive_together(self, bench: Bench) -> None:
        """Nothing shows before the commit; after it, all messages and the offsets do."""
        source, out, log = bench.topic("in"), bench.topic("out", 2), bench.topic("log")
        bench.send(*(Message(source, str(number).encode()) for number in range(3)))
        worker = Worker()
        member = bench.join(worker, source)
        bench.run(lambda: len(worker.seen) == 3, worker)
        assert bench.committed((source, 0)) == {(source, 0): None}
        member.commit(
            [
                Message(out, b"a", partition=0),
                Message(out, b"b", partition=1),
                Message(log, b"c"),
            ],
            {(source, 0): 2},
        )
        assert bench.committed((source, 0)) == {(source, 0): 2}
        assert (bench.values(out, 0), bench.values(out, 1)) == ([b"a"], [b"b"])
        assert bench.values(log) == [b"c"]

    def test_failed_commit_leaves_nothing(self, bench: Bench) -> None:
        """One message that cannot be written undoes all; the member goes on."""
        source, out = bench.topic("in"), bench.topic("out")
        bench.send(Message(source, b"1"))
        worker = Worker()
        member = bench.join(worker, source)
        bench.run(lambda: bool(worker.seen), worker)
        with pytest.raises(TransportError):
            member.commit(
                [Message(out, b"undone"), Message(out, bytes(3_000_000))], {(source, 0): 1}
            )
        assert bench.values(out) == []
        assert bench.committed((source, 0)) == {(source, 0): None}
        member.commit([Message(out, b"done")], {(source, 0): 1})
        assert bench.values(out) == [b"done"]
        assert bench.committed((source, 0)) == {(source, 0): 1}

    def test_commit_without_offsets_is_a_bug(self, bench: Bench) -> None:
        """Offsets are what fences; without them a commit is refused at once."""
        source = bench.topic("in")
        member = bench.join(Worker(), source)
        with pytest.raises(ValueError, match="offset"):
            member.commit([Message(source, b"1")], {})

    def test_commit_of_foreign_partition_is_fenced(self, bench: Bench) -> None:
        """A partition that the member does not own cannot be committed."""
        source = bench.topic("in")
        worker = Worker()
        member = bench.join(worker, source)
        bench.settle(worker, partitions=1)
        with pytest.raises(Fenced, match="does not own"):
            member.commit([], {("elsewhere", 0): 1})


class TestReading:
    """Where reading starts, and how it knows the end."""

    def test_goes_on_after_the_last_commit(self, bench: Bench) -> None:
        """A new member hears the committed offset and starts there."""
        source = bench.topic("in")
        bench.send(*(Message(source, str(number).encode()) for number in range(5)))
        first = Worker()
        member = bench.join(first, source)
        bench.run(lambda: len(first.seen) == 5, first)
        member.commit([], {(source, 0): 3})
        first.member = None
        bench.leave(member)
        second = Worker()
        bench.join(second, source)
        bench.run(lambda: len(second.seen) == 2, second)
        assert second.committed == {(source, 0): 3}
        assert [each.offset for each in second.seen] == [3, 4]

    def test_worker_chooses_where_to_start(self, bench: Bench) -> None:
        """An offset that `assigned` returns goes before the committed one."""
        source = bench.topic("in")
        bench.send(*(Message(source, str(number).encode()) for number in range(5)))
        worker = Worker(starts={(source, 0): 4})
        bench.join(worker, source)
        bench.run(lambda: bool(worker.seen), worker)
        assert [each.offset for each in worker.seen] == [4]

    def test_start_outside_the_log_is_an_error(self, bench: Bench) -> None:
        """A start that is not in the log stops the worker; nothing is skipped in silence."""
        source = bench.topic("in")
        worker = Worker(starts={(source, 0): 40})
        bench.join(worker, source)
        with pytest.raises(TransportError, match="offset 40"):
            bench.run(lambda: False, worker)

    def test_end_is_known_past_transaction_marks(self, bench: Bench) -> None:
        """Marks of transactions take offsets; at_end, positions and lag count them."""
        source, out = bench.topic("in"), bench.topic("out")
        bench.send(Message(source, b"1"))
        writer = Worker()
        member = bench.join(writer, source)
        bench.run(lambda: bool(writer.seen), writer)
        for number in range(3):
            member.commit([Message(out, str(number).encode())], {(source, 0): 1})
        writer.member = None
        bench.leave(member)
        reader = Worker()
        follower = bench.join(reader, out, transactional_id="reader")
        bench.run(lambda: follower.at_end((out, 0)), reader)
        end = bench.transport.end_offset(out, 0)
        assert [each.offset for each in reader.seen] == [0, 2, 4]
        assert follower.positions() == {(out, 0): end} == {(out, 0): 6}
        assert follower.lag() == {(out, 0): 0}
        bench.send(Message(out, b"more"))
        bench.run(lambda: len(reader.seen) == 4, reader)
        bench.run(lambda: follower.at_end((out, 0)), reader)

    def test_read_stops_at_the_end(self, bench: Bench) -> None:
        """`read` gives all that is committed from an offset on, across marks, and stops."""
        source, out = bench.topic("in"), bench.topic("out")
        worker = Worker()
        member = bench.join(worker, source)
        bench.settle(worker, partitions=1)
        bench.send(Message(out, b"plain"))
        member.commit([Message(out, b"a"), Message(out, b"b")], {(source, 0): 0})
        member.commit([Message(out, b"c")], {(source, 0): 0})
        assert bench.values(out) == [b"plain", b"a", b"b", b"c"]
        assert bench.values(out, start=2) == [b"b", b"c"]
        assert bench.values(out, start=bench.transport.end_offset(out, 0)) == []
        assert bench.values(source) == []
        assert bench.transport.beginning_offset(out, 0) == 0

    def test_pause_delivers_nothing_until_resume(self, bench: Bench) -> None:
        """A paused partition is silent and never at its end; the others go on; nothing is lost."""
        source = bench.topic("in", 2)
        worker = Worker()
        member = bench.join(worker, source)
        bench.settle(worker, partitions=2)
        bench.run(lambda: member.at_end((source, 0)), worker)
        member.pause([(source, 0)])
        bench.send(*(Message(source, b"1", partition=number % 2) for number in range(4)))
        bench.run(lambda: len(worker.seen) == 2, worker)
        for _ in range(5):
            worker.seen += member.poll(max_records=100, timeout_ms=20)
        assert [(each.partition, each.offset) for each in worker.seen] == [(1, 0), (1, 1)]
        assert not member.at_end((source, 0))
        member.resume([(source, 0)])
        bench.run(lambda: member.at_end((source, 0)), worker)
        assert [(each.partition, each.offset) for each in worker.seen[2:]] == [(0, 0), (0, 1)]

    def test_end_is_found_again_after_a_quiet_pause(self, bench: Bench) -> None:
        """A partition that stayed empty while paused is at its end again after `resume`."""
        source = bench.topic("in")
        bench.send(Message(source, b"1"))
        worker = Worker()
        member = bench.join(worker, source)
        bench.run(lambda: member.at_end((source, 0)), worker)
        member.pause([(source, 0)])
        member.poll(max_records=10, timeout_ms=20)
        member.resume([(source, 0)])
        bench.run(lambda: member.at_end((source, 0)), worker)
        assert len(worker.seen) == 1

    def test_tail_follows_without_a_group(self, bench: Bench) -> None:
        """From the beginning all records come, from now only later ones."""
        topic = bench.topic("alerts", 2)
        bench.send(Message(topic, b"1", partition=0), Message(topic, b"2", partition=1))
        whole = bench.transport.tail([topic], from_beginning=True)
        late = bench.transport.tail([topic])
        found = []
        while not whole.at_end():
            found += whole.poll(max_records=10, timeout_ms=20)
        assert sorted(each.value or b"" for each in found) == [b"1", b"2"]
        assert whole.positions() == {(topic, 0): 1, (topic, 1): 1}
        bench.send(Message(topic, b"3", partition=0))
        found = []
        while not found:
            found = late.poll(max_records=10, timeout_ms=20)
        assert [each.value for each in found] == [b"3"]
        whole.close()
        late.close()


class TestGroup:
    """Partitions move whole, and only one member can commit for them."""

    def test_co_partitions_go_to_one_member(self, bench: Bench) -> None:
        """Partition p of both topics is on one of two members, and all partitions are owned."""
        topics = bench.topic("predictions", 4), bench.topic("feedback", 4)
        one, two = Worker(), Worker()
        bench.join(one, *topics, transactional_id="one")
        bench.settle(one, partitions=8)
        bench.join(two, *topics, transactional_id="two")
        bench.settle(one, two, partitions=8)
        shards = [{number for _, number in owned_by(worker)} for worker in (one, two)]
        assert sorted(map(len, shards)) == [2, 2]
        assert shards[0] | shards[1] == {0, 1, 2, 3}
        for worker, shard in zip((one, two), shards, strict=True):
            assert sorted(owned_by(worker)) == sorted((t, p) for t in topics for p in shard)

    def test_revoked_member_commits_before_it_goes(self, bench: Bench) -> None:
        """What `revoked` commits is what the next owner hears in `assigned`."""
        source = bench.topic("in", 2)
        bench.send(*(Message(source, b"1", partition=number % 2) for number in range(6)))
        one, two = Worker(), Worker()
        bench.join(one, source, transactional_id="one")
        bench.run(lambda: len(one.seen) == 6, one)
        bench.join(two, source, transactional_id="two")
        bench.settle(one, two, partitions=2)
        assert [kind for kind, _ in one.events] == ["assigned", "revoked", "assigned"]
        assert set(two.committed.values()) == {3}
        for _ in range(5):
            bench.run(lambda: True, one, two)
        assert two.seen == []

    def test_partitions_of_a_leaver_go_to_the_rest(self, bench: Bench) -> None:
        """`close` commits through `revoked` and hands over at once."""
        source = bench.topic("in", 2)
        one, two = Worker(), Worker()
        bench.join(one, source, transactional_id="one")
        bench.join(two, source, transactional_id="two")
        bench.settle(one, two, partitions=2)
        assert one.member is not None
        bench.leave(one.member)
        assert one.events[-1][0] == "revoked"
        one.member = None
        bench.settle(two, partitions=2)

    def test_zombie_is_fenced(self, bench: Bench) -> None:
        """A member that stalled until another took over can commit nothing, and hears `lost`."""
        source, out = bench.topic("in"), bench.topic("out")
        bench.send(Message(source, b"1"))
        zombie, heir = Worker(), Worker()
        member = bench.join(zombie, source, transactional_id="zombie")
        bench.run(lambda: bool(zombie.seen), zombie)
        bench.stall(member)
        bench.join(heir, source, transactional_id="heir")
        bench.run(lambda: bool(heir.seen), heir)
        with pytest.raises(Fenced):
            member.commit([Message(out, b"from the dead")], {(source, 0): 1})
        assert heir.member is not None
        heir.member.commit([Message(out, b"alive")], {(source, 0): 1})
        assert bench.values(out) == [b"alive"]
        bench.leave(member)
        assert zombie.events[-1] == ("lost", [(source, 0)])

    def test_newcomer_fences_its_predecessor(self, bench: Bench) -> None:
        """A worker started again under its name ends the old one's commits."""
        source, out = bench.topic("in"), bench.topic("out")
        old = Worker()
        member = bench.join(old, source)
        bench.settle(old, partitions=1)
        bench.join(Worker(), source)
        with pytest.raises(Fenced):
            member.commit([Message(out, b"old")], {(source, 0): 0})
        assert bench.values(out) == []

    def test_error_in_a_callback_comes_out_of_poll(self, bench: Bench) -> None:
        """What a worker raises while it restores is not swallowed by a client library."""

        class Broken(Worker):
            def assigned(
                self,
                partitions: Sequence[TopicPartition],
                committed: Mapping[TopicPartition, int | None],
            ) -> Mapping[TopicPartition, int]:
                raise LookupError("no checkpoint")

        source = bench.topic("in")
        worker = Broken()
        bench.join(worker, source)
        with pytest.raises(LookupError, match="no checkpoint"):
            bench.run(lambda: False, worker)
        assert not owned_by(worker)

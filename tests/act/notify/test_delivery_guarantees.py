"""Each event reaches each of its targets at least once, under one key, and never once recorded."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections import deque

import pytest
from acting import NOW_MS, Site
from deliveries import PLAN, delivered, outcomes
from published import an_alert
from receiver import Posted, Receiver

from schemas import topics
from schemas.alerts import AlertAction, Severity
from schemas.commands import Delivered
from schemas.errors import BrokerUnavailable
from schemas.notices import Notice
from streams.act.notify.lanes import Lanes
from streams.act.notify.notifier import AT_ONCE
from streams.act.outgoing import Outgoing, notice
from streams.records import Message
from streams.runtime import catalogue

TWO = """
targets:
  ops: {{kind: webhook, url: "{url}"}}
  log: {{kind: webhook, url: "{other}"}}
default: [ops, log]
retry: {{first: 1s, factor: 2, longest: 8s, jitter: 0}}
give_up: 1m
"""


def test_an_event_is_delivered_once_and_recorded() -> None:
    """The body is that of the log, the key the event's id; the record settles it for DECIDE."""
    with Receiver() as ops:
        site = Site(PLAN.format(url=ops.url))
        alert = an_alert(id="s1")
        site.publish(topics.ALERTS, "a1", alert)
        asyncio.run(site.work())
        assert ops.keys == ["s1"]
        assert ops.posted[0].body == alert.model_dump_json().encode()
        (command,) = delivered(site)
        assert (command.event_id, command.target, command.model) == ("s1", "ops", "fraud")
        assert (command.dead, command.settled, command.time) == (False, True, NOW_MS)
        assert outcomes(site, "ops") == {"delivered": 1}
        assert site.metrics.value(catalogue.DELIVERIES_WAITING, target="ops") == 0


def test_an_event_said_again_is_not_delivered_again() -> None:
    """Not by the same process, nor by the next, once the acknowledgement is recorded."""
    with Receiver() as ops:
        site = Site(PLAN.format(url=ops.url))
        for _ in range(3):
            site.publish(topics.ALERTS, "a1", an_alert(id="s1"))
        asyncio.run(site.work())
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))
        asyncio.run(site.work())
        assert ops.keys == ["s1"]
        assert len(delivered(site)) == 1


def test_a_crash_before_the_record_repeats_the_same_key() -> None:
    """The other side had confirmed, but nobody wrote that down: it comes again, and only once."""
    with Receiver() as ops:
        site = Site(PLAN.format(url=ops.url))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))

        async def crash() -> None:
            async with site.act() as act:
                answered = asyncio.Event()

                async def never(*_: object, **__: object) -> None:
                    answered.set()
                    await asyncio.Event().wait()

                act.journal.record = never
                await site.read(act)
                await answered.wait()
                await act.notifier.close(grace_s=0)

        asyncio.run(crash())
        assert ops.keys == ["s1"]
        assert delivered(site) == []
        asyncio.run(site.work())
        assert ops.keys == ["s1", "s1"]
        asyncio.run(site.work())
        assert ops.keys == ["s1", "s1"]
        assert len(delivered(site)) == 1


def test_a_crash_before_the_answer_repeats_the_same_key() -> None:
    """A process that ends while it waits has recorded nothing."""
    with Receiver() as ops:
        site = Site(PLAN.format(url=ops.url))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))
        stop = asyncio.Event()

        async def crash() -> None:
            loop = asyncio.get_running_loop()
            ops.seen = lambda _: loop.call_soon_threadsafe(stop.set)
            ops.closes = 1
            async with site.act() as act:
                await site.read(act)
                await stop.wait()
                await act.notifier.close(grace_s=0)

        asyncio.run(crash())
        assert delivered(site) == []
        ops.seen = lambda _: None
        asyncio.run(site.work())
        assert set(ops.keys) == {"s1"}
        assert len(delivered(site)) == 1


def test_a_log_that_is_away_does_not_bother_the_target() -> None:
    """The acknowledgement is written again until it stands; the event is sent once."""
    with Receiver() as ops:
        site = Site(PLAN.format(url=ops.url))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))

        async def trouble() -> None:
            async with site.act() as act:
                record, failures = act.journal.record, deque([1, 2, 3])

                async def sometimes(command: Delivered, **more: object) -> None:
                    if failures:
                        failures.pop()
                        raise BrokerUnavailable("no broker")
                    await record(command, **more)

                act.journal.record = sometimes
                await site.read(act)
                await act.notifier.drained()

        asyncio.run(trouble())
        assert ops.keys == ["s1"]
        assert len(delivered(site)) == 1
        assert site.slept == [1, 2, 4]


def test_what_another_process_recorded_is_not_sent() -> None:
    """The journal is asked before each attempt, also between two of them."""
    with Receiver(replies=deque([(503, {}, "")])) as ops:
        site = Site(PLAN.format(url=ops.url))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))

        async def recorded_meanwhile() -> None:
            async with site.act() as act, site.act() as other:
                command = Delivered(
                    kind="delivered",
                    id="d1",
                    model="fraud",
                    time=0,
                    by="act",
                    event_id="s1",
                    target="ops",
                )

                async def sleep(_: float) -> None:
                    await other.journal.record(command)

                act.notifier._sleep = sleep
                await site.read(act)
                await act.notifier.drained()

        asyncio.run(recorded_meanwhile())
        assert ops.keys == ["s1"]


def test_what_was_recorded_while_it_waited_for_its_turn_is_not_sent() -> None:
    """A slow target's turns are few: the journal is asked when it comes, not before."""
    go = threading.Event()
    with Receiver(seen=lambda _: go.wait(30)) as ops:
        site = Site(PLAN.format(url=ops.url))
        for number in range(AT_ONCE + 1):
            site.publish(topics.ALERTS, "a", an_alert(id=f"s{number}", alert_id=f"a{number}"))

        async def recorded_meanwhile() -> None:
            async with site.act() as act, site.act() as other:
                await site.read(act)
                while len(ops.posted) < AT_ONCE:
                    await asyncio.sleep(0.01)
                command = Delivered(
                    kind="delivered",
                    id="d1",
                    model="fraud",
                    time=0,
                    by="act",
                    event_id=f"s{AT_ONCE}",
                    target="ops",
                )
                await other.journal.record(command)
                go.set()
                await act.notifier.drained()

        asyncio.run(recorded_meanwhile())
        assert sorted(ops.keys) == [f"s{number}" for number in range(AT_ONCE)]


def test_a_lane_goes_on_after_an_event_that_fails() -> None:
    """What is behind it is delivered, and the one that failed may be put again."""
    site, seen = Site("{}"), []

    async def deliver(_name: str, outgoing: Outgoing) -> None:
        seen.append(outgoing.id)
        if seen == ["s1"]:
            raise ZeroDivisionError

    async def timeline() -> None:
        lanes = Lanes(deliver)
        events = [site.outgoing(an_alert(id=name)) for name in ("s1", "s2")]
        assert [lanes.put("ops", event) for event in events] == [True, True]
        assert lanes.length("ops") == 2
        await lanes.drained()
        assert lanes.length("ops") == 0
        assert lanes.put("ops", events[0])
        await lanes.drained()

    asyncio.run(timeline())
    assert seen == ["s1", "s2", "s1"]


def test_a_letter_holds_the_beginning_of_an_event_that_is_too_long() -> None:
    """A letter that the log refuses would hold up all others."""
    with Receiver(replies=deque([(413, {}, "")])) as ops:
        site = Site(PLAN.format(url=ops.url))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1", summary="x" * 700_000))
        asyncio.run(site.work())
        (letter,) = site.letters()
        assert len(base64.b64decode(letter.value_base64)) == 600_000


def test_an_event_counts_as_settled_with_its_last_target() -> None:
    """A target that is down does not keep another from the event, and DECIDE goes on meanwhile."""
    with Receiver() as ops, Receiver(replies=deque([(503, {}, "")] * 3)) as log:
        site = Site(TWO.format(url=ops.url, other=log.url))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))
        asyncio.run(site.work())
        told = [(command.target, command.settled) for command in delivered(site)]
        assert told == [("ops", False), ("log", True)]
        assert (ops.keys, log.keys) == (["s1"], ["s1"] * 4)


def test_only_the_target_without_it_is_told_after_a_crash() -> None:
    """What one target has is not sent there again because another had not got it."""
    with Receiver() as ops, Receiver() as log:
        site = Site(TWO.format(url=ops.url, other=log.url))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))

        async def half() -> None:
            async with site.act() as act:
                command = Delivered(
                    kind="delivered",
                    id="d1",
                    model="fraud",
                    time=0,
                    by="act",
                    event_id="s1",
                    target="ops",
                    settled=False,
                )
                await act.journal.record(command)

        asyncio.run(half())
        asyncio.run(site.work())
        assert (ops.keys, log.keys) == ([], ["s1"])
        assert delivered(site)[-1].settled


def test_events_of_one_incident_arrive_in_order() -> None:
    """The end of an alert waits for its beginning, while other incidents pass by."""
    with Receiver() as ops:
        refused = {"a1": 2}

        def slow(posted: Posted) -> None:
            if posted.json["alert_id"] == "a1" and refused["a1"]:
                refused["a1"] -= 1
                ops.closes = 1

        ops.seen = slow
        site = Site(PLAN.format(url=ops.url))
        for name in ("a1", "a2"):
            site.publish(topics.ALERTS, name, an_alert(id=f"{name}-1", alert_id=name))
            end = an_alert(id=f"{name}-2", alert_id=name, action=AlertAction.RESOLVED)
            site.publish(topics.ALERTS, name, end)
        asyncio.run(site.work())
        assert [key for key in ops.keys if key.startswith("a1")] == ["a1-1"] * 3 + ["a1-2"]
        assert [key for key in ops.keys if key.startswith("a2")] == ["a2-1", "a2-2"]


def test_what_is_silenced_or_inhibited_is_not_sent() -> None:
    """Nor recorded: once it is no longer silenced, it comes as an event of its own."""
    with Receiver() as ops:
        site = Site(PLAN.format(url=ops.url))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1", silenced_by="c1"))
        site.publish(topics.ALERTS, "a1", an_alert(id="s2", inhibited_by="a0"))
        asyncio.run(site.work())
        assert (ops.keys, delivered(site)) == ([], [])
        site.publish(topics.ALERTS, "a1", an_alert(id="s3", action=AlertAction.UPDATED))
        asyncio.run(site.work())
        assert ops.keys == ["s3"]


def test_what_the_plan_sends_to_nobody_is_settled() -> None:
    """DECIDE need not say it again and again."""
    site = Site("routes:\n- {match: {severity: page}, targets: []}\n")
    site.publish(topics.ALERTS, "a1", an_alert(id="s1"))
    asyncio.run(site.work())
    asyncio.run(site.work())
    (command,) = delivered(site)
    assert (command.target, command.settled) == ("nobody", True)


def test_a_partition_that_moved_away_is_left_to_its_owner() -> None:
    """Events that wait are dropped unrecorded, and found again by whoever comes to own them."""
    with Receiver(replies=deque([(503, {}, "")])) as ops:
        site = Site(PLAN.format(url=ops.url))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))
        site.publish(topics.ALERTS, "a1", an_alert(id="s2"))

        async def moved() -> None:
            async with site.act() as act:

                async def sleep(_: float) -> None:
                    act.inbox.revoked([("alerts", 0)])

                act.notifier._sleep = sleep
                await site.read(act)
                await act.notifier.drained()

        asyncio.run(moved())
        assert (ops.keys, delivered(site)) == (["s1"], [])
        asyncio.run(site.work())
        assert ops.keys == ["s1", "s1", "s2"]


def test_a_record_of_another_version_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    """It is told, with its place, and those after it are delivered."""
    with Receiver() as ops:
        site = Site(PLAN.format(url=ops.url))
        other = an_alert(id="s1").model_dump_json().replace('"n":10', '"n":"many"')
        site.transport.sender().send(Message(topic=topics.ALERTS, key=b"a1", value=other.encode()))
        site.publish(topics.ALERTS, "a1", an_alert(id="s2"))
        asyncio.run(site.work())
        assert ops.keys == ["s2"]
        assert "alerts[0] offset 0: n: " in caplog.text


def test_a_key_that_no_header_takes_is_encoded() -> None:
    """The id of a notice holds its schedule's name, which may be of any language."""
    said = Notice(
        id="schedule/1/-/wöchentlich 1",
        reason="silences",
        subject="weekly",
        model="fraud",
        severity=Severity.TICKET,
        summary="",
        at_ms=0,
    )
    with Receiver() as ops:
        site = Site(PLAN.format(url=ops.url))

        async def tell() -> None:
            async with site.act() as act:
                await act.notifier.offer(notice(said))
                await act.notifier.drained()

        asyncio.run(tell())
        assert ops.keys == ["schedule/1/-/w%C3%B6chentlich%201"]
        assert ops.posted[0].json["id"] == said.id
        assert not delivered(site)[0].dead


def test_a_notice_of_acts_own_is_delivered_once() -> None:
    """It stands in no topic, and its record keeps it from being said twice."""
    said = Notice(
        id="n1",
        reason="silences",
        subject="weekly",
        model="fraud",
        severity=Severity.TICKET,
        summary="2 silences to review",
        at_ms=0,
    )
    with Receiver() as ops:
        site = Site(PLAN.format(url=ops.url))

        async def tell() -> None:
            async with site.act() as act:
                await act.notifier.offer(notice(said))
                await act.notifier.offer(notice(said))
                await act.notifier.drained()

        asyncio.run(tell())
        asyncio.run(tell())
        assert ops.keys == ["n1"]

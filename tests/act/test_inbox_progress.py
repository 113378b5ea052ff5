"""The inbox knows how far it is, and does not stand still quietly."""

from __future__ import annotations

import asyncio

import pytest
from acting import Site
from published import an_alert
from receiver import Receiver
from rollback_requests import requested

from schemas import topics
from schemas.rollouts import RolloutAction
from streams.act.outgoing import Outgoing
from streams.act.stuck import Progress, Stuck

PLACE = (topics.ALERTS, 0)


def test_what_was_looked_through_or_taken_does_not_wait() -> None:
    """What comes after that waits until it is taken."""
    with Receiver() as ops:
        site = Site(f"targets:\n  ops: {{kind: webhook, url: '{ops.url}'}}\ndefault: [ops]\n")
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))

        async def timeline() -> None:
            async with site.act() as act:
                assert act.inbox.progress() == {}
                act.inbox.assigned([PLACE])
                await act.inbox.settled()
                assert act.inbox.progress() == {PLACE: Progress(1, 0)}
                site.publish(topics.ALERTS, "a1", an_alert(id="s2"))
                assert act.inbox.progress() == {PLACE: Progress(1, 1)}
                await act.inbox.take(PLACE, 0, an_alert(id="s1").model_dump_json().encode())
                assert act.inbox.progress() == {PLACE: Progress(1, 1)}
                await act.inbox.take(PLACE, 1, b"not an alert")
                assert act.inbox.progress() == {PLACE: Progress(2, 0)}
                act.inbox.revoked([PLACE])
                assert act.inbox.progress() == {}

        asyncio.run(timeline())


def test_looking_back_that_fails_for_good_is_told() -> None:
    """New events would wait for it for ever; so the process has to end."""
    site = Site("{}")
    site.publish(topics.ALERTS, "a1", an_alert(id="s1"))

    async def timeline() -> None:
        async with site.act() as act:

            async def bug(_outgoing: Outgoing, *, fresh: bool) -> None:
                raise ZeroDivisionError

            act.notifier.look_back = bug
            act.inbox.assigned([PLACE])
            async with asyncio.timeout(30):
                await act.inbox.broken()
            assert isinstance(act.inbox.trouble, ZeroDivisionError)

    asyncio.run(timeline())


def test_a_partition_that_goes_while_it_is_read_is_left_alone() -> None:
    """A request found there is its next owner's, and the process stays well."""
    site, place = Site("{}"), (topics.ROLLOUTS, 0)
    site.publish(topics.ROLLOUTS, "fraud", requested())

    async def timeline() -> None:
        async with site.act() as act:

            async def goes(_outgoing: Outgoing, *, fresh: bool) -> None:
                act.inbox.revoked([place])

            act.notifier.look_back = goes
            act.inbox.assigned([place])
            await act.inbox.settled()
            assert act.inbox.trouble is None
            assert act.inbox.places() == frozenset()

    asyncio.run(timeline())


def test_a_partition_that_comes_back_is_read_anew_before_anything_starts() -> None:
    """What was read of it before it went does not know how the story ended since."""
    site, place = Site("{}"), (topics.ROLLOUTS, 0)
    site.publish(topics.ROLLOUTS, "fraud", requested())
    value = requested().model_dump_json().encode()

    async def timeline() -> None:
        async with site.act() as act:
            started: list[str] = []
            act.executions._execute = lambda event: _note(started, event.id)
            readings: list[asyncio.Task[None]] = []
            came_back = asyncio.Event()

            async def look_back(_outgoing: Outgoing, *, fresh: bool) -> None:
                readings.append(asyncio.current_task())
                if len(readings) == 1:
                    act.inbox.revoked([place])
                    end = requested(id="end", action=RolloutAction.ROLLBACK_WITHDRAWN)
                    site.publish(topics.ROLLOUTS, "fraud", end)
                    act.inbox.assigned([place])
                    await came_back.wait()
                elif len(readings) == 2:
                    came_back.set()
                    await asyncio.wait(readings[:1])

            act.notifier.look_back = look_back
            act.inbox.assigned([place])
            await act.inbox.take(place, 0, value)
            await act.inbox.settled()
            assert len(readings) == 3
            assert started == []

    asyncio.run(timeline())


async def _note(names: list[str], name: str) -> None:
    names.append(name)


def test_a_partition_is_stuck_only_if_nothing_is_taken() -> None:
    """Neither an empty one nor one that falls behind while it moves."""
    stuck = Stuck(1_000)
    for now_ms in range(0, 5_000, 500):
        stuck.check({PLACE: Progress(now_ms, 9), ("rollouts", 0): Progress(3, 0)}, now_ms=now_ms)
    stuck.check({PLACE: Progress(9_000, 1)}, now_ms=5_000)
    stuck.check({PLACE: Progress(9_000, 0)}, now_ms=6_500)
    stuck.check({PLACE: Progress(9_000, 1)}, now_ms=7_000)
    with pytest.raises(RuntimeError, match=r"alerts\[0\]: 2 events wait"):
        stuck.check({PLACE: Progress(9_000, 2)}, now_ms=8_000)

"""Kill ACT at any point: each event is delivered under one key, and never once it is recorded."""

from __future__ import annotations

import asyncio
from collections import deque

from acting import Site
from hypothesis import given, settings
from hypothesis import strategies as st
from published import an_alert
from receiver import OK, Posted, Receiver, Reply

from schemas import topics
from schemas.commands import Delivered

PLAN = """
targets:
  ops: {{kind: webhook, url: "{ops}"}}
  log: {{kind: webhook, url: "{log}"}}
default: [ops, log]
retry: {{first: 1s, longest: 2s}}
"""
DOWN: Reply = (503, {}, "")
TARGETS = ("ops", "log")


class _Watched:
    """Remembers what reached a target although its acknowledgement was recorded."""

    def __init__(self, site: Site, target: str) -> None:
        self._site, self._target = site, target
        self.wrong: list[str] = []

    def __call__(self, posted: Posted) -> None:
        if (posted.key, self._target) in _recorded(self._site):
            self.wrong.append(posted.key)


def _recorded(site: Site) -> list[tuple[str, str]]:
    return [
        (command.event_id, command.target)
        for command in site.commands()
        if isinstance(command, Delivered)
    ]


async def _until_killed(site: Site, point: int) -> None:
    """A process that stands still for ever at its n-th point, and is then gone."""
    async with site.act() as act:
        killed, passed = asyncio.Event(), 0

        async def pass_by() -> None:
            nonlocal passed
            passed += 1
            if passed >= point:
                killed.set()
                await asyncio.Event().wait()

        attempt, record = act.notifier._targets.attempt, act.journal.record

        async def attempted(*given: object) -> object:
            await pass_by()
            answer = await attempt(*given)
            await pass_by()
            return answer

        async def recorded(*given: object, **more: object) -> None:
            await record(*given, **more)
            await pass_by()

        act.notifier._targets.attempt = attempted
        act.journal.record = recorded
        await site.read(act)
        done = asyncio.create_task(act.notifier.drained())
        dead = asyncio.create_task(killed.wait())
        await asyncio.wait({done, dead}, return_when=asyncio.FIRST_COMPLETED)
        await act.notifier.close(grace_s=0)
        dead.cancel()


@settings(max_examples=25, deadline=None)
@given(
    stories=st.lists(st.sampled_from(["i1", "i2"]), min_size=1, max_size=4),
    kills=st.lists(st.integers(1, 12), max_size=4),
    again=st.lists(st.integers(0, 3), max_size=3),
    down=st.lists(st.booleans(), max_size=6),
)
def test_no_kill_loses_an_event_or_repeats_a_recorded_one(
    stories: list[str], kills: list[int], again: list[int], down: list[bool]
) -> None:
    """Whatever was killed where, said again or refused: both targets get all, in order, and the
    last record of each event settles it."""
    events = [
        an_alert(id=f"s{at}", alert_id=f"a{at}", incident_id=story)
        for at, story in enumerate(stories)
    ]
    with Receiver() as ops, Receiver() as log:
        site = Site(PLAN.format(ops=ops.url, log=log.url))
        receivers = dict(zip(TARGETS, (ops, log), strict=True))
        watched = {name: _Watched(site, name) for name in TARGETS}
        for name, receiver in receivers.items():
            receiver.seen = watched[name]
            receiver.replies = deque(DOWN if one else OK for one in down)
        for event in events:
            site.publish(topics.ALERTS, event.incident_id, event)
        for point in kills:
            asyncio.run(_until_killed(site, point))
            for at in again:
                if at < len(events):
                    site.publish(topics.ALERTS, events[at].incident_id, events[at])
        asyncio.run(site.work())

        for name, receiver in receivers.items():
            assert watched[name].wrong == []
            for story in set(stories):
                wanted = [event.id for event in events if event.incident_id == story]
                first = dict.fromkeys(key for key in receiver.keys if key in wanted)
                assert list(first) == wanted
        assert sorted(_recorded(site)) == sorted(
            (event.id, name) for event in events for name in TARGETS
        )
        last = {
            command.event_id: command.settled
            for command in site.commands()
            if isinstance(command, Delivered)
        }
        assert last == {event.id: True for event in events}
        assert site.letters() == []

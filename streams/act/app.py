"""The Faust app: reads what DECIDE says, and hands it on.

Faust's traps are kept out. Its inputs are written by a plain producer, and nobody keeps a table or
produces through it. An agent never raises, because Faust takes an event whose handler raised as
done; and it never waits for a target, because a slow agent holds up the whole group. So what is
done stands in the journal and what is left to do in the log, and Faust's offsets only say where to
read on.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import faust
import httpx
from faust.types import StreamT

from schemas.act import ActPlan
from schemas.errors import TransportError
from streams.act.execute import build as build_executors
from streams.act.executions import Executions
from streams.act.inbox import Inbox
from streams.act.journal import Journal
from streams.act.notify.notifier import Notifier, Sleep
from streams.act.notify.targets import Targets
from streams.act.outgoing import INPUTS, Place
from streams.act.settings import Secrets
from streams.act.stuck import Stuck
from streams.runtime import catalogue
from streams.runtime.clock import Clock
from streams.runtime.metrics import Metrics
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport

LOG: Final = logging.getLogger("kittiwake.act")
GROUP: Final = "kittiwake-act"
WATCH_S: Final = 15.0
STUCK_MS: Final = 300_000
"""A partition with events of which none is taken for so long stops the process."""


@dataclass(frozen=True, slots=True)
class Act:
    """What every part of ACT shares."""

    settings: Settings
    plan: ActPlan
    secrets: Secrets
    transport: Transport
    journal: Journal
    notifier: Notifier
    executions: Executions
    inbox: Inbox
    client: httpx.AsyncClient
    clock: Clock
    metrics: Metrics


Part = Callable[[faust.App, Act], None]
"""Adds agents, timers or crontabs to the app."""


def assemble(
    *,
    settings: Settings,
    plan: ActPlan,
    environ: Mapping[str, str],
    transport: Transport,
    clock: Clock,
    metrics: Metrics,
    sleep: Sleep = asyncio.sleep,
) -> Act:
    """Everything that ACT works with; call it inside the event loop that will run it.

    Raises
    ------
    ConfigurationError
        If the environment lacks a secret that the plan names, or an executor cannot be built.
    TransportError
        If the journal cannot be read.
    """
    # httpx tells every address at INFO, and addresses may be secrets.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    secrets = Secrets.of(plan, environ)
    client = httpx.AsyncClient(follow_redirects=False)
    journal = Journal(transport, settings)
    notifier = Notifier(
        plan=plan,
        settings=settings,
        targets=Targets(plan.targets, secrets, clock=clock, client=client),
        journal=journal,
        clock=clock,
        metrics=metrics,
        sleep=sleep,
    )
    executions = Executions(build_executors(plan.executors, environ), journal, clock)
    inbox = Inbox(
        transport=transport,
        settings=settings,
        journal=journal,
        readers=(notifier, executions),
        clock=clock,
        give_up=plan.give_up,
    )
    return Act(
        settings=settings,
        plan=plan,
        secrets=secrets,
        transport=transport,
        journal=journal,
        notifier=notifier,
        executions=executions,
        inbox=inbox,
        client=client,
        clock=clock,
        metrics=metrics,
    )


class _App(faust.App):
    """Without tables it needs no folder, nor a place where it may write one."""

    def _create_directories(self) -> None:
        pass


def build(act: Act, parts: Sequence[Part] = ()) -> faust.App:
    """The app, with the agents that deliver and whatever the parts add."""
    settings = act.settings
    app = _App(
        settings.prefix + GROUP,
        broker=[f"kafka://{server.strip()}" for server in settings.bootstrap.split(",")],
        store="memory://",
        processing_guarantee="at_least_once",
        # The inbox finds what is left from before; a first start must not page of months past.
        consumer_auto_offset_reset="latest",
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_max_poll_records=100,
        # Neither topics nor a web server of its own.
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    for name in INPUTS:
        _deliver(app, act, name)
    _follow(app, act)
    _watch(app, act)
    for part in parts:
        part(app, act)
    return app


def topic(app: faust.App, settings: Settings, name: str) -> faust.TopicT:
    """A topic of ours as Faust reads it: bytes, not to be declared."""
    return app.topic(
        settings.topic(name),
        key_type=bytes,
        key_serializer="raw",
        value_type=bytes,
        value_serializer="raw",
        allow_empty=True,
        internal=False,
    )


def _deliver(app: faust.App, act: Act, name: str) -> None:
    @app.agent(topic(app, act.settings, name), name=f"deliver-{name}")
    async def deliver(stream: StreamT[bytes]) -> None:
        async for event in stream.events():
            message = event.message
            value = message.value if isinstance(message.value, bytes) else b""
            await act.inbox.take((name, message.partition), message.offset, value)


def _follow(app: faust.App, act: Act) -> None:
    names = {act.settings.topic(name): name for name in INPUTS}

    def places(given: tuple[object, ...]) -> list[Place]:
        found = [tp for one in given if isinstance(one, set) for tp in one]
        return [(names[tp.topic], tp.partition) for tp in found if tp.topic in names]

    @app.on_partitions_assigned.connect
    async def assigned(*given: object, **_: object) -> None:
        act.inbox.assigned(places(given))

    @app.on_partitions_revoked.connect
    async def revoked(*given: object, **_: object) -> None:
        act.inbox.revoked(places(given))


def _watch(app: faust.App, act: Act) -> None:
    """Show how far Faust is behind, and stop the app if it takes nothing more."""
    stuck = Stuck(STUCK_MS)

    async def look() -> None:
        progress = await asyncio.to_thread(act.inbox.progress)
        for (name, partition), reached in progress.items():
            act.metrics.set(
                catalogue.LAG,
                reached.behind,
                group=app.conf.id,
                topic=act.settings.topic(name),
                partition=str(partition),
            )
        stuck.check(progress, now_ms=act.clock.elapsed_ms())

    async def watch() -> None:
        while not app.should_stop:
            await app.sleep(WATCH_S)
            try:
                await look()
            except TransportError as error:
                LOG.warning("looking how far ACT is behind: %s", error)

    app.task(watch)


async def serve(app: faust.App, act: Act) -> None:
    """Run until SIGTERM or SIGINT, then leave in order.

    Raises
    ------
    RuntimeError
        If the app gives up by itself; start the process again.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await run(app, act, stopping)


async def run(app: faust.App, act: Act, stopping: asyncio.Event) -> None:
    """Run until told to stop, then leave in order.

    Raises
    ------
    RuntimeError
        If the app gives up by itself.
    """
    async with AsyncExitStack() as stack:
        stack.push_async_callback(act.journal.close)
        stack.push_async_callback(act.client.aclose)
        stack.push_async_callback(act.executions.close)
        stack.push_async_callback(act.notifier.close)
        stack.push_async_callback(act.inbox.close)
        stack.push_async_callback(app.stop)
        await app.start()
        told = asyncio.create_task(stopping.wait())
        ended = asyncio.create_task(app.wait_until_stopped())
        broken = asyncio.create_task(act.inbox.broken())
        tasks = {told, ended, broken}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        if not stopping.is_set():
            why = act.inbox.trouble or app.crash_reason
            raise RuntimeError(f"ACT stopped by itself: {why!r}") from why

"""What ACT does by the clock: ticks, schedules and probes, as tasks of the app.

Each speaks to Kafka from a thread of its own. Trouble with the log is told and tried again; any
other error is a bug, and stops the app, so that its supervisor starts it anew. Every worker does
all of it: what several say has one id.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import faust

from schemas import topics
from schemas.durations import duration_ms
from schemas.errors import TransportError
from schemas.notices import Notice
from schemas.schedules import Probe
from streams.act.apart import Apart
from streams.act.app import Act
from streams.act.outgoing import notice
from streams.act.prober import Prober
from streams.act.scheduler import Scheduler
from streams.act.ticks import Ticker

LOG: Final = logging.getLogger("kittiwake.act")
AGAIN_S: Final = 1.0
"""Pause after trouble with the log."""

T = TypeVar("T")


def clockwork(app: faust.App, act: Act) -> None:
    """Add ticks, schedules and, if the plan has one, the probe to the app."""
    probe = act.plan.probe

    async def ticks() -> None:
        apart = Apart("ticks")
        ticker = await apart.do(lambda: _ticker(act))
        await _steadily(app, act, apart, ticker.step, _nothing, ticker.close)

    async def schedules() -> None:
        async def tell(notices: list[Notice]) -> None:
            for said in notices:
                await act.notifier.offer(notice(said))

        # Without any there is nothing to look for in ``commands``, which may be long.
        if act.plan.schedules:
            apart = Apart("schedules")
            scheduler = await apart.do(lambda: _scheduler(act))
            await _steadily(app, act, apart, scheduler.step, tell, scheduler.close)

    async def probes() -> None:
        if probe is not None:
            apart = Apart("probe")
            prober = await apart.do(lambda: _prober(act, probe))
            # A step waits for answers itself.
            await _steadily(app, act, apart, prober.step, _nothing, prober.close, pause_s=0.0)

    for task in (ticks, schedules, probes):
        app.task(task)


async def _steadily(
    app: faust.App,
    act: Act,
    apart: Apart,
    step: Callable[[], T],
    then: Callable[[T], Awaitable[None]],
    close: Callable[[], None],
    *,
    pause_s: float | None = None,
) -> None:
    """Step until the app stops, with a tick's pause unless another is given."""
    rest_s = duration_ms(act.plan.tick) / 1_000 if pause_s is None else pause_s
    try:
        while not app.should_stop:
            try:
                await then(await apart.do(step))
            except TransportError as error:
                LOG.warning("%s", error)
                await app.sleep(AGAIN_S)
            if rest_s:
                await app.sleep(rest_s)
    finally:
        await apart.close(close)


async def _nothing(_result: None) -> None:
    """There is nothing to tell."""


def _ticker(act: Act) -> Ticker:
    count = act.transport.partition_count(act.settings.topic(topics.TICKS)) or 0
    return Ticker(act.transport.sender(), act.settings, clock=act.clock, partitions=count)


def _scheduler(act: Act) -> Scheduler:
    return Scheduler(
        act.plan.schedules, transport=act.transport, settings=act.settings, clock=act.clock
    )


def _prober(act: Act, probe: Probe) -> Prober:
    return Prober(
        probe,
        transport=act.transport,
        settings=act.settings,
        clock=act.clock,
        metrics=act.metrics,
        settled=act.journal.settled,
    )

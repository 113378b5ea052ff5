"""Faust: an agent that counts raw bytes, and one that keeps means of windows in plain Python."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

import faust
from job import Job, Meter


def build(job: Job, meter: Meter, done: asyncio.Event, answer: list[Any]) -> faust.App:
    """The app with the agent that answers; ``done`` is set at the last event."""
    app = faust.App(
        job.group,
        broker=f"kafka://{job.bootstrap}",
        datadir=job.folder,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    raw = job.question == "trivial"
    source = app.topic(
        job.topic,
        key_type=bytes,
        key_serializer="raw",
        value_type=bytes if raw else None,
        value_serializer="raw" if raw else "json",
        internal=False,
    )

    async def trivial(stream: Any) -> None:
        seen = 0
        async for _ in stream:
            meter.start()
            seen += 1
            if seen == job.count:
                answer.append(seen)
                finish()

    async def mean(stream: Any) -> None:
        sums: defaultdict[tuple[int, int], list[float]] = defaultdict(lambda: [0, 0.0])
        seen = 0
        async for event in stream.events():
            meter.start()
            value = event.value
            entry = sums[event.message.partition, job.window(value["time"])]
            entry[0] += 1
            entry[1] += value["output"]["score"]
            seen += 1
            if seen == job.count:
                answer.extend([*key, n, total / n] for key, (n, total) in sums.items())
                finish()

    def finish() -> None:
        job.write(answer, meter.seconds(), job.count)
        done.set()

    app.agent(source)({"trivial": trivial, "mean": mean}[job.question])
    return app


async def main() -> None:
    """Run until the last event, or until the app gives up."""
    done = asyncio.Event()
    app = build(Job.read(), Meter(), done, [])
    await app.start()
    ended = [asyncio.create_task(done.wait()), asyncio.create_task(app.wait_until_stopped())]
    await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
    for task in ended:
        task.cancel()
    await app.stop()
    if not done.is_set():
        raise RuntimeError(f"Faust stopped by itself: {app.crash_reason!r}")


if __name__ == "__main__":
    asyncio.run(main())

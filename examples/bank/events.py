"""The example as a stream: predictions, feedback and deployments in the order of publication.

The story: v1 serves from the first call. From Tuesday 5 August 2008 until the end of the month a
canary, v2, is planned to serve three calls of ten, chosen by hash of the call. Whoever consumes
the stream may end that earlier: ``canary_live`` is asked before each call of the planned time.
From autumn 2008 on the financial crisis changes who is called and who subscribes.

``python -m examples.bank.events`` prints the stream as JSON lines.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from examples.bank.model import Model, read
from examples.bank.simulate import MODEL, Event, Sent, chance, feedback, latency_ms, published
from examples.bank.simulate import sent_features as features_of
from examples.bank.timeline import Call, load

PREDICTIONS = "predictions"
FEEDBACK = "feedback"
DEPLOYMENTS = "deployments"

BASELINE = "v1"
CANARY = "v2"
CANARY_SHARE = 0.3
DEPLOYED_MS = int(datetime(2008, 5, 5, 8, tzinfo=UTC).timestamp()) * 1_000
CANARY_FROM_MS = int(datetime(2008, 8, 5, 8, tzinfo=UTC).timestamp()) * 1_000
CANARY_UNTIL_MS = int(datetime(2008, 8, 30, tzinfo=UTC).timestamp()) * 1_000


class Publication(NamedTuple):
    """An event with its topic and key, and the time at which it is published."""

    time_ms: int
    topic: str
    key: str
    event: Event


def as_planned(time_ms: int) -> bool:
    """Keep the canary for the whole planned time."""
    return time_ms < CANARY_UNTIL_MS


def events(
    limit: int | None = None, *, canary_live: Callable[[int], bool] = as_planned
) -> Iterator[tuple[str, str, Event]]:
    """Topic, key and event of everything published, in that order.

    See `publications`.

    Examples
    --------
    >>> topic, key, event = next(events(limit=10))
    >>> topic, key, event["version"], event["action"]
    ('deployments', 'bank', 'v1', 'deployed')
    """
    for publication in publications(limit, canary_live=canary_live):
        yield publication.topic, publication.key, publication.event


def publications(
    limit: int | None = None, *, canary_live: Callable[[int], bool] = as_planned
) -> Iterator[Publication]:
    """Everything published, in order of publication; lazily, so that a consumer can steer.

    Parameters
    ----------
    limit
        Only the first calls, with all their feedback; None for all.
    canary_live
        Asked with the time of each call in the planned time of the canary, after everything
        published earlier was consumed. Once it says False the canary is stopped for good.

    Examples
    --------
    >>> first = list(publications(limit=100))
    >>> sum(one.topic == "predictions" for one in first) >= 100
    True
    >>> [one.time_ms for one in first] == sorted(one.time_ms for one in first)
    True
    """
    waiting: list[tuple[int, int, Publication]] = []
    order = itertools.count()
    router = Router(canary_live=canary_live)

    def push(coming: Iterable[Publication]) -> None:
        for publication in coming:
            heapq.heappush(waiting, (publication.time_ms, next(order), publication))

    for call in load()[:limit]:
        push(router.planned(call.time_ms))
        while waiting and waiting[0][0] <= call.time_ms:
            yield heapq.heappop(waiting)[2]
        push(router.steered(call.time_ms))
        push(_of_call(call, router))
    while waiting:
        yield heapq.heappop(waiting)[2]


class Router:
    """Which version serves a call, and the deployment events that tell of it."""

    def __init__(self, *, canary_live: Callable[[int], bool] = as_planned) -> None:
        self._canary_live = canary_live
        self._models = {version: read(version) for version in (BASELINE, CANARY)}
        self._generation = 0
        self._canary = False

    def planned(self, time_ms: int) -> Iterator[Publication]:
        """What the plan changed up to this time."""
        if self._generation == 0:
            yield self._change(DEPLOYED_MS, BASELINE, "deployed", "baseline", share=1.0)
        if self._generation == 1 and time_ms >= CANARY_FROM_MS:
            self._canary = True
            yield self._change(
                CANARY_FROM_MS, CANARY, "canary_started", "canary", share=CANARY_SHARE
            )
        if self._canary and time_ms >= CANARY_UNTIL_MS:
            yield self._stop(CANARY_UNTIL_MS)

    def steered(self, time_ms: int) -> Iterator[Publication]:
        """What the consumer of the stream changes at this time."""
        if self._canary and not self._canary_live(time_ms):
            yield self._stop(time_ms)

    def route(self, call: Call) -> tuple[str, Model]:
        """Arm and model of a call."""
        if self._canary and chance(call, "arm") < CANARY_SHARE:
            return "canary", self._models[CANARY]
        return "baseline", self._models[BASELINE]

    def _stop(self, time_ms: int) -> Publication:
        self._canary = False
        return self._change(time_ms, CANARY, "canary_stopped", "canary", share=None)

    def _change(
        self, time_ms: int, version: str, action: str, role: str, *, share: float | None
    ) -> Publication:
        self._generation += 1
        event: Event = {
            "model": MODEL,
            "version": version,
            "time": time_ms,
            "action": action,
            "role": role,
            "generation": self._generation,
        }
        if share is not None:
            event["share"] = share
        return Publication(time_ms, DEPLOYMENTS, MODEL, event)


def prediction(call: Call, arm: str, model: Model) -> Event:
    """The prediction event of a call, before anything happens to it on the way."""
    score = model.score(call.features)
    return {
        "prediction_id": call.id,
        "model": MODEL,
        "version": model.version,
        "time": call.time_ms,
        "arm": arm,
        "features": dict(features_of(call)),
        "output": {"score": score, "label": model.label(score)},
        "segments": {"contact": str(call.features["contact"])},
        "latency_ms": latency_ms(call),
    }


def _of_call(call: Call, router: Router) -> Iterator[Publication]:
    yield from _on(PREDICTIONS, call, published(call, prediction(call, *router.route(call))))
    yield from _on(FEEDBACK, call, feedback(call))


def _on(topic: str, call: Call, messages: Iterator[Sent]) -> Iterator[Publication]:
    return (Publication(sent.time_ms, topic, call.id, sent.event) for sent in messages)


def main() -> None:
    """Print the stream."""
    parser = argparse.ArgumentParser(description="Print the example's events as JSON lines.")
    parser.add_argument("--limit", type=int, help="only the first calls")
    options = parser.parse_args()
    for topic, key, event in events(options.limit):
        print(json.dumps({"topic": topic, "key": key, "event": event}))


if __name__ == "__main__":
    main()

"""Probes: synthetic events of a reserved model that go through the whole pipe; built here.

A round lies in one window: a prediction and its label for each partition, and a heartbeat for
each that closes the window, so that an answer takes as long as the pipe does, busy or quiet.
Nothing moves a watermark further than ``lag`` behind the present, where every live publisher has
moved it already.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from schemas import cloudevents, topics
from schemas.alerting import Alerting
from schemas.durations import duration_ms
from schemas.policy import FalseAlarms, Labels, Policy, Task
from schemas.schedules import Probe
from streams.ingest.columns.strings import Strings
from streams.records import Message
from streams.runtime.partitioner import partition_of, partitions_of
from streams.runtime.settings import Settings

SOURCE = cloudevents.SOURCE + "/act"
VERSION = "probe"
PANE_MS = 1_000
SLACK_MS = 600_000
"""How far clocks of publishers may be ahead: a probe is not too late for them."""


def models_of(name: str, partitions: int) -> list[str]:
    """A model for each partition of the topics keyed by model, so that none goes unprobed.

    Examples
    --------
    >>> models_of("kittiwake-probe", 1)
    ['kittiwake-probe']
    >>> [partition_of(model.encode(), 3) for model in models_of("kittiwake-probe", 3)]
    [0, 1, 2]
    """
    found: dict[int, str] = {}
    number = 0
    while len(found) < partitions:
        model = f"{name}-{number}" if number else name
        found.setdefault(partition_of(model.encode(), partitions), model)
        number += 1
    return [found[partition] for partition in range(partitions)]


def policy_of(probe: Probe, model: str) -> Policy:
    """The policy of a probe's model: windows of one pane, and nothing tested.

    Examples
    --------
    >>> policy = policy_of(Probe(lag="30s", label_lag="1h"), "kittiwake-probe")
    >>> policy.window_ms, policy.labels.horizon, policy.labels.lateness
    (1000, '630s', '4230s')
    """
    lag_ms, label_lag_ms = duration_ms(probe.lag), duration_ms(probe.label_lag)
    return Policy(
        model=model,
        task=Task.BINARY,
        pane="1s",
        lateness="0s",
        labels=Labels(
            horizon=_seconds(lag_ms + SLACK_MS),
            maturity="0s",
            coverage=0.0,
            lateness=_seconds(lag_ms + label_lag_ms + SLACK_MS),
        ),
        false_alarms=FalseAlarms(weights={"calibration": 0.0}),
        # That probes stay away is for the sender to see: whoever reads this would not see it.
        alerting=Alerting(no_traffic="3650d", no_labels=0),
        owner=probe.owner,
        runbook=probe.runbook,
        dashboard=probe.dashboard,
    )


def window_of(probe: Probe, now_ms: int) -> int:
    """Start of the window in which a round that begins now lies, milliseconds since the epoch.

    Examples
    --------
    >>> window_of(Probe(lag="1m"), 100_500)
    39000
    """
    end_ms = now_ms - duration_ms(probe.lag)
    return end_ms - end_ms % PANE_MS - PANE_MS


def events_of(
    probe: Probe, settings: Settings, models: Sequence[str], *, start_ms: int, shards: int
) -> list[Message]:
    """Everything of one round; equal however often it is made.

    Parameters
    ----------
    start_ms
        Of the window, from `window_of`.
    shards
        Partitions of ``predictions``; each gets a row of each model and a heartbeat.

    Examples
    --------
    >>> from collections import Counter
    >>> events = events_of(Probe(), Settings(), ["m"], start_ms=60_000, shards=2)
    >>> sorted(Counter(event.topic for event in events).items())
    [('feedback', 2), ('predictions', 4)]
    """
    at_ms = start_ms + PANE_MS // 2
    told_ms = max(at_ms - duration_ms(probe.label_lag), 0)
    messages = []
    for model in models:
        for name in ids_of(start_ms, shards):
            who = {"prediction_id": name, "model": model}
            answer = {**who, "time": at_ms, "version": VERSION, "output": {"score": 0.5}}
            truth = {**who, "time": told_ms, "label": 1}
            messages += [
                _event(settings, topics.PREDICTIONS, cloudevents.PREDICTION, answer, at_ms),
                _event(settings, topics.FEEDBACK, cloudevents.FEEDBACK, truth, told_ms),
            ]
    return messages + [_beat(settings, p, start_ms + PANE_MS) for p in range(shards)]


def ids_of(start_ms: int, shards: int) -> list[str]:
    """A prediction id for each partition, in order of partition.

    Examples
    --------
    >>> [partition_of(name.encode(), 3) for name in ids_of(60_000, 3)]
    [0, 1, 2]
    """
    found: dict[int, str] = {}
    first = 0
    while len(found) < shards:
        names = [f"probe-{start_ms}-{number}" for number in range(first, first + 4 * shards)]
        places = partitions_of(Strings.of_texts(names), shards).tolist()
        for place, name in zip(places, names, strict=True):
            found.setdefault(place, name)
        first += 4 * shards
    return [found[place] for place in range(shards)]


class _Coverage(msgspec.Struct, frozen=True):
    labelled: int


class _Window(msgspec.Struct, frozen=True):
    """The few fields of a window that count here, so that DECIDE may be of another version."""

    start_ms: int
    segment: str
    predictions: int
    coverage: _Coverage


_WINDOW = msgspec.json.Decoder(_Window)


def answer_of(value: bytes, *, shards: int) -> int | None:
    """The start of a window that holds a whole round, prediction and label of each partition.

    Parameters
    ----------
    value
        A window result of a probe's model.

    Returns
    -------
    Milliseconds since the epoch; None if the window holds less.

    Examples
    --------
    >>> window = b'{"start_ms":60000,"segment":"","predictions":2,"coverage":{"labelled":2}}'
    >>> answer_of(window, shards=2), answer_of(window, shards=3)
    (60000, None)
    """
    try:
        window = _WINDOW.decode(value)
    except msgspec.DecodeError:
        return None
    whole = min(window.predictions, window.coverage.labelled) >= shards
    return window.start_ms if whole and window.segment == "" else None


def _event(
    settings: Settings, topic: str, kind: str, body: dict[str, object], time_ms: int
) -> Message:
    name = str(body["prediction_id"])
    return Message(
        topic=settings.topic(topic),
        key=name.encode(),
        value=json.dumps(body, separators=(",", ":")).encode(),
        headers=cloudevents.headers(
            type=kind, source=SOURCE, id=f"{body['model']}/{name}/{topic}", time_ms=time_ms
        ),
    )


def _beat(settings: Settings, partition: int, time_ms: int) -> Message:
    return Message(
        topic=settings.topic(topics.PREDICTIONS),
        partition=partition,
        value=b'{"time":%d}' % time_ms,
        headers=cloudevents.headers(
            type=cloudevents.HEARTBEAT,
            source=SOURCE,
            id=f"probe-{time_ms}/{partition}",
            time_ms=time_ms,
        ),
    )


def _seconds(time_ms: int) -> str:
    return f"{-(-time_ms // 1_000)}s"

"""A fraud model over four hours: a bad canary, drift, rising errors, and everyday faults.

Everything follows from one seed, so that every transport gets the same events.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from schemas import cloudevents, topics
from schemas.policy import (
    Budgets,
    Canary,
    FeatureContract,
    FeatureType,
    Guardrail,
    Labels,
    LatencyBudget,
    Policy,
    Task,
)
from schemas.profiling import build
from schemas.reference import ReferenceProfile
from streams.records import Message
from streams.runtime.announce import activate
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
T0 = 20_000 * DAY

POLICY = Policy(
    model="fraud",
    task=Task.BINARY,
    pane="1m",
    window="5m",
    lateness="30s",
    labels=Labels(horizon="2h", maturity="10m", lateness="5m", coverage=0.4),
    features={
        "amount": FeatureContract(min=0),
        "age": FeatureContract(min=18, max=100, missing=0.05),
        "country": FeatureContract(type=FeatureType.CATEGORICAL),
    },
    segments=["region"],
    budgets=Budgets(error_rate=0.12, brier=0.12, latency=LatencyBudget(limit_ms=200, rate=0.05)),
    canary=Canary(
        guardrails=[
            Guardrail(metric="error_rate", margin=0.01),
            Guardrail(metric="brier", margin=0.01),
        ]
    ),
)


@dataclass(frozen=True)
class Scenario:
    """Messages in order of publication, without prefix, and the profile behind the drift tests."""

    messages: list[Message]
    reference: ReferenceProfile
    end_ms: int


def scenario(predictions: int, *, seed: int = 7, span_ms: int = 4 * HOUR) -> Scenario:
    """About 1.7 messages for each prediction."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, span_ms, predictions)) + T0
    phase = (times - T0) / span_ms
    amount = rng.lognormal(3 + (phase > 0.6) * 0.7, 1.0)
    age = rng.integers(18, 90, predictions)
    country = rng.choice(["DE", "FR", "PT", "NL"], predictions)
    score = rng.beta(1, 6, predictions)
    canary = (rng.random(predictions) < 0.3) & (phase > 0.2) & (phase < 0.7)
    rate = np.clip(score + 0.15 * canary + 0.12 * (phase > 0.75), 0, 1)
    truth = rng.random(predictions) < rate
    latency = rng.lognormal(3.5, 0.6, predictions)
    delay = rng.exponential(3 * MINUTE, predictions).astype(np.int64)
    labelled = rng.random(predictions) < 0.65
    fault = rng.random(predictions)
    out: list[tuple[int, int, Message]] = []

    def push(time_ms: int, topic: str, key: str, value: bytes) -> None:
        message = Message(topic=topic, key=key.encode(), value=value, timestamp_ms=time_ms)
        out.append((time_ms, len(out), message))

    for i in range(predictions):
        identity, now = f"tx-{i}", int(times[i])
        event = {
            "prediction_id": identity,
            "model": "fraud",
            "version": "v2" if canary[i] else "v1",
            "arm": "canary" if canary[i] else "baseline",
            "time": now,
            "output": {"score": round(float(score[i]), 6)},
            "features": {
                "amount": round(float(amount[i]), 2),
                "age": None if fault[i] < 0.01 else int(age[i]),
                "country": str(country[i]),
            },
            "segments": {"region": "EU" if i % 3 else "US"},
            "latency_ms": round(float(latency[i]), 3),
        }
        body = json.dumps(event).encode()
        lag = 2 * MINUTE if 0.01 < fault[i] < 0.02 else 0
        push(now + lag, topics.PREDICTIONS, identity, body)
        if 0.02 < fault[i] < 0.025:
            push(now + lag, topics.PREDICTIONS, identity, body)
        if 0.025 < fault[i] < 0.027:
            push(now, topics.PREDICTIONS, identity, body[:-9])
        if labelled[i]:
            known = now + int(delay[i])
            _tell(push, identity, known, bool(truth[i]), "truth")
            if 0.03 < fault[i] < 0.05:
                _tell(push, identity, known + 20 * MINUTE, not truth[i], "correction")
            if 0.05 < fault[i] < 0.06:
                _tell(push, identity, known + 25 * MINUTE, None, "retraction")
    out.sort(key=lambda item: item[:2])
    early = phase < 0.2
    reference = build(
        "fraud",
        {
            "amount": np.round(amount[early], 2).tolist(),
            "age": age[early].tolist(),
            "country": country[early].tolist(),
        },
        score=score[early].tolist(),
        source="first fifth",
    )
    end_ms = max(time for time, _, _ in out)
    return Scenario([message for _, _, message in out], reference, end_ms)


def _tell(push: object, identity: str, time_ms: int, label: bool | None, kind: str) -> None:
    event = {
        "prediction_id": identity,
        "model": "fraud",
        "time": time_ms,
        "kind": kind,
        "label": label,
        "source": "chargebacks",
    }
    push(time_ms, topics.FEEDBACK, identity, json.dumps(event).encode())


def announce(transport: Transport, settings: Settings, story: Scenario) -> None:
    """Topics, policy, reference and deployments."""
    transport.ensure_topics(settings.topics())
    sender = transport.sender()
    activate(sender, settings, POLICY, story.reference)
    for time_ms, version, action, role, generation in (
        (T0, "v1", "deployed", "baseline", 1),
        (T0 + 48 * MINUTE, "v2", "canary_started", "canary", 2),
    ):
        event = {
            "model": "fraud",
            "version": version,
            "time": time_ms,
            "action": action,
            "role": role,
            "generation": generation,
            "share": 0.3 if role == "canary" else 1.0,
        }
        sender.send(
            Message(
                topic=settings.topic(topics.DEPLOYMENTS),
                key=b"fraud",
                value=json.dumps(event).encode(),
            )
        )
    sender.close()


def prefixed(message: Message, settings: Settings) -> Message:
    """The message on the settings' topic."""
    return Message(
        topic=settings.topic(message.topic),
        key=message.key,
        value=message.value,
        timestamp_ms=message.timestamp_ms,
    )


def closing(settings: Settings, end_ms: int) -> list[Message]:
    """Heartbeats that let every window close."""
    time_ms = end_ms + DAY
    headers = cloudevents.headers(
        type=cloudevents.HEARTBEAT, source="/test", id="end", time_ms=time_ms
    )
    return [
        Message(
            topic=settings.topic(topic),
            partition=partition,
            value=b'{"time": %d}' % time_ms,
            headers=headers,
            timestamp_ms=time_ms,
        )
        for topic in (topics.PREDICTIONS, topics.FEEDBACK)
        for partition in range(settings.shards)
    ]

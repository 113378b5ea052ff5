"""What the data does not have, simulated: chance, latency, label delay and everyday faults.

Every draw is a hash of a name and the call's number. So a call's fate does not depend on other
calls, on a random generator's version or on how much of the data is read.

Rates (of calls): a label is booked a lognormal time after the call, median 3 days, 14 at most;
1 % are never booked. Of the booked ones 0.5 % are booked with the wrong outcome and corrected
1-10 days later, 0.1 % are retracted, 0.5 % are sent twice, 0.02 % are also sent in a broken form.
Of the predictions 0.3 % are published 10 minutes to 6 hours late, 0.3 % are sent twice, 0.05 %
are also sent in a broken form, and 0.2 % carry one broken feature.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from hashlib import blake2b
from statistics import NormalDist
from typing import NamedTuple

from examples.bank.timeline import Call, Features

Json = bool | int | float | str | None | dict[str, "Json"]
Event = dict[str, Json]

SEED = "bank-1"
MODEL = "bank"
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

LABEL_MEDIAN_MS = 3 * DAY_MS
LABEL_SIGMA = 0.6
LABEL_MAX_MS = 14 * DAY_MS
LATENCY_MEDIAN_MS = 12.0
LATENCY_SIGMA = 0.4

NEVER_BOOKED = 0.01
WRONG_AT_FIRST = 0.005
RETRACTED = 0.001
LABEL_TWICE = 0.005
LABEL_BROKEN = 0.0002
LATE = 0.003
SENT_TWICE = 0.003
ENVELOPE_BROKEN = 0.0005
FEATURE_BROKEN = 0.002

_NORMAL = NormalDist()


class Sent(NamedTuple):
    """An event and when it is published."""

    time_ms: int
    event: Event


def chance(call: Call, name: str) -> float:
    """A number in (0, 1), the same whenever it is asked for.

    Examples
    --------
    >>> call = Call(7, 0, {}, False)
    >>> chance(call, "late") == chance(call, "late") != chance(call, "arm")
    True
    """
    digest = blake2b(f"{SEED}/{name}/{call.number}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / 2**64


def lognormal(call: Call, name: str, *, median: float, sigma: float) -> float:
    """A lognormal draw."""
    return median * math.exp(sigma * _NORMAL.inv_cdf(chance(call, name)))


def between(call: Call, name: str, low_ms: int, high_ms: int) -> int:
    """A whole number of milliseconds, uniform in [low, high)."""
    return low_ms + int(chance(call, name) * (high_ms - low_ms))


def latency_ms(call: Call) -> float:
    """How long the model took."""
    return round(lognormal(call, "latency", median=LATENCY_MEDIAN_MS, sigma=LATENCY_SIGMA), 2)


def label_delay_ms(call: Call) -> int:
    """Time from the call to the booking of its outcome.

    Examples
    --------
    >>> delays = sorted(label_delay_ms(Call(number, 0, {}, False)) for number in range(1_001))
    >>> 2.8 * DAY_MS < delays[500] < 3.2 * DAY_MS, delays[-1] <= LABEL_MAX_MS
    (True, True)
    """
    drawn = lognormal(call, "booking", median=LABEL_MEDIAN_MS, sigma=LABEL_SIGMA)
    return min(int(drawn), LABEL_MAX_MS)


def feedback(call: Call) -> Iterator[Sent]:
    """All feedback of a call: the booking, and what goes wrong with it."""
    if chance(call, "never booked") < NEVER_BOOKED:
        return
    wrong = chance(call, "wrong at first") < WRONG_AT_FIRST
    booked_ms = call.time_ms + label_delay_ms(call)
    truth = Sent(booked_ms, _booking(call, booked_ms, "truth", call.subscribed is not wrong))
    yield truth
    if chance(call, "label twice") < LABEL_TWICE:
        yield Sent(booked_ms + between(call, "again", 1, HOUR_MS), truth.event)
    if chance(call, "label broken") < LABEL_BROKEN:
        yield Sent(booked_ms, truth.event | {"kind": "trooth"})
    changed_ms = booked_ms + between(call, "change", DAY_MS, 10 * DAY_MS)
    if wrong:
        yield Sent(changed_ms, _booking(call, changed_ms, "correction", call.subscribed))
    elif chance(call, "retracted") < RETRACTED:
        yield Sent(changed_ms, _booking(call, changed_ms, "retraction", call.subscribed))


def published(call: Call, event: Event) -> Iterator[Sent]:
    """All messages that carry a prediction: on time or late, once or twice, broken or not."""
    sent_ms = call.time_ms + math.ceil(latency_ms(call))
    if chance(call, "late") < LATE:
        sent_ms += between(call, "lateness", 10 * MINUTE_MS, 6 * HOUR_MS)
    if chance(call, "envelope broken") < ENVELOPE_BROKEN:
        yield Sent(sent_ms, broken_envelope(call, event))
    yield Sent(sent_ms, event)
    if chance(call, "sent twice") < SENT_TWICE:
        yield Sent(sent_ms + between(call, "again", 1, 10 * MINUTE_MS), event)


def broken_envelope(call: Call, event: Event) -> Event:
    """The event as a faulty gateway first sent it: no consumer can accept it."""
    fault = call.number % 3
    if fault == 0:
        return event | {"output": {"score": "n/a", "label": "no"}}
    if fault == 1:
        return event | {"time": "yesterday"}
    return {name: value for name, value in event.items() if name != "version"}


def sent_features(call: Call) -> Features:
    """The features as published; now and then one of them is broken, after scoring."""
    if chance(call, "feature broken") >= FEATURE_BROKEN:
        return call.features
    faults: tuple[Features, ...] = ({"age": -1}, {"job": "admn."}, {"euribor3m": None})
    return call.features | faults[call.number % 3]


def _booking(call: Call, time_ms: int, kind: str, subscribed: bool) -> Event:
    event: Event = {
        "prediction_id": call.id,
        "model": MODEL,
        "time": time_ms,
        "kind": kind,
        "source": "booking",
    }
    if kind != "retraction":
        event["label"] = "yes" if subscribed else "no"
    return event

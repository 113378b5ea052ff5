"""When a model had predictions, which versions serve, and how many labels came."""

from __future__ import annotations

import msgspec

from schemas.durations import duration_ms
from schemas.policy import Policy
from schemas.predictions import Arm
from schemas.summaries import PaneDelta, Part
from streams.decide.state import State
from streams.decide.subject import Subject
from streams.decide.upkeep.records import Traffic, Training

WINDOWS = 3
"""Without predictions for so many windows something is wrong, unless the policy says otherwise."""

VERSIONS = 20
"""So many versions of a model are remembered, those that served last."""

_INPUTS = frozenset({Part.INPUT, Part.LATE_INPUT})


def note(state: State, delta: PaneDelta, subject: Subject) -> None:
    """Take in what a delta says of the traffic and the labels of its model's baselines."""
    if delta.arm != Arm.BASELINE or delta.segment != "":
        return
    if delta.part not in _INPUTS:
        added = _entry(delta, subject.labels.start("n"))
        if added:
            known = state.training.get(delta.model) or Training()
            after = msgspec.structs.replace(known, labels=known.labels + added)
            state.training.put(delta.model, after)
    elif _entry(delta, subject.inputs.start("n")) > 0:
        _served(state, delta, subject.policy)


def limit_ms(policy: Policy) -> int:
    """How long a model may be without predictions.

    At least as long as it takes to hear of the next pane: its rows leave INGEST when it closes.

    Examples
    --------
    >>> from schemas.policy import Alerting, Task
    >>> policy = Policy(model="m", task=Task.BINARY, pane="1m", window="5m", lateness="30s")
    >>> limit_ms(policy)
    900000
    >>> limit_ms(policy.model_copy(update={"alerting": Alerting(no_traffic="1m")}))
    150000
    """
    own = policy.alerting.no_traffic
    allowed_ms = WINDOWS * policy.window_ms if own is None else duration_ms(own)
    return max(allowed_ms, 2 * policy.pane_ms + policy.lateness_ms)


def serves(known: Traffic, version: str, policy: Policy) -> bool:
    """Whether a version is among those that serve: it was not left behind by another one.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> hour_ms = 3_600_000
    >>> known = Traffic(0, {"v1": 9 * hour_ms, "v2": 20 * hour_ms}, "p", "")
    >>> policy = Policy(model="m", task=Task.BINARY)
    >>> serves(known, "v1", policy), serves(known, "v2", policy), serves(known, "v3", policy)
    (False, True, False)
    """
    seen_ms = known.versions.get(version)
    return seen_ms is not None and known.last_ms - seen_ms < limit_ms(policy)


def _served(state: State, delta: PaneDelta, policy: Policy) -> None:
    end_ms = delta.start_ms + policy.pane_ms
    known = state.traffic.get(delta.model)
    if known is None:
        first = Traffic(delta.start_ms, {delta.version: end_ms}, delta.policy, delta.reference)
        state.traffic.put(delta.model, first)
        return
    if delta.version not in known.versions:
        training = state.training.get(delta.model)
        if training is not None:
            # What came before taught the new version, or could have.
            state.training.put(delta.model, msgspec.structs.replace(training, labels=0))
    versions = dict(known.versions)
    versions[delta.version] = max(versions.get(delta.version, end_ms), end_ms)
    latest = sorted(versions, key=lambda name: (versions[name], name))[-VERSIONS:]
    after = msgspec.structs.replace(
        known,
        first_ms=min(known.first_ms, delta.start_ms),
        versions={name: versions[name] for name in sorted(latest)},
    )
    if (end_ms, delta.version) >= (known.last_ms, known.version):
        after = msgspec.structs.replace(after, policy=delta.policy, reference=delta.reference)
    if after != known:
        state.traffic.put(delta.model, after)


def _entry(delta: PaneDelta, place: int) -> int:
    return delta.values[delta.index.index(place)] if place in delta.index else 0

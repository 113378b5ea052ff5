"""What the log knows of one prediction; reads the one partition that it is in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import msgspec

from schemas import topics
from schemas.audit import AuditRecord
from schemas.base import milliseconds
from schemas.errors import BadRecord
from schemas.hot import HotFeedback, HotPrediction
from schemas.policy import Activation
from schemas.predictions import Arm, partition_key
from schemas.served import Decided, Deployed, Place, Rules, Served, Told
from streams.audit.covering import Answer, advises, covers
from streams.audit.link import read
from streams.audit.verify import first_fault, verify
from streams.control import Control
from streams.ingest.decode.one_by_one import Row, decode_feedback, decode_predictions
from streams.records import Record
from streams.runtime.audit_log import read_audit
from streams.runtime.partitioner import partition_of
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport, check_topics

LARGE = ("features", "embeddings")
"""What of a prediction is not repeated: it stands in the log at its place."""


def read_served(
    transport: Transport, settings: Settings, *, model: str, prediction_id: str, pair_id: str = ""
) -> Served | None:
    """A prediction and all that the log has about it, None where the log does not have it.

    Parameters
    ----------
    pair_id
        For a shadow: the answer that it shadows, in whose partition it is; "" where it is none.

    Raises
    ------
    ConfigurationError
        If a topic is missing.
    """
    near = pair_id or prediction_id
    found = decode_predictions(_naming(transport, settings, topics.PREDICTIONS, near)).rows
    rows = [row for row in found if row.event.model == model]
    own = [row for row in rows if row.event.prediction_id == prediction_id]
    if not own:
        return None
    first, event = own[0], own[0].event
    key = partition_key(prediction_id, event.arm, event.pair_id)
    told = decode_feedback(_naming(transport, settings, topics.FEEDBACK, key)).rows
    rules, deployed = _control(transport, settings, first)
    decisions, advice, fault = _decisions(transport, settings, _answer(first))
    return Served(
        model=model,
        prediction_id=prediction_id,
        version=event.version,
        arm=event.arm,
        time_ms=first.time_ms,
        place=_place(first),
        content=_content(event, *LARGE),
        repeats=[_place(row) for row in own[1:]],
        shadows={
            row.event.prediction_id: row.event.version
            for row in rows
            if row.event.arm == Arm.SHADOW and row.event.pair_id == prediction_id
        },
        rules=rules,
        deployed=deployed,
        feedback=[
            Told(place=_place(row), time_ms=row.time_ms, content=_content(row.event))
            for row in told
            if row.event.model == model and row.event.prediction_id == key
        ],
        decisions=decisions,
        advice=advice,
        chain=fault,
    )


def _naming(transport: Transport, settings: Settings, name: str, key: str) -> list[Record]:
    """Records of a key's partition in which the key may stand, also inside a batch.

    A text without a backslash stands in JSON as it is; most records are passed over unparsed.
    """
    topic = settings.topic(name)
    count = transport.partition_count(topic)
    check_topics({topic: count}, co_partitioned=False)
    number, text = partition_of(key.encode(), count or 1), key.encode()
    return [
        record
        for record in transport.read(topic, number)
        if record.value is not None and (text in record.value or b"\\" in record.value)
    ]


def _control(
    transport: Transport, settings: Settings, row: Row[HotPrediction]
) -> tuple[Rules | None, Deployed | None]:
    """What was in force at a prediction's event time."""
    control, logged = Control(), dict[Activation, int]()
    for name in topics.CONTROL:
        topic = settings.topic(name)
        count = transport.partition_count(topic)
        check_topics({topic: count}, co_partitioned=False)
        for number in range(count or 0):
            for record in transport.read(topic, number):
                with suppress(BadRecord):
                    control.apply(name, record.value or b"")
                latest = control.active(row.event.model, row.time_ms)
                if latest is not None:
                    logged.setdefault(latest, record.timestamp_ms)
    return _rules(control, logged, row), _deployed(control, row)


def _rules(
    control: Control, logged: dict[Activation, int], row: Row[HotPrediction]
) -> Rules | None:
    active = control.active(row.event.model, row.time_ms)
    if active is None:
        return None
    return Rules(
        policy=active.policy,
        reference=active.reference or "",
        effective_at_ms=active.effective_at_ms,
        later=logged[active] > row.record.timestamp_ms,
    )


def _deployed(control: Control, row: Row[HotPrediction]) -> Deployed | None:
    known = [
        event
        for event in control.deployments(row.event.model)
        if event.version == row.event.version and milliseconds(event.time) <= row.time_ms
    ]
    if not known:
        return None
    newest = known[-1]
    return Deployed(
        action=newest.action,
        role=newest.role,
        share=newest.share,
        generation=newest.generation,
        time_ms=milliseconds(newest.time),
    )


def _decisions(
    transport: Transport, settings: Settings, answer: Answer
) -> tuple[list[Decided], Decided | None, str]:
    """Decisions about an answer's windows, the advice at its time, and what is wrong with them."""
    kept: list[AuditRecord] = []

    def keeping() -> Iterator[tuple[str, bytes]]:
        for place, value in read_audit(transport, settings, answer.model):
            yield place, value
            if answer.model.encode() not in value and b"\\" not in value:
                continue
            with suppress(ValueError, RecursionError):
                record = read(value)
                if covers(record, answer) or advises(record, answer):
                    kept.append(record)

    chains = verify(keeping())
    fault = first_fault(chains, answer.model)
    once = {record.sequence: record for record in kept}
    decisions = [_decided(record) for record in once.values() if record.kind != "advice"]
    advices = [record for record in once.values() if record.kind == "advice"]
    advice = _decided(advices[-1]) if advices else None
    return decisions, advice, "" if fault is None else f"{fault.place}: {fault.message}"


def _decided(record: AuditRecord) -> Decided:
    said = record.subject
    return Decided(
        sequence=record.sequence,
        kind=record.kind,
        event_id=record.event_id,
        at_ms=record.at_ms,
        summary=str(said.get("summary", "")),
        policy=str(said.get("policy", "")),
        hash=record.hash,
    )


def _answer(row: Row[HotPrediction]) -> Answer:
    event = row.event
    slices = {**event.groups, **event.segments}
    segments = frozenset(f"{key}={value}" for key, value in slices.items())
    return Answer(event.model, event.version, event.arm, row.time_ms, segments)


def _place(row: Row[HotPrediction] | Row[HotFeedback]) -> Place:
    record = row.record
    return Place(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        row=row.index,
        logged_at_ms=record.timestamp_ms,
    )


def _content(event: HotPrediction | HotFeedback, *left_out: str) -> dict[str, object]:
    """The fields of an event that say anything."""
    built: dict[str, object] = msgspec.to_builtins(event)
    return {
        name: _said(value)
        for name, value in built.items()
        if name not in left_out and value not in (None, {}, [])
    }


def _said(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {name: inner for name, inner in value.items() if inner is not None}

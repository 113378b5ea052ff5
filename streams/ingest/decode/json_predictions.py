"""JSON predictions: bytes to rows, a type for each model's features.

Each model's events are read by a type of its own as soon as its plan is known. Whatever that type
refuses is read again by the one definition of the event, which accepts it or says why not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from detectors.summary import Ints
from schemas.dead_letters import DeadLetter
from schemas.hot import HotPrediction
from schemas.typed import ANSWERS, OPTIONAL, Names, TypedReader, used
from streams.ingest.decode.json_rows import JsonRows
from streams.ingest.decode.mixed_rows import together
from streams.ingest.decode.one_by_one import Heartbeat, decode_predictions
from streams.ingest.decode.reading import CHUNK, Chunk, Reading
from streams.ingest.decode.rows import PredictionRows
from streams.ingest.decode.typed_rows import TypedRows
from streams.ingest.plan import Plan
from streams.records import Records

LOOKED_AT = 100
"""Rows of a batch that may teach names of features."""

MANY = 0.01
"""Of a batch's rows: so many that were refused without a reason are many."""

LESSONS = 20
"""How often the type of a model's features may grow: names may come without end."""


@dataclass(frozen=True, slots=True)
class Run:
    """What records in a row held, in order of offset."""

    rows: PredictionRows
    beats: Sequence[Heartbeat]
    dead: Sequence[DeadLetter]


class JsonPredictions:
    """Reads records of the predictions topic."""

    def __init__(self, chunk: int = CHUNK) -> None:
        self._chunk = chunk
        self._typed = TypedReader()
        self._lessons: dict[str, int] = {}

    def read(self, records: Records) -> Run:
        """Rows, heartbeats and dead letters of records."""
        reading = Reading(records, self._typed.read(), decode_predictions)
        found = [
            TypedRows.of_chunk(chunk) or chunk
            for chunk in reading.chunks(self._chunk)
            if chunk.events
        ]
        parts = [_together(list(group)) for _, group in groupby(found, _form)]
        return Run(together(parts or [JsonRows.of_events([])]), reading.beats, reading.dead)

    def learn(self, plans: Sequence[Plan], which: Ints, rows: PredictionRows) -> None:
        """Read the events of each plan's model by a type that knows the names they had; row i is
        of ``plans[which[i]]``."""
        taught: defaultdict[int, list[HotPrediction]] = defaultdict(list)
        for row, event in rows.untyped():
            taught[int(which[row])].append(event)
        for place, count in enumerate(np.bincount(which).tolist()):
            if count:
                self._teach(plans[place], taught.get(place, []), count)

    def _teach(self, plan: Plan, untyped: Sequence[HotPrediction], count: int) -> None:
        model, numeric = plan.policy.model, plan.numeric
        known = self._typed.knows(model)
        if known is None and not untyped:
            # None of its events has come as JSON, or all have signals, which no type reads.
            return
        slices = set(plan.slices)
        if known is None or known.numeric != numeric:
            known = Names(numeric, plan.words, fields=(), answers=())
        elif not untyped and slices <= {*known.segments[: known.sliced]}:
            return
        taught = untyped[:LOOKED_AT]
        features = {name for event in taught for name in event.features}
        segments = {name for event in taught for name in event.segments}
        sliced = _with(known.segments[: known.sliced], slices)
        fields, answers = used(taught)
        names = Names(
            numeric,
            _with(known.other, features - {*numeric}),
            _with(sliced, segments.union(known.segments)),
            len(sliced),
            _with(known.fields, {*fields}),
            _with(known.answers, {*answers}),
        )
        if names == known and len(untyped) > MANY * count:
            # They may have fields that say nothing.
            names = replace(names, fields=OPTIONAL, answers=ANSWERS)
        if self._typed.knows(model) not in (None, names):
            lessons = self._lessons[model] = self._lessons.get(model, 0) + 1
            if lessons > LESSONS:
                return
        self._typed.know(model, names)


def _with(known: Sequence[str], seen: set[str]) -> tuple[str, ...]:
    """Names, and after them those that are new."""
    return (*known, *sorted(seen.difference(known)))


def _form(found: TypedRows | Chunk[HotPrediction]) -> Hashable:
    """The same for what can stand in the same columns."""
    return found.form if isinstance(found, TypedRows) else None


def _together(found: Sequence[TypedRows | Chunk[HotPrediction]]) -> PredictionRows:
    chunks = [each for each in found if isinstance(each, Chunk)]
    if chunks:
        return JsonRows.of_chunks(chunks)
    return TypedRows.together([each for each in found if isinstance(each, TypedRows)])

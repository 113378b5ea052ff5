"""Predictions of models whose features are read by types of their own, in columns.

Columns are made while a chunk of events is still in the processor's cache, and the events are let
go: what is rare is read from the bytes again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar

import msgspec
import numpy as np

from detectors.numeric import Value, numbers_of
from detectors.outcomes.answer_columns import ScoresOnly
from detectors.outcomes.contract import Answer, Outcome, Tails
from detectors.summary import Floats, Ints
from schemas.dead_letters import DeadLetter, Reason
from schemas.hot import HotPrediction, prediction_decoder
from schemas.typed import Names, names_of
from streams.ingest.columns.codes import Words, coded, crossed, merged
from streams.ingest.columns.packed import floats_of, leading_floats
from streams.ingest.columns.strings import Strings
from streams.ingest.decode.origins import Origins
from streams.ingest.decode.reading import Chunk
from streams.ingest.decode.rows import Bools, Kind
from streams.records import Record

T = TypeVar("T")

Answers: TypeAlias = Sequence[Answer] | Floats
"""Answers, or their scores where they are nothing else."""


@dataclass(frozen=True, slots=True)
class TypedRows:
    """n events of types with equal names, as `streams.ingest.decode.rows.PredictionRows`.

    Parameters
    ----------
    names
        Of the features and segments, the same for all models.
    of_models
        The model of each.
    ids
        Prediction ids.
    numeric
        Numeric features, shape (n, features); NaN where there is none.
    other
        Every other feature by name.
    segments
        The first of the segments that the type has, as many as are asked for.
    answers
        n of them.
    groups, embeddings
        n of them each, or nothing where no row has any.
    """

    names: Names
    of_models: Words
    origins: Origins
    times_ms: Ints
    stamps_ms: Ints
    ids: Strings
    versions: Words
    arms: Words
    segments: Sequence[Words]
    numeric: Floats
    other: Sequence[Sequence[Value]]
    answers: Answers
    latencies_ms: Floats
    failed: Bools
    groups: Sequence[Mapping[str, str]]
    embeddings: Sequence[Mapping[str, Sequence[float]]]

    @classmethod
    def of_chunk(cls, chunk: Chunk[HotPrediction]) -> TypedRows | None:
        """The rows of a chunk; None where names differ, a type has none, or rows name an answer."""
        events: Sequence[Any] = chunk.events
        kinds = {type(event): event for event in events}
        names = names_of(events[0])
        if names is None or any(names_of(event) != names for event in kinds.values()):
            return None
        fields = zip(*map(msgspec.structs.astuple, events), strict=True)
        field = dict(zip(events[0].__struct_fields__, fields, strict=True))
        if any(field.get("pair_id", ())):
            return None
        n = len(events)
        numeric, other = _columns(field["features"], len(names.numeric), len(names.other))
        return cls(
            names=names,
            of_models=_models(events, len(kinds)),
            origins=chunk.origins,
            times_ms=chunk.times_ms,
            stamps_ms=chunk.origins.stamps_ms(),
            ids=Strings.of_texts(field["prediction_id"]),
            versions=Words(*coded(field["version"])),
            arms=Words(*coded(field.get("arm", [events[0].arm] * n))),
            segments=[
                Words(*coded(list(map(attrgetter(f"s{place}"), field["segments"]))))
                for place in range(names.sliced)
            ],
            numeric=numeric,
            other=other,
            answers=_answers(field["output"]),
            latencies_ms=_latencies(field.get("latency_ms"), n),
            failed=_failed(field.get("error"), n),
            groups=_given(field.get("groups", ())),
            embeddings=_given(field.get("embeddings", ())),
        )

    @classmethod
    def together(cls, parts: Sequence[TypedRows]) -> TypedRows:
        """Rows of one type and one form of answers, part after part."""
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        return cls(
            names=first.names,
            of_models=merged([part.of_models for part in parts]),
            origins=Origins.together([part.origins for part in parts]),
            times_ms=np.concatenate([part.times_ms for part in parts]),
            stamps_ms=np.concatenate([part.stamps_ms for part in parts]),
            ids=Strings.together([part.ids for part in parts]),
            versions=merged([part.versions for part in parts]),
            arms=merged([part.arms for part in parts]),
            segments=[merged(words) for words in zip(*(p.segments for p in parts), strict=True)],
            numeric=np.concatenate([part.numeric for part in parts]),
            other=[
                list(chain.from_iterable(values))
                for values in zip(*(part.other for part in parts), strict=True)
            ],
            answers=_together([part.answers for part in parts]),
            latencies_ms=np.concatenate([part.latencies_ms for part in parts]),
            failed=np.concatenate([part.failed for part in parts]),
            groups=list(chain.from_iterable(part.groups for part in parts)),
            embeddings=list(chain.from_iterable(part.embeddings for part in parts)),
        )

    def __len__(self) -> int:
        return len(self.times_ms)

    @property
    def form(self) -> Hashable:
        """The same for rows that can stand in the same columns."""
        scores = isinstance(self.answers, np.ndarray)
        return self.names, scores, not self.groups, not self.embeddings

    def take(self, chosen: Ints) -> TypedRows:
        """Some of the rows, ascending."""
        if len(chosen) == len(self):
            return self
        rows = chosen.tolist()
        answers = self.answers
        return TypedRows(
            names=self.names,
            of_models=self.of_models.take(chosen),
            origins=self.origins.take(chosen),
            times_ms=self.times_ms[chosen],
            stamps_ms=self.stamps_ms[chosen],
            ids=self.ids.take(chosen),
            versions=self.versions.take(chosen),
            arms=self.arms.take(chosen),
            segments=[words.take(chosen) for words in self.segments],
            numeric=self.numeric[chosen],
            other=[[values[row] for row in rows] for values in self.other],
            answers=(
                answers[chosen]
                if isinstance(answers, np.ndarray)
                else [answers[row] for row in rows]
            ),
            latencies_ms=self.latencies_ms[chosen],
            failed=self.failed[chosen],
            groups=[self.groups[row] for row in rows] if self.groups else (),
            embeddings=[self.embeddings[row] for row in rows] if self.embeddings else (),
        )

    def models(self) -> tuple[Sequence[str], Ints]:
        """The models, and the place of each row's."""
        return self.of_models

    def keys(self) -> Strings:
        """What each row is keyed by."""
        return self.ids

    def shadows(self) -> Bools:
        """Whether a row stands beside an answer that it names: none does."""
        return np.zeros(len(self), np.bool_)

    def kinds(self, slices: Sequence[str]) -> tuple[list[Kind], Ints]:
        """The kinds of rows in order of their first, and the place of each row's."""
        return crossed([self.versions, self.arms, *map(self._segments, slices)])

    def _segments(self, key: str) -> Words:
        """A row's value of a key; where it is both a segment's and a group's, the segment's."""
        sliced = self.names.segments[: self.names.sliced]
        if key in sliced:
            words, places = self.segments[sliced.index(key)]
        elif key in self.names.segments:
            words, places = coded([event.segments.get(key) for event in self.events()])
        else:
            words, places = [None], np.zeros(len(self), np.int64)
        if self.groups and None in words:
            more, others = coded([groups.get(key) for groups in self.groups])
            missing = np.array([word is None for word in words])[places]
            return merged([Words([*words, *more], np.where(missing, len(words) + others, places))])
        return Words(words, places)

    def tails(self, outcome: Outcome) -> Tails:
        """The answers as a task packs them."""
        if isinstance(self.answers, np.ndarray):
            return outcome.pack_columns(ScoresOnly(self.answers))
        return outcome.pack(self.answers)

    def numbers(self, names: Sequence[str]) -> tuple[Floats, Bools | None]:
        """Numeric features, and where something else stands instead."""
        if self.names.numeric == tuple(names):
            return self.numeric, None
        values = [event.features.get(name) for event in self.events() for name in names]
        return numbers_of(values, len(names))

    def words(self, name: str) -> Sequence[Value]:
        """A feature as it was sent."""
        if name in self.names.other:
            return self.other[self.names.other.index(name)]
        if name not in self.names.numeric:
            return [None] * len(self)
        # It was read as a number; as a word it may have more digits.
        return [event.features.get(name) for event in self.events()]

    def latencies(self) -> Floats:
        """Latency in milliseconds."""
        return self.latencies_ms

    def errors(self) -> Bools:
        """Whether the service failed."""
        return self.failed

    def embedding(self, name: str) -> Sequence[Sequence[float] | None]:
        """An embedding of each row."""
        if not self.embeddings:
            return [None] * len(self)
        return [embeddings.get(name) for embeddings in self.embeddings]

    def inputs(self) -> Sequence[bytes | None]:
        """All features of each row, by name; the same whichever order an event has them in."""
        return [inputs_of(event) for event in self.events()]

    def event(self, row: int) -> HotPrediction:
        """A row as an event, read again."""
        return prediction_decoder.decode(self.origins.value(row))

    def events(self) -> Sequence[HotPrediction]:
        """Every row as an event."""
        return [self.event(row) for row in range(len(self))]

    def record(self, row: int) -> Record:
        """The record that held a row."""
        return self.origins.record(row)

    def index(self, row: int) -> int:
        """Place of a row inside of its record."""
        return self.origins.index(row)

    def refused(self, row: int, reason: Reason, message: str, *, field: str) -> DeadLetter:
        """A dead letter for one row."""
        return self.origins.refused(row, reason, message, field=field)

    def untyped(self) -> Iterator[tuple[int, HotPrediction]]:
        """Rows that no type of their model has read: none."""
        return iter(())


def inputs_of(event: HotPrediction) -> bytes | None:
    """All features of an event as it was sent, by name; None where it has none."""
    features = event.features
    return msgspec.json.encode(features, order="sorted") if features else None


def _models(events: Sequence[Any], kinds: int) -> Words:
    """The model of each; a type has one."""
    if kinds == 1:
        return Words([events[0].model], np.zeros(len(events), np.int64))
    return Words(*coded([event.model for event in events]))


def _given(columns: Sequence[Mapping[str, T]]) -> Sequence[Mapping[str, T]]:
    return columns if any(columns) else ()


def _columns(rows: Sequence[Any], numeric: int, other: int) -> tuple[Floats, list[Sequence[Value]]]:
    """Fields of structs of one type: the numbers, which come first, shape (n, numeric), NaN where
    there is none; and all others."""
    if not other and (numbers := floats_of(rows)) is not None:
        return numbers, []
    table = list(map(msgspec.structs.astuple, rows))
    return leading_floats(table, numeric), list(islice(zip(*table, strict=True), numeric, None))


def _answers(outputs: Sequence[Any]) -> Answers:
    if outputs[0].__struct_fields__ != ("score",):
        return outputs
    scores, _ = _columns(outputs, 1, 0)
    return scores[:, 0]


def _latencies(values: Sequence[float | None] | None, n: int) -> Floats:
    return np.full(n, np.nan) if values is None else np.array(values, np.float64)


def _failed(errors: Sequence[object] | None, n: int) -> Bools:
    if errors is None:
        return np.zeros(n, np.bool_)
    return np.array([error is not None for error in errors], np.bool_)


def _together(parts: Sequence[Answers]) -> Answers:
    scores = [part for part in parts if isinstance(part, np.ndarray)]
    if scores:
        return np.concatenate(scores)
    return list(chain.from_iterable(part for part in parts if not isinstance(part, np.ndarray)))

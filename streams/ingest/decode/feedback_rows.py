"""Feedback in columns, as it was read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import cast

import msgspec
import numpy as np

from detectors.summary import Ints
from schemas.dead_letters import DeadLetter
from schemas.feedback import FeedbackEvent
from schemas.hot import HotFeedback, hot_type
from streams.ingest.columns.strings import Strings
from streams.ingest.decode.one_by_one import Heartbeat, Row, decode_feedback
from streams.ingest.decode.origins import Origins
from streams.ingest.decode.reading import CHUNK, Reading
from streams.records import Records


@dataclass(frozen=True, slots=True)
class FeedbackRows:
    """n feedback events of one partition, in order of offset.

    ``ids`` are their prediction ids in UTF-8, ``stamps_ms`` the broker's times of the records that
    held them, shape (n,).
    """

    events: Sequence[HotFeedback]
    ids: Strings
    times_ms: Ints
    stamps_ms: Ints
    origins: Origins

    def row(self, number: int) -> Row[HotFeedback]:
        """One of them with its origin."""
        record, index = self.origins.record(number), self.origins.index(number)
        return Row(self.events[number], record, index, int(self.times_ms[number]))


def rows_of(records: Records) -> tuple[FeedbackRows, list[Heartbeat], list[DeadLetter]]:
    """Rows of records of the feedback topic, heartbeats among them, and dead letters."""
    reading = Reading(records, _decode, decode_feedback)
    chunks = list(reading.chunks(CHUNK))
    events = list(chain.from_iterable(chunk.events for chunk in chunks))
    origins = Origins.together([chunk.origins for chunk in chunks])
    rows = FeedbackRows(
        events=events,
        ids=Strings.of_texts([event.prediction_id for event in events]),
        times_ms=np.concatenate([chunk.times_ms for chunk in chunks]),
        stamps_ms=origins.stamps_ms(),
        origins=origins,
    )
    return rows, reading.beats, reading.dead


_decode = cast(Callable[[bytes], HotFeedback], msgspec.json.Decoder(hot_type(FeedbackEvent)).decode)

"""Events from files: JSON lines (``.jsonl``, ``.json``, also ``.gz``), CSV and Parquet.

A JSON line is a PredictionEvent (it has ``output``), a DeploymentEvent (it has ``action``) or a
FeedbackEvent (all others); `streams.tables` says what a table is.
"""

from __future__ import annotations

import gzip
import heapq
import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from schemas import topics
from schemas.base import MAX_TIME_MS, milliseconds
from schemas.errors import ConfigurationError
from schemas.predictions import partition_key
from streams import tables
from streams.lines import Line

__all__ = ["Line", "count", "find", "read"]

JSON_KINDS = frozenset({".jsonl", ".json", ".ndjson"})
TABLE_KINDS = frozenset({".csv", ".parquet"})


def read(files: Sequence[Path], *, model: str) -> Iterator[Line]:
    """Events of all files, merged by time; each file is taken in its own order.

    Parameters
    ----------
    model
        The model of table rows that name none.

    Raises
    ------
    ConfigurationError
        If a file does not exist or its kind is not known; while reading, if it is of another kind
        than its name says, or a table is without times.
    """
    for path in files:
        _check(path)
    return heapq.merge(
        *(_ascending(_lines(path, model)) for path in files), key=attrgetter("time_ms")
    )


def count(files: Sequence[Path]) -> int:
    """Bytes of all files, for a progress bar."""
    return sum(path.stat().st_size for path in files)


def find(files: Sequence[Path], values: Collection[bytes], *, model: str) -> dict[bytes, str]:
    """Where each value first stands: ``file:line``, or ``file: row N`` of a table.

    The files are read again, so that no event has to carry its place for the few that are asked
    for. A value that is a part of a line, as a row of a batch, is not found.
    """
    found: dict[bytes, str] = {}
    for path in files:
        for place, value in _numbered(path, model):
            if len(found) == len(values):
                return found
            if value in values:
                found.setdefault(value, place)
    return found


def _ascending(lines: Iterable[Line]) -> Iterator[Line]:
    """A line out of order counts as published with the one before it."""
    latest = 0
    for line in lines:
        if line.time_ms < latest:
            line = line._replace(time_ms=latest)
        latest = line.time_ms
        yield line


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return suffixes[-1] if suffixes else ""


def _check(path: Path) -> None:
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder; name the files in it")
    if not path.is_file():
        raise ConfigurationError(f"{path}: no such file; name JSON lines, CSV or Parquet files")
    if _kind(path) not in JSON_KINDS | TABLE_KINDS:
        raise ConfigurationError(
            f"{path}: kind {_kind(path)!r} is not known; name .jsonl, .csv or .parquet files"
        )


def _lines(path: Path, model: str) -> Iterator[Line]:
    return _json_lines(path) if _kind(path) in JSON_KINDS else tables.lines(path, model=model)


def _numbered(path: Path, model: str) -> Iterator[tuple[str, bytes]]:
    if _kind(path) not in JSON_KINDS:
        return tables.numbered(path, model=model)
    return ((f"{path}:{number}", text) for number, text in _texts(path))


def _json_lines(path: Path) -> Iterator[Line]:
    return (_classified(text) for _, text in _texts(path))


def _texts(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines that hold anything, with their numbers from 1."""
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.strip()
                if text:
                    yield number, text
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}; write it anew") from None


class _Head(msgspec.Struct):
    """What says where an event goes, as nearly every event has it."""

    time: int
    prediction_id: str
    arm: str = ""
    pair_id: str | None = None
    output: msgspec.Raw | UnsetType = UNSET
    action: msgspec.Raw | UnsetType = UNSET


_decode_head = msgspec.json.Decoder(_Head).decode


def _classified(text: bytes) -> Line:
    """The topic of a line; what cannot be read at all goes to predictions and dies there."""
    try:
        text.decode()
        head = _decode_head(text)
    except (ValueError, RecursionError):
        return _read_whole(text)
    if head.action is not UNSET or not 0 <= head.time <= MAX_TIME_MS:
        return _read_whole(text)
    topic = topics.FEEDBACK if head.output is UNSET else topics.PREDICTIONS
    key = partition_key(head.prediction_id, head.arm, head.pair_id)
    return Line(head.time, topic, key.encode(), text)


def _read_whole(text: bytes) -> Line:
    """`_classified` of any line; without a key and a time it comes first, and its topic's reader
    says what is wrong with it."""
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        return Line(0, topics.PREDICTIONS, b"", text)
    topic = _topic(event)
    try:
        key = event["model"] if topic == topics.DEPLOYMENTS else _id(event)
        time_ms = milliseconds(event["time"])
        if 0 <= time_ms <= MAX_TIME_MS:
            return Line(time_ms, topic, str(key).encode(), text)
    except (ValueError, TypeError, KeyError):
        pass
    return Line(0, topic, b"", text)


def _topic(event: dict[str, object]) -> str:
    if "action" in event:
        return topics.DEPLOYMENTS
    return topics.PREDICTIONS if "output" in event else topics.FEEDBACK


def _id(event: dict[str, object]) -> str:
    own, pair_id = str(event["prediction_id"]), event.get("pair_id")
    return partition_key(own, str(event.get("arm")), pair_id if isinstance(pair_id, str) else None)

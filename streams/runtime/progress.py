"""How far the job has come: is everything that was published taken in and decided?"""

from __future__ import annotations

from schemas import topics
from streams.runtime.decide_worker import GROUP as DECIDE
from streams.runtime.ingest_worker import GROUP as INGEST
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport


def ingested(transport: Transport, settings: Settings) -> bool:
    """True if no prediction or feedback is left to read."""
    sources = (topics.PREDICTIONS, topics.FEEDBACK)
    return _all_read(transport, settings, INGEST, sources)


def decided(transport: Transport, settings: Settings) -> bool:
    """True if no summary and no command is left to read; ticks never end."""
    return _all_read(transport, settings, DECIDE, (topics.SUMMARIES, topics.COMMANDS))


def _all_read(transport: Transport, settings: Settings, group: str, names: tuple[str, ...]) -> bool:
    """Whether a group's committed offsets have no record behind them; marks are no records."""
    places = [
        (topic, partition)
        for topic in map(settings.topic, names)
        for partition in range(transport.partition_count(topic) or 0)
    ]
    committed = transport.committed(settings.prefix + group, places)
    return all(
        next(transport.read(topic, partition, start=committed[topic, partition] or 0), None) is None
        for topic, partition in places
    )

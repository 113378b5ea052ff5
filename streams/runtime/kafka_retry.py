"""Calls to the broker that are made again while it says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from confluent_kafka import KafkaException

from streams.runtime.kafka_errors import kafka_error, passes

PAUSE_S = 0.05
"""Between two tries of the same call."""


def persist(
    call: Callable[[float], object], *, timeout_ms: int, passing: Collection[int] = ()
) -> None:
    """Make a call, again while its error says so, until a deadline.

    Parameters
    ----------
    call
        Takes the seconds left.
    passing
        Codes of errors that ask for another try here, though not in other calls.

    Raises
    ------
    KafkaException
        The first error that does not ask for another try, or the last one in time.
    """
    deadline = time.monotonic() + timeout_ms / 1_000
    while True:
        left = deadline - time.monotonic()
        try:
            call(max(left, PAUSE_S))
            return
        except KafkaException as exception:
            error = kafka_error(exception)
            if left < PAUSE_S or not (passes(error) or error.code() in passing):
                raise
        time.sleep(PAUSE_S)

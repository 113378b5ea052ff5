"""What passes by itself is tried again, what does not is said at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.runtime.kafka_retry import persist


def failing(code: int, times: int) -> tuple[list[float], Callable[[float], object]]:
    """A call that fails so often, and when it was made."""
    made: list[float] = []

    def call(left_s: float) -> None:
        made.append(left_s)
        if len(made) <= times:
            raise KafkaException(KafkaError(code))

    return made, call


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    ],
)
def test_a_leader_that_moves_is_waited_for(code: int) -> None:
    """The call is made again until it goes through, with ever less time left."""
    made, call = failing(code, 2)
    persist(call, timeout_ms=10_000)
    assert len(made) == 3
    assert made == sorted(made, reverse=True)


def test_waiting_has_an_end() -> None:
    """Then the last error comes out."""
    made, call = failing(KafkaError.NOT_COORDINATOR, 1_000)
    with pytest.raises(KafkaException):
        persist(call, timeout_ms=200)
    assert len(made) >= 2


def test_what_does_not_pass_is_said_at_once() -> None:
    """A refusal is no matter of patience."""
    made, call = failing(KafkaError.TOPIC_AUTHORIZATION_FAILED, 1_000)
    with pytest.raises(KafkaException):
        persist(call, timeout_ms=10_000)
    assert len(made) == 1

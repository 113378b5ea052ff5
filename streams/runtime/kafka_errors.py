"""Every error of the Kafka client, as one of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from schemas.errors import BrokerUnavailable, Fenced, Retriable, TransportError

FENCED: Final = frozenset(
    {
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.FENCED_MEMBER_EPOCH,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError._ASSIGNMENT_LOST,
        KafkaError._FATAL,
        KafkaError._FENCED,
        KafkaError._MAX_POLL_EXCEEDED,
    }
)
"""The group or the transaction coordinator went on without us."""

REFUSED: Final = frozenset(
    {
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
    }
)
"""Asking again gives the same answer, though some of these are marked as retriable."""

MOVING = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
    }
)
"""Who coordinates the group, or leads the partition, is not there yet."""

UNAVAILABLE: Final = frozenset(
    {
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._MSG_TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._TRANSPORT,
        KafkaError._WAIT_COORD,
    }
)
"""Nobody answered in time."""


def mapped(error: KafkaError, doing: str) -> TransportError:
    """Our error for one of the client's.

    Parameters
    ----------
    doing
        What was being done and where, for the message.

    Examples
    --------
    >>> mapped(KafkaError(KafkaError.UNKNOWN_MEMBER_ID), "committing shard 3")
    Fenced('committing shard 3: UNKNOWN_MEMBER_ID (Broker: Unknown member)')
    """
    message = f"{doing}: {error.name()} ({error.str()})"
    code = error.code()
    if code in FENCED or error.fatal():
        return Fenced(message)
    if code == KafkaError._AUTO_OFFSET_RESET:
        return TransportError(
            f"{message}; records were deleted before they were read: lengthen the retention"
        )
    if code in REFUSED:
        return TransportError(message)
    if code in UNAVAILABLE:
        return BrokerUnavailable(f"{message}; check bootstrap.servers and that the broker runs")
    if passes(error) or error.txn_requires_abort():
        return Retriable(message)
    return TransportError(message)


def passes(error: KafkaError) -> bool:
    """Whether the same call may succeed in a moment.

    The client does not always say so of a coordinator or a leader that is moving.

    Examples
    --------
    >>> passes(KafkaError(KafkaError.NOT_COORDINATOR))
    True
    """
    return error.retriable() or error.code() in MOVING


def kafka_error(exception: KafkaException) -> KafkaError:
    """What a `KafkaException` is about."""
    error = exception.args[0]
    return error if isinstance(error, KafkaError) else KafkaError(KafkaError._FAIL, str(error))


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Let the client's errors out of a block as ours."""
    try:
        yield
    except KafkaException as exception:
        raise mapped(kafka_error(exception), doing) from exception

"""Topics of a Kafka cluster: create, check, ask for their ends."""

from __future__ import annotations

import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

# `confluent_kafka.admin` shows these at run time, but does not export them to type checkers.
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from schemas.errors import BrokerUnavailable, TopicMismatch
from schemas.topics import TopicSpec
from streams.runtime.kafka_errors import kafka_error, translated
from streams.runtime.kafka_reader import place
from streams.runtime.kafka_retry import persist
from streams.runtime.transport import TopicPartition


def settings_of(spec: TopicSpec) -> dict[str, str]:
    """A topic's Kafka configuration.

    Examples
    --------
    >>> settings_of(TopicSpec("alerts", 1, "incident id", "Alert", retention_ms=None))
    {'cleanup.policy': 'delete', 'retention.ms': '-1'}
    """
    if spec.compacted:
        # Small dirty parts: a recovery reads what compaction has not yet thrown away.
        return {
            "cleanup.policy": "compact",
            "segment.ms": "600000",
            "min.cleanable.dirty.ratio": "0.1",
        }
    retention_ms = -1 if spec.retention_ms is None else spec.retention_ms
    kept = {"cleanup.policy": "delete", "retention.ms": str(retention_ms)}
    return kept | ({"message.timestamp.type": "LogAppendTime"} if spec.stamped_by_broker else {})


def partition_counts(admin: AdminClient, *, timeout_ms: int) -> dict[str, int]:
    """Partition count of every topic."""
    with translated("asking for the topics"):
        return {
            name: len(topic.partitions)
            for name, topic in admin.list_topics(timeout=timeout_ms / 1_000).topics.items()
            if topic.error is None
        }


def ensure_topics(
    admin: AdminClient, topics: Sequence[TopicSpec], *, replication: int, timeout_ms: int
) -> None:
    """Create the topics that do not exist and check those that do.

    Parameters
    ----------
    replication
        Replicas of a new topic; -1 for the cluster's default.

    Raises
    ------
    TopicMismatch
        If a topic has another partition count or clean-up policy.
    """
    there = partition_counts(admin, timeout_ms=timeout_ms)
    absent = [spec for spec in topics if spec.name not in there]
    if absent:
        _create(admin, absent, replication=replication, timeout_ms=timeout_ms)
        there = _await(admin, absent, timeout_ms=timeout_ms)
    policies = _policies(admin, topics, timeout_ms=timeout_ms)
    for spec in topics:
        check(spec, partitions=there[spec.name], policy=policies[spec.name])


def check(spec: TopicSpec, *, partitions: int, policy: str) -> None:
    """Compare a topic with what it should be.

    Raises
    ------
    TopicMismatch
        If it differs in partition count or clean-up policy.
    """
    if partitions != spec.partitions:
        raise TopicMismatch(
            f"topic {spec.name} has {partitions} partitions, but {spec.partitions} are asked for;"
            " keys would move between shards: set the count that it has, or use another prefix"
        )
    expected = settings_of(spec)["cleanup.policy"]
    if policy != expected:
        raise TopicMismatch(
            f"topic {spec.name} has cleanup.policy {policy}, but {expected} is needed;"
            " change it with kafka-configs, or use another prefix"
        )


def _create(
    admin: AdminClient, specs: Sequence[TopicSpec], *, replication: int, timeout_ms: int
) -> None:
    fresh = [
        NewTopic(
            spec.name,
            num_partitions=spec.partitions,
            replication_factor=replication,
            config=settings_of(spec),
        )
        for spec in specs
    ]
    pending = admin.create_topics(fresh, operation_timeout=timeout_ms / 1_000)
    for name, future in pending.items():
        with translated(f"creating topic {name}"):
            try:
                future.result()
            except KafkaException as exception:
                # Another worker was faster; the check that follows looks at what it made.
                if kafka_error(exception).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise


def _await(admin: AdminClient, specs: Sequence[TopicSpec], *, timeout_ms: int) -> dict[str, int]:
    """Partition counts, once every new topic is known to the broker that answers."""
    deadline = time.monotonic() + timeout_ms / 1_000
    while True:
        there = partition_counts(admin, timeout_ms=timeout_ms)
        absent = [spec.name for spec in specs if not there.get(spec.name)]
        if not absent:
            return there
        if time.monotonic() > deadline:
            raise BrokerUnavailable(
                f"topic {absent[0]} was created but did not appear within {timeout_ms} ms;"
                " check the brokers' logs"
            )
        time.sleep(0.05)


def _policies(admin: AdminClient, specs: Sequence[TopicSpec], *, timeout_ms: int) -> dict[str, str]:
    resources = [ConfigResource(ResourceType.TOPIC, spec.name) for spec in specs]
    found = {}
    pending = admin.describe_configs(resources, request_timeout=timeout_ms / 1_000)
    for resource, future in pending.items():
        with translated(f"asking for the settings of topic {resource.name}"):
            found[str(resource.name)] = str(future.result()["cleanup.policy"].value)
    return found


def ends(
    consumer: Consumer, partitions: Sequence[TopicPartition], *, timeout_ms: int
) -> dict[TopicPartition, tuple[int, int]]:
    """First offset and end of every partition, the end under the consumer's isolation level."""
    found: dict[TopicPartition, tuple[int, int]] = {}
    for partition in partitions:

        def ask(left_s: float, partition: TopicPartition = partition) -> None:
            try:
                found[partition] = consumer.get_watermark_offsets(place(partition), timeout=left_s)
            except KafkaException as exception:
                if kafka_error(exception).code() == KafkaError._UNKNOWN_PARTITION:
                    # What the client knows of a topic just made may lack its partitions.
                    consumer.list_topics(partition[0], timeout=left_s)
                raise

        with translated(f"asking for the ends of {partition[0]}[{partition[1]}]"):
            persist(ask, timeout_ms=timeout_ms, passing=[KafkaError._UNKNOWN_PARTITION])
    return found

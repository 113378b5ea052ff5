"""Keys go where Kafka's Java clients put them."""

from __future__ import annotations

import numpy as np
import pytest
from confluent_kafka import murmur2 as librdkafka_partition
from hypothesis import given
from hypothesis import strategies as st

from streams.ingest.columns.strings import Strings
from streams.runtime.partitioner import murmur2, partition_of, partitions_of

JAVA_VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
    b"": 275646681,
}


@pytest.mark.parametrize(("key", "expected"), JAVA_VECTORS.items())
def test_murmur2_gives_the_answers_of_kafkas_own_tests(key: bytes, expected: int) -> None:
    """The known answers of Apache Kafka's UtilsTest.testMurmur2."""
    assert murmur2(key) == expected


@given(keys=st.lists(st.binary(max_size=40)), count=st.integers(1, 1_000))
def test_columns_equal_scalars(keys: list[bytes], count: int) -> None:
    """`partitions_of` is `partition_of` for every key, whatever the lengths and the order."""
    found = partitions_of(Strings.of_bytes(keys), count)
    assert found.dtype == np.int64
    assert found.tolist() == [partition_of(key, count) for key in keys]


@given(key=st.binary(max_size=64), count=st.integers(1, 1_000))
def test_partition_equals_librdkafkas(key: bytes, count: int) -> None:
    """The client library in use computes the same partition of the same bytes."""
    assert partition_of(key, count) == librdkafka_partition(key, count)

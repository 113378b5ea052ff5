"""One real Kafka broker for the tests that ask for it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from streams.runtime.broker import Broker

COUNTER = itertools.count(1)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker, started by the first test that needs it and shared by all."""
    with Broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def prefix() -> str:
    """What to put before topics, groups and transactional ids: each test has its own."""
    return f"test-{next(COUNTER)}."

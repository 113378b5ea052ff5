"""One real Kafka broker for the tests that ask for it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from streams.runtime.broker import Broker

COUNTER = itertools.count(1)

# CI gives the same answer for the same tree; everybody else looks at new examples in each run.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker, started by the first test that needs it and shared by all."""
    with Broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def prefix() -> str:
    """What to put before topics, groups and transactional ids: each test has its own."""
    return f"test-{next(COUNTER)}."

"""Options that several commands share; each also has an environment variable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from schemas.errors import BrokerUnavailable, ConfigurationError
from streams.runtime.kafka import KafkaTransport
from streams.runtime.settings import Settings

console = Console(highlight=False)

Bootstrap = Annotated[
    str | None,
    typer.Option(
        help="Kafka's host:port. (env: KITTIWAKE_BOOTSTRAP)", show_default="localhost:9092"
    ),
]
Prefix = Annotated[
    str | None, typer.Option(help="Put before every topic and group. (env: KITTIWAKE_PREFIX)")
]
Shards = Annotated[
    int | None,
    typer.Option(
        help="Partitions of predictions and feedback. (env: KITTIWAKE_SHARDS)", show_default="4"
    ),
]
Models = Annotated[
    int | None,
    typer.Option(
        help="Partitions of the topics keyed by model. (env: KITTIWAKE_MODELS)", show_default="1"
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Where the join stores live; a lost one is rebuilt. (env: KITTIWAKE_DATA)",
        show_default="out/state",
    ),
]
Worker = Annotated[
    str | None,
    typer.Option(
        help="Name of this worker, kept over restarts. (env: KITTIWAKE_WORKER)", show_default="0"
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        help="Port of /metrics; 0 picks a free one. (env: KITTIWAKE_METRICS_PORT)",
        show_default="0",
    ),
]


def settings_of(**given: object) -> Settings:
    """Settings from the environment, with the options that were given on top.

    Raises
    ------
    ConfigurationError
        If a value cannot be; names the setting, the value and its environment variable.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings.model_validate(Settings().model_dump() | chosen)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        raise ConfigurationError(
            f"setting {name} is {first['input']!r}: {first['msg']}; "
            f"change the option or KITTIWAKE_{name.upper()}"
        ) from None


SILENT_MS = 3_000
"""A broker that has not answered after so long is told of, while it is waited for."""

WAIT_MS = 30_000
"""Longest wait for a broker's first answer."""


def kafka(settings: Settings) -> KafkaTransport:
    """The log of the settings, once a broker has answered; says on stderr if that takes long.

    Raises
    ------
    BrokerUnavailable
        If none answers in time; names the address and where it is set.
    """
    transport = KafkaTransport(settings.bootstrap)
    try:
        transport.reach(timeout_ms=SILENT_MS)
    except BrokerUnavailable:
        stderr = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
        stderr.print(f"no Kafka answers at {settings.bootstrap} yet; still trying")
        _wait(transport, settings)
    return transport


def _wait(transport: KafkaTransport, settings: Settings) -> None:
    try:
        transport.reach(timeout_ms=WAIT_MS - SILENT_MS)
    except BrokerUnavailable as error:
        raise BrokerUnavailable(
            f"no Kafka answered at {settings.bootstrap} within {WAIT_MS / 1_000:g} s; start it, or "
            "set its address with --bootstrap or KITTIWAKE_BOOTSTRAP"
        ) from error

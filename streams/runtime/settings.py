"""Settings of every process, from the environment (``KITTIWAKE_…``) and options."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.topics import TopicSpec, table


class Settings(BaseSettings):
    """What a process needs to know.

    ``shards`` is the partition count of predictions and feedback, ``models`` that of the topics
    keyed by model. A checkpoint is due after ``checkpoint_ms``, ``checkpoint_records`` or
    ``checkpoint_bytes`` of values read, whichever comes first, and once the sums of open panes
    take ``held_bytes``.
    The join stores of a process keep ``store_cache_bytes`` of what they read and
    ``store_buffer_bytes`` of what they have not written in memory.
    A shard is idle once both its topics have been read to the end for ``idle_ms``. An event may
    lie ``skew_ms`` after the broker's time. ``worker`` names this process among its kind; keep
    it over restarts, so that what was killed takes its partitions up again at once.
    """

    model_config = SettingsConfigDict(env_prefix="KITTIWAKE_", frozen=True)

    bootstrap: str = "localhost:9092"
    prefix: str = ""
    shards: int = Field(default=4, ge=1, le=1_024)
    models: int = Field(default=1, ge=1, le=1_024)
    data: Path = Path("out/state")
    worker: str = "0"
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    checkpoint_ms: int = Field(default=1_000, ge=1)
    checkpoint_records: int = Field(default=50_000, ge=1)
    checkpoint_bytes: int = Field(default=32_000_000, ge=1)
    held_bytes: int = Field(default=128_000_000, ge=1)
    store_cache_bytes: int = Field(default=32_000_000, ge=1_000_000)
    store_buffer_bytes: int = Field(default=32_000_000, ge=1_000_000)
    poll_records: int = Field(default=10_000, ge=1)
    poll_bytes: int = Field(default=16_000_000, ge=1)
    poll_ms: int = Field(default=50, ge=0)
    idle_ms: int = Field(default=5_000, ge=1)
    skew_ms: int = Field(default=300_000, ge=0)

    def topics(self) -> list[TopicSpec]:
        """Every topic, with the prefix and the partitions set here."""
        return [spec.named(self.prefix) for spec in table(shards=self.shards, models=self.models)]

    def topic(self, name: str) -> str:
        """A topic's name with the prefix."""
        return self.prefix + name

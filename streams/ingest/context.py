"""Context: what the stages of a shard share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from schemas.dead_letters import DeadLetter
from streams.ingest.admit.admitted import PartitionsOf, lacks_policy
from streams.ingest.admit.routes import Routes
from streams.ingest.checkpoint import Notes, ShardState
from streams.ingest.columns.strings import Strings
from streams.ingest.decode.rows import Bools
from streams.ingest.panes.panes import Panes
from streams.ingest.plan import Plans
from streams.ingest.store.lapse import Lapses
from streams.ingest.store.overlay import Overlay

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """What is known and kept of one shard; `streams.ingest.pipeline.Shard` says what the parameters
    mean that are its own."""

    number: int
    plans: Plans
    partitions_of: PartitionsOf
    skew_ms: int
    look: Callable[[], bool]
    state: ShardState
    store: Overlay
    routes: Routes
    panes: Panes
    lapses: Lapses = field(default_factory=Lapses)
    notes: Notes = field(default_factory=Notes)

    def strays(self, keys: Strings) -> Bools:
        """Which of n keys lie on the wrong partition, shape (n,)."""
        strays: Bools = np.asarray(self.partitions_of(keys)) != self.number
        return strays

    def admitted(
        self, admit: Callable[[], tuple[T, list[DeadLetter]]]
    ) -> tuple[T, list[DeadLetter]]:
        """What ``admit`` lets in and refuses, with the policies that are in the log by now."""
        rows, dead = admit()
        return admit() if lacks_policy(dead) and self.look() else (rows, dead)

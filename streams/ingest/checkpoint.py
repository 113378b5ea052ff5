"""What a shard remembers, and what one transaction of it must hold."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import msgspec

from schemas.dead_letters import DeadLetter
from schemas.overload import Shed
from schemas.review import ReviewRequest
from schemas.summaries import Mark, PaneDelta
from streams.ingest.admit.routes import Route
from streams.ingest.admit.watermark import BEFORE_ALL
from streams.ingest.store.changes import Changes


class ShardState(msgspec.Struct):
    """What a shard remembers besides the join store and the routes.

    ``shadowed`` are the models of which a shadow has named the answer it stands beside: only
    theirs are looked up among the shadows. ``levels`` are those of shedding, by hash of the policy,
    since this checkpoint; what is not named sheds nothing.
    """

    epoch: int
    sequence: int = 0
    predictions_ms: int = BEFORE_ALL
    feedback_ms: int = BEFORE_ALL
    pending: int = 0
    offsets: dict[str, int] = msgspec.field(default_factory=dict)
    shadowed: tuple[str, ...] = ()
    levels: dict[str, int] = msgspec.field(default_factory=dict)


@dataclass
class Tally:
    """What happened since the last checkpoint, by model, for metrics.

    ``sampled_out`` is feedback for predictions that wait for none.
    """

    predictions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    late: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    joined: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    duplicates: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sampled_out: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    shed: dict[tuple[str, Shed], int] = field(default_factory=lambda: defaultdict(int))


@dataclass
class Notes:
    """What happened since the last checkpoint and is no sum."""

    dead: list[DeadLetter] = field(default_factory=list)
    reviews: list[ReviewRequest] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def take(self) -> Notes:
        """All of it; the next rows start from nothing."""
        taken = Notes(self.dead, self.reviews, self.tally)
        self.dead, self.reviews, self.tally = [], [], Tally()
        return taken


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that one transaction must hold; ``more`` asks for another one without waiting."""

    state: ShardState
    new_routes: dict[int, Route]
    join_changes: Changes
    panes: list[PaneDelta]
    mark: Mark
    dead: list[DeadLetter]
    reviews: list[ReviewRequest]
    tally: Tally
    more: bool = False

"""What DECIDE remembers: tables, and what stands in them.

A checkpoint is `State.changed`, a recovery is `State.load`; nothing else is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from schemas.summaries import Mark, Part
from streams.decide.entries import Entries
from streams.decide.incidents.records import (
    Incident,
    IncidentKey,
    Opened,
    Silenced,
    SilenceKey,
    Standing,
    Unconfirmed,
)
from streams.decide.keys import (
    BucketKey,
    CommandKey,
    GroupsKey,
    StreamKey,
    WindowKey,
)
from streams.decide.memories import Banks, Tests
from streams.decide.rollback.book import RollbackBook
from streams.decide.rollout.records import Aftercare, ReviewNotes, RolloutState, Trouble, TroubleKey
from streams.decide.sums import Sums
from streams.decide.table import Table
from streams.decide.upkeep.records import Advised, Traffic, Training


class Shard(msgspec.Struct, frozen=True):
    """The newest batch of a shard: its number, its mark, and the offsets it names."""

    epoch: int
    sequence: int
    mark: Mark
    offsets: dict[str, int]


class Watermarks(msgspec.Struct, frozen=True):
    """Event time up to which everything on time is known; None before that can be said."""

    predictions_ms: int | None = None
    labels_ms: int | None = None


class Ticks(msgspec.Struct, frozen=True):
    """Wall time as commands tell it: the latest, and that when event time last moved; ``floor_ms``
    is how far decisions have come. ``heard`` says that ticks come, not people's commands alone."""

    base_ms: int
    wall_ms: int
    floor_ms: int = 0
    heard: bool = False


class Pane(msgspec.Struct, frozen=True):
    """The parts of a pane."""

    parts: dict[Part, Entries]


class Window(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a window has come. ``stale`` says that its sums changed since it was published.

    ``against`` is the segment that a group's window is compared with, settled when it closes: its
    own where it is that of the largest group, "" where there is none. ``drifted`` are the features
    that had drifted by then. ``budget`` is what the tests of its stream together could spend when
    its labels were bet on; None where they were not.
    """

    closed: bool = False
    matured: bool = False
    stale: bool = False
    revision: int = 0
    against: str = ""
    drifted: tuple[str, ...] = ()
    budget: float | None = None


class Delays(msgspec.Struct, frozen=True):
    """Labels of a stream by delay bucket: predictions that had none at its start, by windows that
    have seen it to its end, and labels that came in it."""

    at_risk: list[int]
    events: list[int]


class AuditHead(msgspec.Struct, frozen=True):
    """How far a model's audit chain has come: its length, the hash of its newest record, and the
    peaks of the tree over all hashes, as in `streams.audit.merkle`."""

    length: int = 0
    hash: str = ""
    peaks: tuple[bytes, ...] = ()


class State:
    """Every table of DECIDE; ``sums`` are no table, but what was added up of panes lately.

    ``retired`` is what tests had spent that are forgotten, by model, in `ledger.UNIT`.
    """

    def __init__(self) -> None:
        self.sums = Sums()
        self.shards = Table("shard", int, Shard)
        self.clock = Table("clock", str, Watermarks)
        self.ticks = Table("ticks", str, Ticks)
        self.commands = Table("command", CommandKey, int)
        self.panes = Table("pane", WindowKey, Pane)
        self.windows = Table("window", WindowKey, Window)
        self.banks = Banks()
        self.tests = Tests(self.banks)
        self.spending = Table("spending", BucketKey, int)
        self.retired = Table("retired", str, int)
        self.rollouts = Table("rollout", str, RolloutState)
        self.rollbacks = Table("rollback", str, RollbackBook)
        self.aftercare = Table("aftercare", str, Aftercare)
        self.reviews = Table("review", str, ReviewNotes)
        self.troubles = Table("trouble", TroubleKey, Trouble)
        self.delays = Table("delays", StreamKey, Delays)
        self.incidents = Table("incident", IncidentKey, Incident)
        self.standing = Table("standing", str, Standing)
        self.opened = Table("opened", tuple[str, str], Opened)
        self.silences = Table("silence", SilenceKey, Silenced)
        self.unconfirmed = Table("unconfirmed", str, Unconfirmed)
        self.groups = Table("groups", GroupsKey, dict[str, int])
        self.traffic = Table("traffic", str, Traffic)
        self.training = Table("training", str, Training)
        self.advised = Table("advice", str, Advised)
        self.audit = Table("audit", str, AuditHead)

    def changed(self) -> dict[str, bytes | None]:
        """Encoded rows set since the last call; None for those forgotten."""
        return {row: value for table in self._tables() for row, value in table.changed().items()}

    @classmethod
    def load(cls, rows: Mapping[str, bytes]) -> State:
        """The state whose `changed` rows these are, all of them together.

        Raises
        ------
        ValueError
            A row of no table or of another shape, which says that another version wrote it.
        """
        state = cls()
        loaders: dict[str, Callable[[str, bytes], object]] = {
            table.name: table.load for table in state._tables()
        }
        for name, value in rows.items():
            table, _, key = name.partition(":")
            if table not in loaders:
                raise ValueError(f"no table {table!r}; the checkpoint is of another version")
            try:
                loaders[table](key, value)
            except msgspec.MsgspecError as error:
                raise ValueError(
                    f"{name}: {error}; the checkpoint is of another version"
                ) from error
        return state

    def _tables(self) -> list[Table[Any, Any]]:
        """Every table, in the order in which they are declared."""
        return [table for table in vars(self).values() if isinstance(table, Table)]

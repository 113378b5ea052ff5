"""What DECIDE remembers: tables, and what stands in them.

A checkpoint is `State.changed`, a recovery is `State.load`; nothing else is remembered.
"""

from __future__ import annotations

from collections import defaultdict
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
    MonitorKey,
    StreamKey,
    Version,
    WindowKey,
)
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


class OpenAlert(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alert that stands open: when, since which window, and the evidence for its end.

    While it is ``pending`` for so many more windows, nobody has been told. ``shown_ms`` is the
    start of the window whose numbers were told, ``told`` are those numbers, each time they were.
    ``checked_ms`` is when its evidence was last run again, ``stale`` that it changed since.
    """

    id: str
    severity: str
    opened_at_ms: int
    start_ms: int
    log_e: float
    recovery: list[float]
    pending: int = 0
    shown_ms: int = 0
    told: tuple[str, ...] = ()
    checked_ms: int = 0
    stale: bool = False


class Past(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a test on labels needs to be run again over its evidence as it is known by now.

    The evidence begins with the window at ``since_ms``. ``memory`` is the test's own after those of
    its windows that are forgotten, with the labels that they had in the end, and ``last_ms`` the
    start of the last of them. ``stands_ms`` is until when the last window was held at which an
    alert would stand, and ``log_e`` the evidence there. In windows after the first and up to the
    second time of each of ``rests`` the test rested: an alert was open that was withdrawn later.
    """

    since_ms: int
    last_ms: int | None = None
    memory: bytes = b""
    stands_ms: int | None = None
    log_e: float = 0.0
    rests: tuple[tuple[int, int], ...] = ()


class MonitorState(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sequential test between two windows.

    ``question`` is what it asks, under ``policy`` and ``reference``, of which ``part`` of a pane;
    ``memory`` is the test's own, ``start_ms`` its last window. ``share`` is what it could spend
    there, ``spent`` all of the false-alarm budget it has used, under every policy, and ``opened``
    how many alerts that bought. ``cost`` is what it had spent on the latest since the one before,
    ``paid`` all that it had spent by then. ``offered`` is all that it could have spent in its
    windows so far, alert or not. ``past`` is what a test on labels is run again from.
    """

    question: str
    policy: str
    reference: str
    start_ms: int
    memory: bytes = b""
    share: float = 0.0
    spent: float = 0.0
    opened: int = 0
    cost: float = 0.0
    paid: float = 0.0
    offered: float = 0.0
    part: Part = Part.INPUT
    alert: OpenAlert | None = None
    past: Past | None = None


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


class Tests(Table[MonitorKey, MonitorState]):
    """The memories of tests; knows which of them have an alert open."""

    def __init__(self) -> None:
        super().__init__("test", MonitorKey, MonitorState)
        self._open: defaultdict[Version, set[MonitorKey]] = defaultdict(set)

    def put(self, key: MonitorKey, value: MonitorState) -> None:
        """Set the memory of a test."""
        super().put(key, value)
        self._note(key, value)

    def put_all(self, rows: Mapping[MonitorKey, MonitorState]) -> None:
        """Set the memories of tests."""
        super().put_all(rows)
        for key, value in rows.items():
            if self._open or value.alert is not None:
                self._note(key, value)

    def load(self, key: str, value: bytes) -> MonitorKey:
        """Take back one row of `changed`."""
        name = super().load(key, value)
        self._note(name, self._rows[name])
        return name

    def open_in(self, stream: StreamKey) -> list[MonitorKey]:
        """Tests with an open alert, of any segment of a stream's version, in order."""
        return sorted(self._open.get((stream.model, stream.version, stream.arm), ()))

    def is_open(self, version: Version) -> bool:
        """Whether any test of a version has an open alert."""
        return version in self._open

    def open(self) -> list[MonitorKey]:
        """Every test with an open alert, in order."""
        return sorted(key for served in self._open.values() for key in served)

    def _note(self, key: MonitorKey, value: MonitorState) -> None:
        if value.alert is not None:
            self._open[key.model, key.version, key.arm].add(key)
        elif self._open:
            served = (key.model, key.version, key.arm)
            self._open[served].discard(key)
            if not self._open[served]:
                del self._open[served]


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
        self.tests = Tests()
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

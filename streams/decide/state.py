"""What DECIDE remembers: tables of values by key that know which keys changed.

A checkpoint is `State.changed`, a recovery is `State.load`; nothing else is remembered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from detectors.canary.srm import SampleRatioState
from detectors.canary.three_way import GuardrailState
from schemas.summaries import Mark, Part
from streams.decide.incidents.records import (
    Incident,
    IncidentKey,
    Opened,
    Silenced,
    SilenceKey,
    Standing,
    Unconfirmed,
)
from streams.decide.rollback.book import RollbackBook
from streams.decide.upkeep import Advised, Traffic, Training

Key = TypeVar("Key")
Value = TypeVar("Value")


class StreamKey(NamedTuple):
    """A stream: one version in one role, whole (segment "") or one segment of it."""

    model: str
    version: str
    arm: str
    segment: str


class WindowKey(NamedTuple):
    """A pane or a window of a stream, under one policy and one reference ("" for none)."""

    model: str
    version: str
    arm: str
    segment: str
    policy: str
    reference: str
    start_ms: int

    @property
    def stream(self) -> StreamKey:
        """The stream that the window is of."""
        return StreamKey(self.model, self.version, self.arm, self.segment)


class MonitorKey(NamedTuple):
    """One sequential test of one stream."""

    model: str
    version: str
    arm: str
    segment: str
    detector: str
    metric: str
    feature: str


class BucketKey(NamedTuple):
    """What the tests of a model spent of its false-alarm budget in a span of event time."""

    model: str
    start_ms: int
    length_ms: int


class GroupsKey(NamedTuple):
    """The groups that a key of a model's predictions divides them into."""

    model: str
    key: str


class CommandKey(NamedTuple):
    """A command that was read."""

    model: str
    id: str


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


class Pane(msgspec.Struct):
    """The non-zero entries of each part of a pane, by place."""

    parts: dict[Part, dict[int, int]]


class Window(msgspec.Struct, frozen=True):
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


class OpenAlert(msgspec.Struct, frozen=True):
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


class Past(msgspec.Struct, frozen=True):
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


class MonitorState(msgspec.Struct, frozen=True):
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


class Rail(msgspec.Struct, frozen=True):
    """A guardrail between two windows: its e-processes, its interval, and both arms' sums.

    ``q_baseline`` is None for yes and no. ``sound`` is the evidence of harm from windows in which
    neither inputs nor labels were broken for both arms; None while all were such.
    """

    processes: GuardrailState
    difference: list[float]
    n_canary: int = 0
    s_canary: float = 0.0
    n_baseline: int = 0
    s_baseline: float = 0.0
    q_baseline: float | None = None
    sound: list[float] | None = None


class Track(msgspec.Struct, frozen=True):
    """A rollout as seen by closed windows, or by matured ones.

    ``next_ms`` is the time of the next window, ``split`` the memory of the test on the traffic
    split. ``own_faults`` counts windows in which inputs were broken for the canary alone, by what
    was broken, ``shared_faults`` those in which they were broken for both arms.
    """

    next_ms: int
    rails: dict[str, Rail] = {}
    split: SampleRatioState | None = None
    own_faults: dict[str, int] = {}
    shared_faults: dict[str, int] = {}


class Frozen(msgspec.Struct, frozen=True):
    """Number, sum and sum of squares (None for yes and no) of a metric."""

    n: int
    s: float
    q: float | None = None


class RolloutState(msgspec.Struct, frozen=True):
    """A canary beside its baseline; the ``_at_ms`` are due times of what has been decided.

    ``early`` sees closed windows and only rolls back, ``full`` decides. ``frozen`` is what the
    baseline had reached in each guardrail when the rollout was over, ``blocked`` what people have
    been told to mend.
    """

    early: Track
    full: Track
    rollback_at_ms: int | None = None
    promoted_at_ms: int | None = None
    over: bool = False
    frozen: dict[str, Frozen] = {}
    blocked: tuple[str, ...] = ()


class AfterRail(msgspec.Struct, frozen=True):
    """A guardrail of a promoted version against what its predecessor had reached: evidence of
    harm, that from sound windows (None while all were), sums, and the time of the next window."""

    next_ms: int
    harm: list[float]
    sound: list[float] | None = None
    n: int = 0
    s: float = 0.0
    q: float | None = None


class Aftercare(msgspec.Struct, frozen=True):
    """A version after its promotion; ``rollback_at_ms`` is when a rollback was advised."""

    rails: dict[str, AfterRail] = {}
    rollback_at_ms: int | None = None
    over: bool = False


class Told(msgspec.Struct, frozen=True):
    """What was said of a rollout, ``count`` times in a row, from one time to another."""

    action: str
    reason: str
    first_ms: int
    last_ms: int
    count: int = 1


class ReviewNotes(msgspec.Struct, frozen=True):
    """What the review of a rollout will tell: what was said of it, the newest evidence of each
    guardrail as JSON, the traffic split, and the windows that were held for a cause, by cause.

    Nothing is left of it once it is ``done``.
    """

    told: tuple[Told, ...] = ()
    evidence: dict[str, bytes] = {}
    log_e_share: float = 0.0
    share_ok: bool = True
    held: dict[str, int] = {}
    done: bool = False


class TroubleKey(NamedTuple):
    """An alert of a model that serves."""

    model: str
    alert_id: str


class Trouble(msgspec.Struct, frozen=True):
    """An alert from when it opened to when it was over, in the time that windows fall due."""

    version: str
    segment: str
    metric: str
    feature: str
    severity: str
    opened_ms: int
    closed_ms: int | None = None


class AuditHead(msgspec.Struct, frozen=True):
    """How far a model's audit chain has come: its length, the hash of its newest record, and the
    peaks of the tree over all hashes, as in `streams.audit.merkle`."""

    length: int = 0
    hash: str = ""
    peaks: tuple[bytes, ...] = ()


class Table(Generic[Key, Value]):
    """Values of one kind by key.

    Parameters
    ----------
    name
        Prefix of the encoded keys.
    key, value
        Types, as msgspec knows them.

    Examples
    --------
    >>> table = Table("clock", str, Watermarks)
    >>> table.put("all", Watermarks(5, None))
    >>> list(table.changed())
    ['clock:"all"']
    >>> table.changed()
    {}
    """

    def __init__(self, name: str, key: type[Key], value: type[Value]) -> None:
        self.name = name
        self._rows: dict[Key, Value] = {}
        self._dirty: dict[Key, None] = {}
        self._key = msgspec.json.Decoder(key)
        self._value = msgspec.msgpack.Decoder(value)

    def get(self, key: Key) -> Value | None:
        """The value under a key, None where there is none."""
        return self._rows.get(key)

    def put(self, key: Key, value: Value) -> None:
        """Set the value of a key."""
        self._rows[key] = value
        self._dirty[key] = None

    def drop(self, key: Key) -> None:
        """Forget a key."""
        if self._rows.pop(key, None) is not None:
            self._dirty[key] = None

    def items(self) -> Iterator[tuple[Key, Value]]:
        """Every key and value; the table may be changed meanwhile."""
        return iter(list(self._rows.items()))

    def __iter__(self) -> Iterator[Key]:
        """Every key; the table may be changed meanwhile."""
        return iter(list(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def changed(self) -> dict[str, bytes | None]:
        """Encoded rows set since the last call; None for those forgotten."""
        dirty, self._dirty = self._dirty, {}
        return {self._encoded(key): self._row(key) for key in dirty}

    def load(self, key: str, value: bytes) -> Key:
        """Take back one row of `changed`, and say whose it is; ``key`` is what follows the name and
        the colon."""
        name = self._key.decode(key)
        self._rows[name] = self._value.decode(value)
        return name

    def _encoded(self, key: Key) -> str:
        return f"{self.name}:{msgspec.json.encode(key).decode()}"

    def _row(self, key: Key) -> bytes | None:
        value = self._rows.get(key)
        return None if value is None else msgspec.msgpack.encode(value)


class Tests(Table[MonitorKey, MonitorState]):
    """The memories of tests; knows which of them have an alert open."""

    def __init__(self) -> None:
        super().__init__("test", MonitorKey, MonitorState)
        self._open: defaultdict[tuple[str, str, str], set[MonitorKey]] = defaultdict(set)

    def put(self, key: MonitorKey, value: MonitorState) -> None:
        """Set the memory of a test."""
        super().put(key, value)
        self._note(key, value)

    def load(self, key: str, value: bytes) -> MonitorKey:
        """Take back one row of `changed`."""
        name = super().load(key, value)
        self._note(name, self._rows[name])
        return name

    def open_in(self, stream: StreamKey) -> list[MonitorKey]:
        """Tests with an open alert, of any segment of a stream's version, in order."""
        return sorted(self._open.get((stream.model, stream.version, stream.arm), ()))

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
    """Every table of DECIDE."""

    def __init__(self) -> None:
        self.shards = Table("shard", int, Shard)
        self.clock = Table("clock", str, Watermarks)
        self.ticks = Table("ticks", str, Ticks)
        self.commands = Table("command", CommandKey, int)
        self.panes = Table("pane", WindowKey, Pane)
        self.windows = Table("window", WindowKey, Window)
        self.tests = Tests()
        self.spending = Table("spending", BucketKey, int)
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
            A row of no table, which says that another version wrote it.
        """
        state = cls()
        loaders: dict[str, Callable[[str, bytes], object]] = {
            table.name: table.load for table in state._tables()
        }
        for name, value in rows.items():
            table, _, key = name.partition(":")
            if table not in loaders:
                raise ValueError(f"no table {table!r}; the checkpoint is of another version")
            loaders[table](key, value)
        return state

    def _tables(self) -> list[Table[Any, Any]]:
        """Every table, in the order in which they are declared."""
        return [table for table in vars(self).values() if isinstance(table, Table)]

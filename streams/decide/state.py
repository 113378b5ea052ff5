"""What DECIDE remembers: tables of values by key that know which keys changed.

A checkpoint is `State.changed`, a recovery is `State.load`; nothing else is remembered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

import msgspec

from detectors.canary.srm import SampleRatioState
from detectors.canary.three_way import GuardrailState
from schemas.summaries import Mark, Part

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


class Pane(msgspec.Struct):
    """The non-zero entries of each part of a pane, by place."""

    parts: dict[Part, dict[int, int]]


class Window(msgspec.Struct, frozen=True):
    """How far a window has come. ``stale`` says that its sums changed since it was published.

    ``against`` is the segment that a group's window is compared with, settled when it closes: its
    own where it is that of the largest group, "" where there is none. ``drifted`` are the features
    that had drifted by then.
    """

    closed: bool = False
    matured: bool = False
    stale: bool = False
    revision: int = 0
    against: str = ""
    drifted: tuple[str, ...] = ()


class OpenAlert(msgspec.Struct, frozen=True):
    """An alert that stands open: when, since which window, and the evidence for its end."""

    id: str
    severity: str
    opened_at_ms: int
    start_ms: int
    log_e: float
    recovery: list[float]


class MonitorState(msgspec.Struct, frozen=True):
    """A sequential test between two windows.

    ``question`` is what it asks, under ``policy`` and ``reference``, of which ``part`` of a pane;
    ``memory`` is the test's own, ``start_ms`` its last window. ``share`` is what it could spend
    there, ``spent`` all of the false-alarm budget it has used, under every policy, and ``opened``
    how many alerts that bought. ``cost`` is what it had spent on the latest since the one before,
    ``paid`` all that it had spent by then. ``offered`` is all that it could have spent in its
    windows so far, alert or not.
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


class Delays(msgspec.Struct, frozen=True):
    """Labels of a stream by delay bucket: predictions that had none at its start, by windows that
    have seen it to its end, and labels that came in it."""

    at_risk: list[int]
    events: list[int]


class Rail(msgspec.Struct, frozen=True):
    """A guardrail between two windows: its e-processes, its interval, and both arms' sums."""

    processes: GuardrailState
    difference: list[float]
    n_canary: int = 0
    s_canary: float = 0.0
    n_baseline: int = 0
    s_baseline: float = 0.0


class Track(msgspec.Struct, frozen=True):
    """A rollout as seen by closed windows, or by matured ones.

    ``next_ms`` is the time of the next window, ``split`` the memory of the test on the traffic
    split.
    """

    next_ms: int
    rails: dict[str, Rail] = {}
    split: SampleRatioState | None = None


class RolloutState(msgspec.Struct, frozen=True):
    """A canary beside its baseline; the ``_at_ms`` are due times of what has been decided.

    ``early`` sees closed windows and only rolls back, ``full`` decides.
    """

    early: Track
    full: Track
    rollback_at_ms: int | None = None
    promoted_at_ms: int | None = None
    over: bool = False


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
        self.panes = Table("pane", WindowKey, Pane)
        self.windows = Table("window", WindowKey, Window)
        self.tests = Tests()
        self.spending = Table("spending", BucketKey, int)
        self.rollouts = Table("rollout", str, RolloutState)
        self.delays = Table("delays", StreamKey, Delays)
        self.groups = Table("groups", GroupsKey, dict[str, int])

    def changed(self) -> dict[str, bytes | None]:
        """Encoded rows set since the last call; None for those forgotten."""
        return (
            self.shards.changed()
            | self.clock.changed()
            | self.panes.changed()
            | self.windows.changed()
            | self.tests.changed()
            | self.spending.changed()
            | self.rollouts.changed()
            | self.delays.changed()
            | self.groups.changed()
        )

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
            state.shards.name: state.shards.load,
            state.clock.name: state.clock.load,
            state.panes.name: state.panes.load,
            state.windows.name: state.windows.load,
            state.tests.name: state.tests.load,
            state.spending.name: state.spending.load,
            state.rollouts.name: state.rollouts.load,
            state.delays.name: state.delays.load,
            state.groups.name: state.groups.load,
        }
        for name, value in rows.items():
            table, _, key = name.partition(":")
            if table not in loaders:
                raise ValueError(f"no table {table!r}; the checkpoint is of another version")
            loaders[table](key, value)
        return state

"""What is remembered of rollouts: evidence, outcomes, notes for the review, and troubles beside
them."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from detectors.canary.srm import SampleRatioState
from detectors.canary.three_way import GuardrailState


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

"""What a sequential test remembers between two windows."""

from __future__ import annotations

import msgspec

from schemas.summaries import Part


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

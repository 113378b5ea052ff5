"""Ledger: what each test of a model may spend of its false-alarm budget, and what it has spent."""

from __future__ import annotations

from schemas.base import Message


class LedgerEntry(Message):
    """The account of one sequential test. Amounts are in expected false alarms.

    ``share`` is what the test may spend in each window now, 0 where it was not asked in the latest
    one; ``per_period`` the same for a whole period of the budget; ``spent`` all that it has used,
    under every policy. ``alerts`` counts those it opened, and ``last_cost`` is what it had spent
    on the latest since the one before.
    """

    version: str
    segment: str
    metric: str
    feature: str
    detector: str
    share: float
    per_period: float
    spent: float
    alerts: int
    last_cost: float | None
    open: bool


class Ledger(Message):
    """The false-alarm budget of a model. Amounts are in expected false alarms.

    ``budget`` is what the policy allows for each period of ``period_ms``, ``promised`` the sum of
    what its tests may spend in one now. ``as_of_ms`` is the event time up to which anything was
    spent; ``spent_in_period`` is what was spent in the period before it (to within a 32nd of the
    period), ``left`` the rest of the budget, ``spent`` all that was ever spent.
    """

    model: str
    policy: str
    as_of_ms: int
    period_ms: int
    window_ms: int
    budget: float
    promised: float
    spent_in_period: float
    left: float
    spent: float
    entries: list[LedgerEntry]

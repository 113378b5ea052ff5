"""Join in columns: feedback meets many predictions of one plan at once.

The same as `join.apply` row by row, for what is common: a truth, correction, review, signal or
retraction that can be used, and a prediction that no shadow stands beside. All else is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Ints
from schemas.hot import HotFeedback
from streams.ingest.decode.rows import Bools
from streams.ingest.join import label_columns
from streams.ingest.join.label_changes import Additions, additions_of
from streams.ingest.join.label_columns import RETRACTION, SIGNAL
from streams.ingest.join.label_state import FLIPPED
from streams.ingest.plan import Plan
from streams.ingest.store.pending import HAS_FINAL, HAS_MATURE, ON_TIME, SHADOWED


@dataclass(frozen=True, slots=True)
class Joined:
    """Rows that were joined, their predictions as they are now, and what panes gain and lose."""

    rows: Ints
    records: NDArray[np.void]
    additions: Additions


def join(
    records: NDArray[np.void],
    feedback: Sequence[HotFeedback],
    *,
    times_ms: Ints,
    before_ms: Ints,
    late: Bools,
    plan: Plan,
) -> Joined:
    """Apply one feedback to each of n predictions.

    Parameters
    ----------
    records
        The packed predictions, of type `pending.record_type`, each once.
    times_ms, before_ms, late
        Times of the feedback, watermarks before it, and whether it is late, shape (n,).
    """
    kinds = label_columns.kinds_of(feedback)
    said = label_columns.said(feedback, kinds, times_ms, plan)
    mature = label_columns.held(records, "mature", HAS_MATURE)
    final = label_columns.held(records, "final", HAS_FINAL)
    made_ms, flags = records["time_ms"], records["flags"]
    speaks = said["known"] | (kinds == RETRACTION)
    delay_ms = times_ms - made_ms
    window_end_ms = made_ms - made_ms % plan.window_ms + plan.window_ms
    matures = (
        speaks & (flags & ON_TIME > 0) & ~late & (times_ms <= window_end_ms + plan.maturity_ms)
    )
    new_mature = label_columns.where(matures, label_columns.after(mature, said), mature)
    new_final = label_columns.where(speaks, label_columns.after(final, said), final)
    usable = (
        (speaks | (kinds == SIGNAL))
        & (flags & SHADOWED == 0)
        & (delay_ms >= -plan.label_lateness_ms)
        & (delay_ms <= plan.horizon_ms)
        & (before_ms <= made_ms + plan.kept_ms)
    )
    if plan.policy.review.disputed:
        usable &= new_final["marks"] & ~final["marks"] & FLIPPED == 0
    rows = np.flatnonzero(usable)
    joined = records.take(rows)
    before = mature.take(rows), final.take(rows)
    after = new_mature.take(rows), new_final.take(rows)
    label_columns.hold(joined, "mature", HAS_MATURE, after[0])
    label_columns.hold(joined, "final", HAS_FINAL, after[1])
    return Joined(rows, joined, additions_of(joined, plan, before, after))

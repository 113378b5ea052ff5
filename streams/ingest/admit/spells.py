"""Spells: rows of a batch in groups that can be taken together."""

from __future__ import annotations

import numpy as np

from streams.ingest.admit.block import Block


def spells_of(block: Block) -> list[Block]:
    """Rows cut where one has lapsed before a later one: then its id may be used again."""
    if not len(block):
        return []
    counts = np.bincount(block.which).tolist()
    plans = [plan for plan, count in zip(block.plans, counts, strict=False) if count]
    kept_ms = min(plan.least_kept_ms for plan in plans)
    if block.watermarks_ms[-1] <= block.rows.times_ms.min() + kept_ms:
        return [block]
    times_ms = block.rows.times_ms.tolist()
    starts, first_ms = [0], times_ms[0]
    for row, watermark_ms in enumerate(block.watermarks_ms.tolist()):
        first_ms = min(first_ms, times_ms[row])
        if watermark_ms > first_ms + kept_ms and row > starts[-1]:
            starts.append(row)
            first_ms = times_ms[row]
    ends = [*starts[1:], len(block)]
    return [block.take(np.arange(*each)) for each in zip(starts, ends, strict=True)]

"""Spells: rows of a batch in groups that can be taken together."""

from __future__ import annotations

from schemas.predictions import Arm
from streams.ingest.admit import Admitted


def spells_of(rows: list[Admitted]) -> list[list[Admitted]]:
    """Rows cut where one has lapsed before a later one: then its id may be used again."""
    if not rows:
        return []
    kept_ms = min({id(item.plan): item.plan.kept_ms for item in rows}.values())
    if rows[-1].watermark_ms <= min(item.row.time_ms for item in rows) + kept_ms:
        return [rows]
    spells: list[list[Admitted]] = [[]]
    first_ms = rows[0].row.time_ms
    for item in rows:
        first_ms = min(first_ms, item.row.time_ms)
        if item.watermark_ms > first_ms + kept_ms and spells[-1]:
            spells.append([])
            first_ms = item.row.time_ms
        spells[-1].append(item)
    return spells


def shadows_apart(rows: list[Admitted]) -> tuple[list[Admitted], list[Admitted]]:
    """Rows with a label of their own, and shadows that take it from the answer that served."""
    shadows = [
        item
        for item in rows
        if item.row.event.pair_id is not None and item.row.event.arm == Arm.SHADOW
    ]
    if not shadows:
        return rows, []
    apart = set(map(id, shadows))
    return [item for item in rows if id(item) not in apart], shadows

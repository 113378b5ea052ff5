"""Pairing: shadows meet the answer that served, whichever came first, and share its label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from detectors.outcomes.contract import Tails
from detectors.summary import Ints
from schemas.dead_letters import DeadLetter, Reason
from schemas.predictions import Arm
from streams.ingest.admit.admitted import Admitted
from streams.ingest.admit.block import Block
from streams.ingest.context import Context
from streams.ingest.join.label_changes import UNLABELLED, LabelChanges, Labels, labels_of
from streams.ingest.join.shadows import (
    MOST,
    Shadow,
    Shadows,
    met_part,
    pack_shadows,
    shadow_changes,
    unpack_shadows,
)
from streams.ingest.panes.observe import count
from streams.ingest.panes.panes import Slot, Slots
from streams.ingest.plan import Plan
from streams.ingest.store import keys
from streams.ingest.store.names import Names
from streams.ingest.store.pending import Pending


class Split(NamedTuple):
    """Shadows seen for the first time, duplicates, and a dead letter for each too many."""

    fresh: Ints
    twice: Ints
    dead: list[DeadLetter]


class Pairing:
    """The shadows of a shard.

    Two answers meet if, by the watermark before the later one, the earlier has not lapsed, and
    both were read under one policy and reference. Only pairs with a baseline are compared.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def split(self, rows: Sequence[Admitted], until_ms: Ints) -> Split:
        """Which shadows are seen for the first time; ``until_ms`` says when each lapses."""
        fresh: list[int] = []
        twice: list[int] = []
        dead: list[DeadLetter] = []
        known = self._load(item.name for item in rows)
        live: dict[bytes, dict[str, int]] = {}
        for row, item in enumerate(rows):
            if item.name not in live:
                found = known.get(item.name)
                entries = found.entries if found else []
                live[item.name] = {entry.id: entry.until_ms for entry in entries}
            ids, name = live[item.name], item.row.event.prediction_id
            if item.watermark_ms <= ids.get(name, item.watermark_ms - 1):
                twice.append(row)
            elif sum(until >= item.watermark_ms for until in ids.values()) >= MOST:
                dead.append(_crowded(item))
            else:
                ids[name] = int(until_ms[row])
                fresh.append(row)
        return Split(np.array(fresh, np.int64), np.array(twice, np.int64), dead)

    def shadows_came(
        self,
        plan: Plan,
        rows: Sequence[Admitted],
        routes: Sequence[int],
        tails: Tails,
        until_ms: Ints,
        served_ms: Mapping[bytes, int],
        changes: LabelChanges,
    ) -> int:
        """Keep new shadows, and let them meet answers that have come.

        ``until_ms`` says when each lapses. ``served_ms`` are the watermarks of answers of the same
        batch, by name. Returns how many shadows made room: they lapsed before they met an answer.
        """
        forgotten = 0
        known = self._load(item.name for item in rows)
        names = Names.of_bytes([item.name for item in rows])
        found = self._context.store.find(names)
        places = {row: place for place, row in enumerate(found.rows.tolist())}
        records = found.records()
        met: dict[bytes, tuple[int, bytes]] = {}
        for row, (item, route, tail) in enumerate(zip(rows, routes, tails, strict=True)):
            shadow = Shadow(
                id=item.row.event.prediction_id,
                on_time=not item.late,
                route=route,
                time_ms=item.row.time_ms,
                until_ms=int(until_ms[row]),
                tail=tail.tobytes(),
            )
            beside = known.setdefault(item.name, Shadows(shadow.until_ms, []))
            # A name that goes on for ever, such as a constant, must not gather all there ever was.
            kept = [old for old in beside.entries if not _is_lost(old, item.watermark_ms)]
            forgotten += len(beside.entries) - len(kept)
            beside.entries = [*kept, shadow]
            last_ms = max(beside.until_ms, shadow.until_ms)
            place = places.get(row)
            if place is not None and records[place]:
                served = Pending.unpack(records[place])
                watermark_ms = max(item.watermark_ms, served_ms.get(item.name, item.watermark_ms))
                if self._meet(shadow, served, plan, watermark_ms, changes):
                    last_ms = max(last_ms, served.time_ms + plan.kept_ms)
                    served.shadowed = True
                    record = served.pack()
                    if record != records[place]:
                        met[item.name] = place, record
            self._save(item.name, beside, last_ms)
        each = np.array([place for place, _ in met.values()], np.int64)
        packed = [record for _, record in met.values()]
        self._context.store.update(names.take(found.rows[each]), packed, found.until_ms[each])
        return forgotten

    def waiting_for(self, block: Block, models: Sequence[str]) -> dict[bytes, Shadows]:
        """Shadows that are there already, by the name of the answer that now comes; ``models`` are
        those that have shadows."""
        shadowed = any(plan.policy.model in models for plan in block.plans) if models else False
        found = self._context.store.waiting(keys.SHADOWS, block.names) if shadowed else {}
        return {name: unpack_shadows(value) for name, value in found.items()}

    def served_came(
        self,
        item: Admitted,
        served: Pending,
        beside: Shadows,
        changes: LabelChanges,
    ) -> None:
        """Let shadows meet an answer that comes after them, with the label it has by now."""
        met = [
            self._meet(shadow, served, item.plan, item.watermark_ms, changes)
            for shadow in beside.entries
        ]
        if any(met):
            served.shadowed = True
            self._save(item.name, beside, max(beside.until_ms, served.time_ms + item.plan.kept_ms))

    def labels_changed(
        self, told: Sequence[tuple[bytes, Pending, Plan, Labels]], changes: LabelChanges
    ) -> None:
        """Hand changed labels on to the shadows of answers; ``told`` has the labels of before."""
        known = self._load(name for name, *_ in told)
        for name, served, plan, before in told:
            after = labels_of(served)
            for shadow in known[name].entries if name in known else ():
                if shadow.met_ms == served.time_ms:
                    paired = self._comparable(served)
                    changes.extend(
                        plan, shadow_changes(shadow, served, plan, before, after, paired=paired)
                    )

    def _meet(
        self,
        shadow: Shadow,
        served: Pending,
        plan: Plan,
        watermark_ms: int,
        changes: LabelChanges,
    ) -> bool:
        beside, other = self._context.routes[served.route], self._context.routes[shadow.route]
        fit = (beside.policy, beside.reference) == (other.policy, other.reference)
        alive = watermark_ms <= min(shadow.time_ms, served.time_ms) + plan.kept_ms
        if not (fit and alive) or beside.arm == Arm.SHADOW or shadow.met_ms is not None:
            return False
        shadow.met_ms = served.time_ms
        place = Slot(shadow.route, met_part(shadow, served, plan), plan.pane(shadow.time_ms))
        slots = Slots([place], np.zeros(1, np.int64))
        count(plan, "n_pair_met", slots, self._context.panes)
        paired, labels = self._comparable(served), labels_of(served)
        changes.extend(
            plan, shadow_changes(shadow, served, plan, UNLABELLED, labels, paired=paired)
        )
        return True

    def _comparable(self, served: Pending) -> bool:
        return self._context.routes[served.route].arm == Arm.BASELINE

    def _load(self, names: Iterable[bytes]) -> dict[bytes, Shadows]:
        wanted = list(dict.fromkeys(names))
        values = self._context.store.get_many([keys.SHADOWS + name for name in wanted])
        return {
            name: unpack_shadows(value)
            for name, value in zip(wanted, values, strict=True)
            if value is not None
        }

    def _save(self, name: bytes, beside: Shadows, until_ms: int) -> None:
        beside.until_ms = until_ms
        place = keys.SHADOWS + name
        self._context.store.put(place, pack_shadows(beside))
        self._context.lapses.note(keys.SHADOWS, place, until_ms=until_ms)


def _is_lost(shadow: Shadow, watermark_ms: int) -> bool:
    """Whether a shadow has lapsed without an answer: then none can meet it, and no label comes."""
    return shadow.met_ms is None and shadow.until_ms < watermark_ms


def _crowded(item: Admitted) -> DeadLetter:
    return item.row.refused(
        Reason.UNMATCHED,
        f"{MOST} shadows stand beside the answer {item.row.event.pair_id!r} already; "
        "check pair_id: it is the prediction_id of one answer that was served",
        field="pair_id",
    )

"""The feedback of a shard: it meets its prediction, or waits for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.summary import Ints
from streams.ingest import review
from streams.ingest.admit.admitted import timed
from streams.ingest.admit.feedback import Heard, admit_feedback
from streams.ingest.admit.sampling import is_expected, sampled_out
from streams.ingest.columns.ragged import Octets
from streams.ingest.context import Context
from streams.ingest.decode.feedback_rows import rows_of
from streams.ingest.decode.rows import Bools
from streams.ingest.join.in_columns import join
from streams.ingest.join.label_changes import LabelChanges, Labels, labels_of
from streams.ingest.join.one_by_one import apply, crowded
from streams.ingest.join.pairing import Pairing
from streams.ingest.plan import Plan
from streams.ingest.store import keys
from streams.ingest.store.found import Found
from streams.ingest.store.names import Names
from streams.ingest.store.pending import (
    HEADER,
    WAITING_BYTES,
    Pending,
    Waiting,
    pack_waiting,
    record_type,
    unpack_waiting,
    waiting_of,
)
from streams.records import Records


class Feedback:
    """The feedback of a shard."""

    def __init__(self, context: Context, pairing: Pairing) -> None:
        self._context = context
        self._pairing = pairing

    def take(self, records: Records) -> None:
        """Take records of the feedback topic in order of offset."""
        rows, beats, dead = rows_of(records)
        times = timed(
            rows.times_ms,
            rows.stamps_ms,
            beats,
            previous_ms=self._context.state.feedback_ms,
            skew_ms=self._context.skew_ms,
        )
        self._context.state.feedback_ms = times.after_ms
        strays = self._context.strays(rows.ids)
        heard, refused = self._context.admitted(
            lambda: admit_feedback(rows, times, self._context.plans, strays)
        )
        self._context.notes.dead += dead + times.dead + refused
        found = self._context.store.find(heard.names)
        outside = sampled_out(heard, found, self._context.plans)
        self._count_outside(heard, outside)
        changes = LabelChanges()
        left = self._in_columns(heard, found, ~outside, changes)
        self._one_by_one(heard, found, left, changes)
        changes.add_to(self._context.panes)

    def misses(self, name: bytes, feedback: Waiting) -> bool:
        """Whether feedback that waited in vain should have met its prediction; if that may have
        been outside of the sample, it is counted instead."""
        model = keys.model_of(name)
        if is_expected(self._context.plans, model, name, feedback.time_ms):
            return True
        self._context.notes.tally.sampled_out[model] += 1
        return False

    def _count_outside(self, heard: Heard, outside: Bools) -> None:
        counts = np.bincount(heard.which[heard.admitted[outside]])
        for place in np.flatnonzero(counts).tolist():
            plan = heard.plans[place]
            assert plan is not None
            self._context.notes.tally.sampled_out[plan.policy.model] += int(counts[place])

    def _in_columns(
        self, heard: Heard, found: Found, left: Bools, changes: LabelChanges
    ) -> Sequence[int]:
        """Join what can be joined in columns; returns which of the ``left`` still are."""
        for plan, places, records in self._known(heard.names, found):
            rows = heard.admitted[found.rows[places]]
            joined = join(
                records,
                [heard.rows.events[row] for row in rows.tolist()],
                times_ms=heard.rows.times_ms[rows],
                before_ms=heard.before_ms[rows],
                late=heard.late[rows],
                plan=plan,
            )
            done = places[joined.rows]
            if not done.size:
                continue
            left[found.rows[done]] = False
            packed = _octets(joined.records)
            # A truth that comes again, or a signal, may say nothing new: then nothing is written.
            new = np.flatnonzero((packed != _octets(records)[joined.rows]).any(axis=1))
            self._context.store.update(
                heard.names.take(found.rows[done[new]]), packed[new], found.until_ms[done[new]]
            )
            self._context.notes.tally.joined[plan.policy.model] += done.size
            changes.extend_columns(plan, joined.additions)
        return np.flatnonzero(left).tolist()

    def _known(self, names: Names, found: Found) -> Iterator[tuple[Plan, Ints, NDArray[np.void]]]:
        """Predictions that one row alone speaks of: plan, places among the found, and packed."""
        alone = names.alone()[found.rows]
        for every, table in found.groups:
            if not table.shape[1]:
                continue
            kept = np.flatnonzero(alone[every])
            places, records = every[kept], table[kept]
            routes = records[:, : HEADER.itemsize].view(HEADER)["route"][:, 0]
            for plan, rows in self._by_plan(routes):
                packed = records[rows].view(record_type(plan.outcome.tail))[:, 0]
                yield plan, places[rows], packed

    def _by_plan(self, routes: Ints) -> Iterator[tuple[Plan, Ints]]:
        """Plans with the rows whose routes were read under them."""
        numbers = np.flatnonzero(np.bincount(routes))
        plans = [
            self._context.routes.plan_of(number, self._context.plans) for number in numbers.tolist()
        ]
        owners = np.array([id(plan) for plan in plans], np.int64)
        each = owners[np.searchsorted(numbers, routes)]
        for plan in {id(plan): plan for plan in plans}.values():
            yield plan, np.flatnonzero(each == id(plan))

    def _one_by_one(
        self,
        heard: Heard,
        found: Found,
        left: Sequence[int],
        changes: LabelChanges,
    ) -> None:
        """Join, or keep, the rows that are left, prediction by prediction."""
        grouped: dict[bytes, list[int]] = defaultdict(list)
        for place in left:
            grouped[heard.names[place]].append(place)
        at = {row: place for place, row in enumerate(found.rows.tolist())} if left else {}
        records = found.records() if left else []
        told: list[tuple[bytes, Pending, Plan, Labels]] = []
        changed: dict[int, bytes] = {}
        for name, places in grouped.items():
            waiting = [waiting_of(heard.row(place), self._context.skew_ms) for place in places]
            known = at.get(places[0])
            if known is not None and records[known]:
                # A prediction that has lapsed is none, whether it has left the store or not.
                pending = Pending.unpack(records[known])
                plan = self._context.routes.plan_of(pending.route, self._context.plans)
                until_ms = pending.time_ms + plan.kept_ms
                met = [item for item in waiting if item.watermark_ms <= until_ms]
                waiting = waiting[len(met) :]
                if pending.shadowed:
                    told.append((name, pending, plan, labels_of(pending)))
                prediction_id = heard.row(places[0]).row.event.prediction_id
                self.meet(prediction_id, pending, met, plan, changes)
                packed = pending.pack()
                if packed != records[known]:
                    changed[known] = packed
            if waiting:
                self._wait(keys.WAITING + name, waiting)
        each = np.fromiter(changed, np.int64, len(changed))
        self._context.store.update(
            heard.names.take(found.rows[each]), list(changed.values()), found.until_ms[each]
        )
        self._pairing.labels_changed(told, changes)

    def meet(
        self,
        prediction_id: str,
        pending: Pending,
        feedback: Sequence[Waiting],
        plan: Plan,
        changes: LabelChanges,
    ) -> None:
        """Let feedback meet its prediction, which changes in place."""
        route = self._context.routes[pending.route]
        for item in feedback:
            before = pending.final
            changed, dead = apply(pending, item, plan)
            changes.extend(plan, changed)
            if dead is not None:
                self._context.notes.dead.append(dead)
                continue
            self._context.notes.tally.joined[plan.policy.model] += 1
            asked = review.dispute(plan, route, prediction_id, pending, before, item)
            if asked is not None:
                self._context.notes.reviews.append(asked)

    def _wait(self, place: bytes, feedback: Sequence[Waiting]) -> None:
        (known,) = self._context.store.get_many([place])
        every = unpack_waiting(known) if known is not None else []
        before = len(every)
        for item in feedback:
            if len(pack_waiting([*every, item])) <= WAITING_BYTES:
                every.append(item)
            else:
                self._context.notes.dead.append(crowded(item, len(every)))
        if len(every) == before:
            return
        self._context.store.put(place, pack_waiting(every))
        until_ms = max(item.until_ms for item in every)
        self._context.lapses.note(keys.WAITING, place, until_ms=until_ms)


def _octets(records: NDArray[np.void]) -> Octets:
    """Packed records as bytes, shape (n, width)."""
    return records.view(np.uint8).reshape(len(records), records.itemsize)

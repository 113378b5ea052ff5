"""The INGEST pipeline of one shard: records in, pane deltas out.

decode → watermarks → admit → join → panes, in columns, then a checkpoint that holds all of it.
A shard is partition p of ``predictions`` and of ``feedback``. It holds no panes between
checkpoints: each checkpoint hands on what the rows since the last one add up to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from schemas import topics
from schemas.dead_letters import DeadLetter, Reason
from schemas.review import ReviewRequest
from schemas.summaries import Mark, Part
from streams.control import Control
from streams.ingest import admit, keys, review
from streams.ingest.checkpoint import Checkpoint, ShardState, Tally
from streams.ingest.decode import decode_feedback, decode_predictions
from streams.ingest.join import apply, crowded
from streams.ingest.label_changes import LabelChanges, Labels, labels_of
from streams.ingest.lapse import Lapses, lapse
from streams.ingest.observe import count, observe
from streams.ingest.pairing import Pairing
from streams.ingest.panes import Panes, Slots
from streams.ingest.pending import (
    WAITING_BYTES,
    Pending,
    Waiting,
    pack_new,
    pack_waiting,
    unpack_waiting,
    waiting_of,
)
from streams.ingest.plan import Plan, Plans
from streams.ingest.routes import Route, Routes
from streams.ingest.spells import shadows_apart, spells_of
from streams.ingest.store import Base, Overlay
from streams.ingest.watermark import BEFORE_ALL
from streams.records import Record


class Shard:
    """One shard.

    Parameters
    ----------
    number, count
        Which shard of how many.
    control
        Policies, references and deployments known so far; shared, it may grow.
    base
        The committed part of the join store.
    partitions_of
        The topic's partitioner, to find rows on the wrong partition.
    skew_ms
        How far an event's time may lie after the broker's.
    look
        Reads the control topics to their end, before rows are refused for want of a policy: it
        may be in the log already and not have come here yet. False if it did so a moment ago.
    """

    def __init__(
        self,
        *,
        number: int,
        count: int,
        control: Control,
        base: Base,
        partitions_of: admit.PartitionsOf,
        state: ShardState,
        routes: dict[int, Route],
        skew_ms: int = 300_000,
        look: Callable[[], bool] = lambda: False,
    ) -> None:
        self._number = number
        self._count = count
        self._plans = Plans(control)
        self._store = Overlay(base)
        self._partitions_of = partitions_of
        self._skew_ms = skew_ms
        self._look = look
        self._state = state
        self._routes = Routes()
        self._routes.load(routes)
        self._panes = Panes(self._routes)
        self._lapses = Lapses()
        self._pairing = Pairing(self._store, self._routes, self._panes, self._lapses)
        self._dead: list[DeadLetter] = []
        self._reviews: list[ReviewRequest] = []
        self._tally = Tally()
        self._idle_ms: int | None = None
        self._silent = False

    @property
    def state(self) -> ShardState:
        """What is remembered; do not change it."""
        return self._state

    def apply(self, records: Sequence[Record]) -> None:
        """Take records of both topics, each topic in order of offset; seen offsets are skipped."""
        self._idle_ms = None
        offsets = self._state.offsets
        by_topic: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_topic[record.topic].append(record)
        for topic, read in by_topic.items():
            new = _unseen(read, offsets.get(topic, 0))
            self.reach({topic: read[-1].offset + 1})
            if topic.endswith(topics.PREDICTIONS):
                self._predictions(new)
            else:
                self._feedback(new)

    def reach(self, positions: Mapping[str, int]) -> None:
        """Say that every record before these offsets has been applied: marks are no records."""
        for topic, offset in positions.items():
            self._state.offsets[topic] = max(offset, self._state.offsets.get(topic, 0))

    def idle(self, elapsed_ms: int | None) -> None:
        """Say that both topics have been read to their ends for so long; None ends it."""
        self._idle_ms = elapsed_ms

    def silent(self, silent: bool) -> None:
        """Say whether feedback has been read to its end for a while, though predictions come."""
        self._silent = silent

    def checkpoint(self) -> Checkpoint:
        """Everything since the last checkpoint."""
        state = self._state
        state.sequence += 1
        lapsed = lapse(self._store, pending_ms=self._labels_ms(), waiting_ms=state.predictions_ms)
        state.pending -= lapsed.dropped
        self._lapses.save(self._store, state.epoch, state.sequence)
        tally, self._tally = self._tally, Tally()
        dead, self._dead = self._dead + lapsed.dead, []
        reviews, self._reviews = self._reviews, []
        return Checkpoint(
            state=msgspec.structs.replace(state, offsets=dict(state.offsets)),
            new_routes=self._routes.new(),
            join_changes=self._store.take(),
            panes=self._panes.take(),
            mark=self._mark(),
            dead=dead,
            reviews=reviews,
            tally=tally,
            more=lapsed.more,
        )

    def _mark(self) -> Mark:
        idle_ms = self._idle_ms
        labels_ms = self._labels_ms() if idle_ms is None else self._state.predictions_ms
        return Mark(
            shard=self._number,
            shards=self._count,
            predictions_ms=_moved(self._state.predictions_ms, idle_ms),
            labels_ms=_moved(labels_ms, idle_ms),
            idle=idle_ms is not None,
        )

    def _labels_ms(self) -> int:
        """The smaller of both watermarks; but silent feedback holds nothing back for ever.

        Once no label could be joined any more, a model that gets none is done waiting.
        """
        both_ms = min(self._state.predictions_ms, self._state.feedback_ms)
        if not self._silent:
            return both_ms
        longest_ms = self._plans.longest_kept_ms(self._state.predictions_ms)
        if longest_ms is None:
            return both_ms
        return max(both_ms, self._state.predictions_ms - longest_ms)

    def _predictions(self, records: Sequence[Record]) -> None:
        decoded = decode_predictions(records)
        timed = admit.watermarks(decoded, self._state.predictions_ms, self._skew_ms)
        self._state.predictions_ms = timed.after_ms
        lost = admit.strays(
            [admit.key_of(row.event) for row in decoded.rows], self._number, self._partitions_of
        )
        rows, stray, dead = admit.admit_predictions(decoded, timed, self._plans, lost)
        if _lacks_policy(dead) and self._look():
            rows, stray, dead = admit.admit_predictions(decoded, timed, self._plans, lost)
        self._dead += decoded.dead + timed.dead + dead
        spells = spells_of(rows)
        if stray or len(spells) > 1:
            self._number_in_order([*rows, *stray])
        self._count_rows("n_stray", stray)
        for spell in spells:
            self._take(spell)

    def _take(self, rows: list[admit.Admitted]) -> None:
        """Take rows of which none lapses before the last of them."""
        served, shadows = shadows_apart(rows)
        places = [keys.PENDING + item.name for item in served]
        waits = [keys.WAITING + item.name for item in served]
        found = self._store.get_many(places + waits)
        fresh, duplicates = self._split_duplicates(served, found[: len(served)])
        early = {
            place: value
            for place, value in zip(waits, found[len(served) :], strict=True)
            if value is not None
        }
        beside, twice, crowd = self._pairing.split(shadows)
        duplicates += twice
        self._dead += crowd
        groups = _by_plan(fresh)
        if duplicates or shadows or len(groups) > 1:
            self._number_in_order(rows)
        self._count_rows("n_duplicate", duplicates)
        for item in duplicates:
            self._tally.duplicates[item.row.event.model] += 1
        changes = LabelChanges()
        for plan, group in groups:
            self._observe(plan, group, early, changes)
        if beside:
            self._observe_shadows(beside, fresh, changes)
        changes.add_to(self._panes)

    def _split_duplicates(
        self, rows: list[admit.Admitted], found: list[bytes | None]
    ) -> tuple[list[admit.Admitted], list[admit.Admitted]]:
        """Rows seen for the first time, and rows whose id is pending already; the first wins.

        A prediction that has lapsed is none, whether it has left the store by now or not.
        """
        fresh: list[admit.Admitted] = []
        duplicates: list[admit.Admitted] = []
        seen: set[bytes] = set()
        for item, packed in zip(rows, found, strict=True):
            known = None if packed is None else Pending.unpack(packed)
            if known is not None and (
                item.watermark_ms > known.time_ms + self._plan_of(known).kept_ms
            ):
                self._state.pending -= item.name not in seen
                known = None
            if item.name in seen or known is not None:
                duplicates.append(item)
            else:
                seen.add(item.name)
                fresh.append(item)
        return fresh, duplicates

    def _plan_of(self, pending: Pending) -> Plan:
        route = self._routes[pending.route]
        plan = self._plans.of(route.policy, route.reference)
        if plan is None:
            raise LookupError(f"policy {route.policy} of {route.model} is gone from the log")
        return plan

    def _observe(
        self,
        plan: Plan,
        rows: list[admit.Admitted],
        early: Mapping[bytes, bytes],
        changes: LabelChanges,
    ) -> None:
        events = [item.row.event for item in rows]
        times_ms = [item.row.time_ms for item in rows]
        tails = plan.outcome.pack([event.output for event in events])
        routes = self._routes.number_each(plan, events)
        observe(plan, events, tails, _slots(plan, rows, routes), self._panes)
        self._reviews += review.requests(plan, rows, tails, routes, self._routes)
        packed = pack_new([not item.late for item in rows], routes, times_ms, tails)
        shadows = self._pairing.waiting_for(rows, self._state.shadowed)
        for i, item in enumerate(rows if early or shadows else ()):
            place = keys.WAITING + item.name
            if place not in early and item.name not in shadows:
                continue
            pending = Pending.unpack(packed[i])
            if place in early:
                waiting = unpack_waiting(early[place])
                self._meet(events[i].prediction_id, pending, waiting, plan, changes)
                self._store.delete(place)
            if item.name in shadows:
                self._pairing.served_came(item, pending, shadows[item.name], changes)
            packed[i] = pending.pack()
        places = [keys.PENDING + item.name for item in rows]
        self._store.put_many(places, packed)
        self._lapses.note_many(keys.PENDING, places, times_ms=times_ms, kept_ms=plan.kept_ms)
        self._count_new(plan, rows)

    def _observe_shadows(
        self, rows: list[admit.Admitted], served: list[admit.Admitted], changes: LabelChanges
    ) -> None:
        """Shadows that name the answer they stand beside, after the answers of the same batch."""
        state = self._state
        state.shadowed = tuple(sorted({*state.shadowed, *(item.row.event.model for item in rows)}))
        served_ms = {item.name: item.watermark_ms for item in served}
        for plan, group in _by_plan(rows):
            events = [item.row.event for item in group]
            tails = plan.outcome.pack([event.output for event in events])
            routes = self._routes.number_each(plan, events)
            slots = _slots(plan, group, routes)
            observe(plan, events, tails, slots, self._panes)
            count(plan, "n_pair", slots, self._panes)
            state.pending -= self._pairing.shadows_came(
                plan, group, routes, tails, served_ms, changes
            )
            self._count_new(plan, group)

    def _count_new(self, plan: Plan, rows: list[admit.Admitted]) -> None:
        self._state.pending += len(rows)
        model = plan.policy.model
        self._tally.predictions[model] += len(rows)
        self._tally.late[model] += sum(item.late for item in rows)

    def _feedback(self, records: Sequence[Record]) -> None:
        decoded = decode_feedback(records)
        timed = admit.watermarks(decoded, self._state.feedback_ms, self._skew_ms)
        self._state.feedback_ms = timed.after_ms
        lost = admit.strays(
            [row.event.prediction_id for row in decoded.rows], self._number, self._partitions_of
        )
        rows, dead = admit.admit_feedback(decoded, timed, self._plans, lost)
        if _lacks_policy(dead) and self._look():
            rows, dead = admit.admit_feedback(decoded, timed, self._plans, lost)
        self._dead += decoded.dead + timed.dead + dead
        grouped: dict[tuple[str, str], list[admit.AdmittedFeedback]] = defaultdict(list)
        for item in rows:
            grouped[item.row.event.model, item.row.event.prediction_id].append(item)
        places = [keys.key(keys.PENDING, *who) for who in grouped]
        changes = LabelChanges()
        told: list[tuple[bytes, Pending, Plan, Labels]] = []
        for (who, items), place, known in zip(
            grouped.items(), places, self._store.get_many(places), strict=True
        ):
            waiting = [waiting_of(item, self._skew_ms) for item in items]
            if known is not None:
                # A prediction that has lapsed is none, whether it has left the store or not.
                pending = Pending.unpack(known)
                plan = self._plan_of(pending)
                until_ms = pending.time_ms + plan.kept_ms
                met = [item for item in waiting if item.watermark_ms <= until_ms]
                waiting = waiting[len(met) :]
                if pending.shadowed:
                    told.append((keys.name(*who), pending, plan, labels_of(pending)))
                self._meet(who[1], pending, met, plan, changes)
                self._store.put(place, pending.pack())
            if waiting:
                self._wait(keys.key(keys.WAITING, *who), waiting)
        self._pairing.labels_changed(told, changes)
        changes.add_to(self._panes)

    def _meet(
        self,
        prediction_id: str,
        pending: Pending,
        feedback: list[Waiting],
        plan: Plan,
        changes: LabelChanges,
    ) -> None:
        route = self._routes[pending.route]
        for item in feedback:
            before = pending.final
            changed, dead = apply(pending, item, plan)
            changes.extend(plan, changed)
            if dead is not None:
                self._dead.append(dead)
                continue
            self._tally.joined[plan.policy.model] += 1
            asked = review.dispute(plan, route, prediction_id, pending, before, item)
            if asked is not None:
                self._reviews.append(asked)

    def _wait(self, place: bytes, feedback: list[Waiting]) -> None:
        (known,) = self._store.get_many([place])
        every = unpack_waiting(known) if known is not None else []
        before = len(every)
        for item in feedback:
            if len(pack_waiting([*every, item])) <= WAITING_BYTES:
                every.append(item)
            else:
                self._dead.append(crowded(item, len(every)))
        if len(every) == before:
            return
        self._store.put(place, pack_waiting(every))
        until_ms = max(item.until_ms for item in every)
        self._lapses.note(keys.WAITING, place, time_ms=until_ms, kept_ms=0)

    def _number_in_order(self, rows: list[admit.Admitted]) -> None:
        """Which segments still find room follows from the log, not from where a batch ends."""
        for item in sorted(rows, key=lambda item: (item.row.record.offset, item.row.index)):
            event = item.row.event
            self._routes.number(item.plan, event.version, event.arm, event.segments, event.groups)

    def _count_rows(self, field_name: str, rows: list[admit.Admitted]) -> None:
        for plan, group in _by_plan(rows):
            routes = self._routes.number_each(plan, [item.row.event for item in group])
            count(plan, field_name, _slots(plan, group, routes), self._panes)


def _lacks_policy(dead: list[DeadLetter]) -> bool:
    return any(letter.reason is Reason.NO_POLICY for letter in dead)


def _unseen(records: list[Record], offset: int) -> list[Record]:
    if records[0].offset >= offset:
        return records
    return [record for record in records if record.offset >= offset]


def _slots(plan: Plan, rows: list[admit.Admitted], routes: list[int]) -> Slots:
    parts = [Part.LATE_INPUT if item.late else Part.INPUT for item in rows]
    times_ms = np.array([item.row.time_ms for item in rows], np.int64)
    return Slots.of(routes, parts, times_ms - times_ms % plan.pane_ms)


def _by_plan(rows: list[admit.Admitted]) -> list[tuple[Plan, list[admit.Admitted]]]:
    groups: dict[int, list[admit.Admitted]] = defaultdict(list)
    for item in rows:
        groups[id(item.plan)].append(item)
    return [(group[0].plan, group) for group in groups.values()]


def _moved(watermark_ms: int, idle_ms: int | None) -> int | None:
    if watermark_ms == BEFORE_ALL:
        return None
    return watermark_ms + (idle_ms or 0)

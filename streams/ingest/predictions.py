"""The predictions of a shard: they are counted, and wait for their truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from detectors.inputs import SAMPLED
from detectors.outcomes.contract import Tails
from detectors.summary import Ints
from schemas.overload import Shed
from schemas.summaries import Part
from streams.ingest import review
from streams.ingest.admit.admitted import timed
from streams.ingest.admit.block import Block
from streams.ingest.admit.numbered import REFUSED, Numbered
from streams.ingest.admit.predictions import admit_predictions, too_many_versions
from streams.ingest.admit.sampling import sampled_in, until_ms
from streams.ingest.admit.spells import spells_of
from streams.ingest.columns.codes import coded
from streams.ingest.columns.ragged import Octets
from streams.ingest.context import Context
from streams.ingest.decode.json_predictions import JsonPredictions, Run
from streams.ingest.decode.rows import PredictionRows
from streams.ingest.decode.runs import runs_of
from streams.ingest.feedback import Feedback
from streams.ingest.join.label_changes import LabelChanges
from streams.ingest.join.pairing import Pairing
from streams.ingest.join.shadows import Shadows
from streams.ingest.panes.cohorts import Cohort, Cohorts, Member
from streams.ingest.panes.observe import count, count_cut, observe
from streams.ingest.panes.observe_in_part import observe_in_part
from streams.ingest.panes.panes import PLACES, Slots
from streams.ingest.panes.shedding import Level
from streams.ingest.store import keys
from streams.ingest.store.found import Found
from streams.ingest.store.pending import Pending, pack_new, unpack_waiting
from streams.records import Records


class Predictions:
    """The predictions of a shard."""

    def __init__(self, context: Context, pairing: Pairing, feedback: Feedback) -> None:
        self._context = context
        self._pairing = pairing
        self._feedback = feedback
        self._json = JsonPredictions()
        self._cohorts = Cohorts()

    def take(self, records: Records) -> None:
        """Take records of the predictions topic in order of offset."""
        for run in runs_of(records, self._json.read):
            self._take(run)

    def _take(self, run: Run) -> None:
        rows = run.rows
        seen = timed(
            rows.times_ms,
            rows.stamps_ms,
            run.beats,
            previous_ms=self._context.state.predictions_ms,
            skew_ms=self._context.skew_ms,
        )
        self._context.state.predictions_ms = seen.after_ms
        strays = self._context.strays(rows.keys())
        block, dead = self._context.admitted(
            lambda: admit_predictions(rows, seen, self._context.plans, strays)
        )
        self._context.notes.dead += [*run.dead, *seen.dead, *dead]
        if not len(block):
            return
        block = self._let_in(block)
        if block.stray.any():
            self._count("n_stray", block.take(np.flatnonzero(block.stray)))
            block = block.take(np.flatnonzero(~block.stray))
        for spell in spells_of(block):
            self._spell(spell)

    def _let_in(self, block: Block) -> Block:
        """Rows with their routes; those of versions that find no room become dead letters."""
        block = self._numbered(block)
        if REFUSED in block.routes and self._context.look():
            block = self._numbered(block)
        refused = block.routes == REFUSED
        if not refused.any():
            return block
        self._context.notes.dead += [
            too_many_versions(block.rows, row, block.plan(row))
            for row in np.flatnonzero(refused & ~block.stray).tolist()
        ]
        return block.take(np.flatnonzero(~refused))

    def _numbered(self, block: Block) -> Block:
        """With the routes of all rows, also of those that are counted only: which segments still
        find room follows from the log, not from where a batch ends."""
        self._json.learn(block.plans, block.which, block.rows)
        keys_of = [plan.slices for plan in block.plans]
        if len({plan.policy.model for plan in block.plans}) < len(block.plans):
            # Rows of one model under two plans take turns.
            turns = np.flatnonzero(np.diff(block.which)) + 1
            runs = np.split(np.arange(len(block)), turns)
            groups = [(keys_of[block.which[rows[0]]], rows) for rows in runs]
        else:
            distinct, codes = coded(keys_of)
            places = codes[block.which]
            groups = [(each, np.flatnonzero(places == i)) for i, each in enumerate(distinct)]
        parts = []
        for slices, chosen in groups:
            rows = block.rows.take(chosen)
            kinds = rows.kinds(slices)
            found = self._context.routes.find_each(
                block.plans, block.which[chosen], *kinds, rows.times_ms
            )
            parts.append((chosen, found))
        together = parts[0][1] if len(parts) == 1 else Numbered.together(len(block), parts)
        return replace(block, numbered=together)

    def _spell(self, block: Block) -> None:
        """Take rows of which none lapses before the last of them."""
        beside = block.rows.shadows()
        shadows = beside.any()
        served = block.take(np.flatnonzero(~beside)) if shadows else block
        names = served.names
        found = self._context.store.find(names)
        early = self._context.store.waiting(keys.WAITING, names)
        fresh = self._fresh(served, found)
        changes = LabelChanges()
        self._insert(fresh, early, changes)
        if shadows:
            self._shadows(block.take(np.flatnonzero(beside)), fresh, changes)
        changes.add_to(self._context.panes)

    def _insert(self, block: Block, early: Mapping[bytes, bytes], changes: LabelChanges) -> None:
        """Count new predictions, and let those of the sample wait for their truth."""
        inside = sampled_in(block)
        lapse_ms = until_ms(block, inside)
        widths: defaultdict[int, list[tuple[Ints, Octets]]] = defaultdict(list)
        # Names are taken all at once: of rows of many models most takes would be for nothing.
        nameless = replace(block)
        for member in self._cohorts.split(block, self._context.state.levels):
            chosen = member.rows
            kept = np.flatnonzero(inside[chosen])
            packed = self._observe(member, nameless.take(chosen), kept, early, changes)
            widths[packed.shape[1]].append((chosen[kept], packed))
        outside = np.flatnonzero(~inside)
        if outside.size:
            self._let_go(block.take(outside), early)
            widths[0].append((outside, np.zeros((outside.size, 0), np.uint8)))
        for parts in widths.values():
            if len(parts) == 1 and len(parts[0][0]) == len(block):
                self._context.store.insert(block.names, parts[0][1], lapse_ms)
                continue
            rows = np.concatenate([chosen for chosen, _ in parts])
            packed = np.concatenate([each for _, each in parts])
            self._context.store.insert(block.names.take(rows), packed, lapse_ms[rows])

    def _let_go(self, block: Block, early: Mapping[bytes, bytes]) -> None:
        """Count feedback that waited for predictions outside of the sample."""
        if not early:
            return
        for row, name in enumerate(block.names):
            if name in early:
                model = block.plan(row).policy.model
                self._context.notes.tally.sampled_out[model] += len(unpack_waiting(early[name]))
                self._context.store.delete(keys.WAITING + name)

    def _fresh(self, block: Block, found: Found) -> Block:
        """Rows seen for the first time; the others, whose id is pending already, are counted.

        A prediction that has lapsed is none, whether it has left the store by now or not.
        """
        fresh = np.ones(len(block), np.bool_)
        fresh[found.rows[block.watermarks_ms[found.rows] <= found.until_ms]] = False
        if fresh.all():
            fresh = block.names.firsts()
        else:
            rows = np.flatnonzero(fresh)
            fresh[rows] = block.names.take(rows).firsts()
        if not fresh.all():
            self._count_duplicates(block.take(np.flatnonzero(~fresh)))
        return block.take(np.flatnonzero(fresh))

    def _observe(
        self,
        member: Member,
        block: Block,
        kept: Ints,
        early: Mapping[bytes, bytes],
        changes: LabelChanges,
    ) -> Octets:
        """Add predictions of a cohort to their panes; records of those in the sample, ``kept``."""
        cohort, which, plan = member.cohort, member.which, member.cohort.first
        tails = block.rows.tails(plan.outcome)
        slots = _slots(cohort, which, block)
        level = self._add(cohort, which, block.rows, tails, slots)
        count_cut(plan, block.numbered, slots, self._context.panes)
        self._count_new(block)
        if plan.sample < 1.0:
            block, tails = block.take(kept), tails[kept]
            which = None if which is None else which[kept]
            count(plan, SAMPLED, _slots(cohort, which, block), self._context.panes)
        if not level.sheds(Shed.EXTRAS) and any(each.asks for each in cohort.plans):
            for each, rows in block.by_plan():
                asked = review.requests(each, block.take(rows), tails[rows], self._context.routes)
                self._context.notes.reviews += asked
        packed = pack_new(~block.late, block.routes, block.rows.times_ms, tails)
        shadows = self._pairing.waiting_for(block, self._context.state.shadowed)
        if early or shadows:
            self._meet(block, packed, early, shadows, changes)
        return packed

    def _add(
        self, cohort: Cohort, which: Ints | None, rows: PredictionRows, tails: Tails, slots: Slots
    ) -> Level:
        """Add rows to their panes at the level of shedding in force, which is returned."""
        plan = cohort.first
        level = Level(self._context.state.levels.get(plan.policy_hash, Level.NONE))
        if level is Level.NONE:
            observe(cohort, which, rows, tails, slots, self._context.panes)
            return level
        lost = observe_in_part(
            cohort, level, rows, tails, slots, self._context.panes, self._context.routes
        )
        for kind, n in lost.items():
            self._context.notes.tally.shed[plan.policy.model, kind] += n
        return level

    def _meet(
        self,
        block: Block,
        packed: Octets,
        early: Mapping[bytes, bytes],
        shadows: Mapping[bytes, Shadows],
        changes: LabelChanges,
    ) -> None:
        """Let feedback and shadows that came first meet their predictions."""
        meeting = [row for row, name in enumerate(block.names) if name in early or name in shadows]
        items = block.take(np.array(meeting, np.int64)).admitted()
        for row, item in zip(meeting, items, strict=True):
            pending = Pending.unpack(packed[row].tobytes())
            if item.name in early:
                waiting = unpack_waiting(early[item.name])
                name = item.row.event.prediction_id
                self._feedback.meet(name, pending, waiting, item.plan, changes)
                self._context.store.delete(keys.WAITING + item.name)
            if item.name in shadows:
                self._pairing.served_came(item, pending, shadows[item.name], changes)
            packed[row] = np.frombuffer(pending.pack(), np.uint8)

    def _shadows(self, block: Block, served: Block, changes: LabelChanges) -> None:
        """Shadows that name the answer they stand beside, after the answers of the same batch."""
        inside = sampled_in(block)
        lapse_ms = until_ms(block, inside)
        split = self._pairing.split(block.admitted(), lapse_ms)
        self._context.notes.dead += split.dead
        if len(split.twice):
            self._count_duplicates(block.take(split.twice))
        fresh = block.take(split.fresh)
        models = {plan.policy.model for plan, _ in fresh.by_plan()}
        self._context.state.shadowed = tuple(sorted({*self._context.state.shadowed, *models}))
        served_ms = dict(zip(served.names, served.watermarks_ms.tolist(), strict=True))
        for plan, chosen in fresh.by_plan():
            group = fresh.take(chosen)
            tails = group.rows.tails(plan.outcome)
            cohort = self._cohorts.alone(plan)
            slots = _slots(cohort, None, group)
            self._add(cohort, None, group.rows, tails, slots)
            count_cut(plan, group.numbered, slots, self._context.panes)
            places = split.fresh[chosen]
            paired = _slots(cohort, None, group.take(np.flatnonzero(inside[places])))
            for field in ("n_pair", SAMPLED) if plan.sample < 1.0 else ("n_pair",):
                count(plan, field, paired, self._context.panes)
            self._context.state.pending -= self._pairing.shadows_came(
                plan,
                group.admitted(),
                group.routes.tolist(),
                tails,
                lapse_ms[places],
                served_ms,
                changes,
            )
            self._count_new(group)

    def _count_new(self, block: Block) -> None:
        self._context.state.pending += len(block)
        tally = self._context.notes.tally
        counts, late = np.bincount(block.which), np.bincount(block.which, block.late)
        for place in np.flatnonzero(counts).tolist():
            model = block.plans[place].policy.model
            tally.predictions[model] += int(counts[place])
            tally.late[model] += int(late[place])

    def _count_duplicates(self, block: Block) -> None:
        self._count("n_duplicate", block)
        for plan, chosen in block.by_plan():
            self._context.notes.tally.duplicates[plan.policy.model] += len(chosen)

    def _count(self, field: str, block: Block) -> None:
        """Count rows that are not observed in one field of their panes."""
        for cohort, rows, which in self._cohorts.split(block, ()):
            count(cohort.first, field, _slots(cohort, which, block.take(rows)), self._context.panes)


def _slots(cohort: Cohort, which: Ints | None, block: Block) -> Slots:
    """Where rows of a cohort count."""
    parts = np.where(block.late, PLACES[Part.LATE_INPUT], PLACES[Part.INPUT])
    starts_ms = cohort.starts_ms(block.rows.times_ms, which)
    return Slots.in_columns(block.routes, parts, starts_ms)

"""Observe in part: what new predictions add to input panes while their shard is too far behind."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from detectors.inputs import shed_field
from detectors.outcomes.contract import Tails
from detectors.summary import Ints
from detectors.sums import Sums
from schemas.overload import Shed
from schemas.predictions import Arm
from streams.ingest.admit.routes import Routes
from streams.ingest.decode.rows import PredictionRows
from streams.ingest.panes.cohorts import Cohort
from streams.ingest.panes.observe import add_answers, add_extras, add_features
from streams.ingest.panes.panes import Panes, Slots
from streams.ingest.panes.shedding import Level, sampled

Lost = dict[Shed, int]
"""How many rows were counted without something."""


def observe_in_part(
    cohort: Cohort,
    level: Level,
    rows: PredictionRows,
    tails: Tails,
    slots: Slots,
    panes: Panes,
    routes: Routes,
) -> Lost:
    """Add n predictions to their panes, without what a level sheds; the cohort has one plan.

    Each row is counted, and so is what it lacks, in its own panes.
    """
    plan = cohort.first
    n_slots = len(slots.distinct)
    own = [routes[slot.route] for slot in slots.distinct]
    every = Sums(plan.inputs, slots.groups, n_slots)
    without: dict[Shed, Ints] = {}
    whole: Ints = np.arange(len(rows))
    if level.sheds(Shed.SHADOWS):
        shadow = np.array([route.arm == Arm.SHADOW for route in own])[slots.groups]
        without[Shed.SHADOWS], whole = np.flatnonzero(shadow), np.flatnonzero(~shadow)
        every.ones("n", without[Shed.SHADOWS])
    if level.sheds(Shed.SEGMENTS):
        sliced = np.array([bool(route.segments) for route in own])[slots.groups[whole]]
        without[Shed.SEGMENTS] = whole[sliced]
    kept = rows.take(whole)
    build = Sums(plan.inputs, slots.groups[whole], n_slots)
    add_answers(build, cohort, None, kept, tails[whole])
    found = build.sums
    if plan.has_extras and level.sheds(Shed.EXTRAS):
        without[Shed.EXTRAS] = whole
    else:
        add_extras(build, plan, kept)
    if plan.features and level.sheds(Shed.FEATURES):
        hashes = np.fromiter(map(crc32, kept.keys()), np.uint64, len(kept))
        chosen = sampled(level, hashes)
        without[Shed.FEATURES] = np.delete(whole, chosen)
        part = Sums(plan.inputs, slots.groups[whole[chosen]], n_slots)
        add_features(part, cohort, None, kept.take(chosen))
        found = found + part.sums
    else:
        add_features(build, cohort, None, kept)
    for kind, lacking in without.items():
        every.ones(shed_field(kind), lacking)
    size = plan.counted_size if level.sheds(Shed.SEGMENTS) else plan.segment_size
    panes.add_sums(plan, found + every.sums, slots, labels=False, segment_size=size)
    return {kind: len(lacking) for kind, lacking in without.items()}

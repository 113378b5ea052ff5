"""Sampling: of a model with too many predictions only a share waits for labels.

Who does follows from a hash of model and id, so prediction, feedback and shadows of one answer go
together, and whoever reads the log again chooses the same. The others leave a record of no bytes
in the join store, by which a repeated id is known for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from detectors.summary import Floats, Ints
from streams.ingest.admit.block import Block
from streams.ingest.admit.feedback import Heard
from streams.ingest.decode.rows import Bools
from streams.ingest.draw import uniform
from streams.ingest.plan import Plans, Spell
from streams.ingest.store.found import Found
from streams.ingest.store.names import Hashes, Names

_SEED: Final = np.uint64(0xD1B54A32D192ED03)
"""Who is in the sample does not follow from any other use of the hash."""


def draws(hashes: Hashes) -> Floats:
    """A number in [0, 1) for each name's hash, shape kept: it is in every larger share.

    Examples
    --------
    >>> names = Names.of("m", [f"id-{i}" for i in range(10_000)])
    >>> float((draws(names.hashes) < 0.25).mean().round(2))
    0.25
    """
    return uniform(hashes ^ _SEED)


def sampled_in(block: Block) -> Bools:
    """Which rows wait for a label, shape (n,)."""
    shares = np.array([plan.sample for plan in block.plans])
    if (shares == 1.0).all():
        return np.ones(len(block), np.bool_)
    return np.asarray(draws(block.names.hashes) < shares[block.which])


def until_ms(block: Block, inside: Bools) -> Ints:
    """When rows lapse, of which those ``inside`` wait for a label; shape (n,)."""
    kept_ms = np.array([(plan.dedupe_ms, plan.kept_ms) for plan in block.plans], np.int64)
    lapse_ms: Ints = block.rows.times_ms + kept_ms[block.which, inside.astype(np.int64)]
    return lapse_ms


class Shares(NamedTuple):
    """The least and the largest share under which predictions may have been read, (n,) each."""

    least: Floats
    largest: Floats


def shares(spells: Sequence[Spell], times_ms: Ints) -> Shares:
    """Shares of the predictions that feedback of these times, shape (n,), may speak of.

    A policy may have taken over between the two, and may take over before a prediction that comes
    after its feedback.
    """
    least, largest = np.ones(len(times_ms)), np.zeros(len(times_ms))
    for start_ms, end_ms, plan in spells:
        able = (times_ms + plan.label_lateness_ms >= start_ms) & (
            times_ms - plan.horizon_ms < end_ms
        )
        np.minimum(least, plan.sample, out=least, where=able)
        np.maximum(largest, plan.sample, out=largest, where=able)
    return Shares(least, largest)


def is_expected(plans: Plans, model: str, name: bytes, time_ms: int) -> bool:
    """Whether the prediction of a name waits for feedback of a time under whichever plan."""
    least, _ = shares(plans.spells(model), np.array([time_ms]))
    return bool(draws(Names.of_bytes([name]).hashes)[0] < least[0])


def sampled_out(heard: Heard, found: Found, plans: Plans) -> Bools:
    """Which of n feedback rows speak of predictions that wait for none, shape (n,).

    What the join store knows of a prediction holds, until it lapses; else the draw decides, and
    where policies differ about it, the row waits.
    """
    out = _drawn_out(heard, plans)
    for places, table in found.groups:
        rows = found.rows[places]
        alive = heard.before_ms[heard.admitted[rows]] <= found.until_ms[places]
        out[rows[alive]] = not table.shape[1]
    return out


def _drawn_out(heard: Heard, plans: Plans) -> Bools:
    """Which rows no plan would let join, shape (n,)."""
    out = np.zeros(len(heard.names), np.bool_)
    which, times_ms = heard.which[heard.admitted], heard.rows.times_ms[heard.admitted]
    for place, plan in enumerate(heard.plans):
        if plan is None:
            continue
        spells = plans.spells(plan.policy.model)
        if any(each.sample < 1.0 for *_, each in spells):
            own = np.flatnonzero(which == place)
            out[own] = draws(heard.names.hashes[own]) >= shares(spells, times_ms[own]).largest
    return out

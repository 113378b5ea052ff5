"""Review: which predictions a person should look at.

Poisson sampling with known chances. Every prediction belongs to one stratum, which follows from
its own score alone, and is chosen with the share of that stratum by a hash of its id. So whoever
reads the log again, in whichever batches, chooses the same, and the inverse of the share is an
unbiased weight for all strata together. Disputes come later, with the labels, and are a sample of
their own.

References
----------
.. [1] Horvitz, Thompson, A generalization of sampling without replacement from a finite universe,
   JASA 47, 1952.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from detectors.outcomes.calibration import BINS, bin_of
from detectors.outcomes.contract import Label, Tails, number
from detectors.outcomes.multiclass import ranked
from detectors.summary import Floats, Ints
from schemas.hot import HotPrediction
from schemas.ids import content_id
from schemas.policy import SCORED, Task
from schemas.predictions import Arm
from schemas.review import ReviewReason, ReviewRequest
from streams.ingest.admit.block import Block
from streams.ingest.admit.routes import Route, Routes
from streams.ingest.draw import uniform
from streams.ingest.join.label_state import FLIPPED, LabelState
from streams.ingest.plan import Plan
from streams.ingest.store import keys
from streams.ingest.store.pending import Pending, Waiting, tails_of

REASONS = (ReviewReason.FLAGGED, ReviewReason.UNCERTAIN, ReviewReason.AUDIT)
"""Reasons that a prediction itself gives, the first that applies."""

TENTHS = tuple(f"{i / BINS:.1f}-{(i + 1) / BINS:.1f}" for i in range(BINS))
"""Strata of the audit of scores."""

LABEL_LENGTH = 200
"""Most characters of a label in a request: a label may be as long as a record."""

_SEEDS = {reason: number(reason) for reason in ReviewReason}


@dataclass(frozen=True, slots=True)
class _Asked:
    """One prediction that was chosen."""

    prediction_id: str
    time_ms: int
    reason: ReviewReason
    stratum: str
    score: float
    label: Label
    because: tuple[object, ...] = ()
    """What tells the request from others for the same prediction and reason."""


def requests(plan: Plan, block: Block, tails: Tails, routes: Routes) -> list[ReviewRequest]:
    """Requests for n new predictions of one plan. Only what the baseline served is asked for."""
    if not plan.asks:
        return []
    review = plan.policy.review
    score = plan.outcome.score(tails)
    place = _reasons(plan, tails, score)
    candidates = np.flatnonzero(place < len(REASONS))
    shares = np.array([review.share(reason) for reason in REASONS])
    seeds = np.array([_SEEDS[reason] for reason in REASONS], np.uint64)
    reasons = place[candidates]
    drawn = draws([block.names[i] for i in candidates.tolist()], seeds[reasons])
    found = []
    for i in candidates[drawn < shares[reasons]].tolist():
        event = block.rows.event(i)
        if event.arm == Arm.BASELINE:
            reason = REASONS[place[i]]
            asked = _Asked(
                prediction_id=event.prediction_id,
                time_ms=int(block.rows.times_ms[i]),
                reason=reason,
                stratum=_stratum(plan, reason, score[i]),
                score=float(score[i]),
                label=_answer(plan, event),
            )
            found.append(_request(plan, routes[int(block.routes[i])], asked))
    return found


def dispute(
    plan: Plan,
    route: Route,
    prediction_id: str,
    pending: Pending,
    before: LabelState,
    said: Waiting,
) -> ReviewRequest | None:
    """The request for a prediction whose label feedback has just reversed, if it is chosen.

    ``before`` is its final label before that. A label is disputed once, until it is taken away:
    whatever is said after the first reversal adds nothing.
    """
    share = plan.policy.review.disputed
    new = pending.final.marks & ~before.marks & FLIPPED
    if not (share and new) or route.arm != Arm.BASELINE:
        return None
    reason = ReviewReason.DISPUTED
    seed = np.array([_SEEDS[reason]], np.uint64)
    if draws([keys.name(route.model, prediction_id)], seed)[0] >= share:
        return None
    asked = _Asked(
        prediction_id=prediction_id,
        time_ms=pending.time_ms,
        reason=reason,
        stratum=reason.value,
        score=float(plan.outcome.score(tails_of([pending.tail], plan.outcome.tail))[0]),
        label=said.label,
        because=(said.time_ms, said.label),
    )
    return _request(plan, route, asked)


def draws(names: Sequence[bytes], seeds: NDArray[np.uint64]) -> Floats:
    """A uniform number in [0, 1) that follows from each name and seed, shape (n,).

    Examples
    --------
    >>> seeds = np.array([1, 1, 2], np.uint64)
    >>> draws([b"p1", b"p2", b"p1"], seeds).round(3).tolist()
    [0.208, 0.29, 0.101]
    """
    return uniform(np.fromiter(map(crc32, names), np.uint64, len(names)) ^ seeds)


def _reasons(plan: Plan, tails: Tails, score: Floats) -> Ints:
    """Place in `REASONS` of the first that applies to each answer, shape (n,); else their count.

    A later one overwrites an earlier one, so the last is set first.
    """
    review, task = plan.policy.review, plan.policy.task
    place = np.full(len(tails), len(REASONS))
    if review.audit:
        place[:] = REASONS.index(ReviewReason.AUDIT)
    if review.uncertain and task in SCORED:
        low = review.low if task is Task.BINARY else 0.0
        band = (score >= low) & (score <= review.high)
        place[band] = REASONS.index(ReviewReason.UNCERTAIN)
    if review.flagged and task in SCORED:
        place[score >= review.flag] = REASONS.index(ReviewReason.FLAGGED)
    place[tails["known"] == 0] = len(REASONS)
    return place


def _stratum(plan: Plan, reason: ReviewReason, score: float) -> str:
    if reason is not ReviewReason.AUDIT:
        return reason.value
    if plan.policy.task not in SCORED:
        return "all"
    return TENTHS[int(bin_of(np.array([score]))[0])]


def _answer(plan: Plan, event: HotPrediction) -> Label:
    """The label that was answered; the best class where only scores were."""
    output = event.output
    if output.label is None and plan.policy.task is Task.MULTICLASS:
        return ranked(output)[0][0]
    return output.label


def _request(plan: Plan, route: Route, asked: _Asked) -> ReviewRequest:
    label = asked.label
    pairs = (segment.split("=", 1) for segment in route.segments)
    return ReviewRequest(
        id=content_id(
            "review",
            route.model,
            asked.prediction_id,
            asked.time_ms,
            asked.reason,
            *asked.because,
        ),
        model=route.model,
        version=route.version,
        prediction_id=asked.prediction_id,
        time_ms=asked.time_ms,
        reason=asked.reason,
        stratum=asked.stratum,
        weight=1.0 / plan.policy.review.share(asked.reason),
        score=None if np.isnan(asked.score) else asked.score,
        label=label[:LABEL_LENGTH] if isinstance(label, str) else label,
        segment={key: value for key, value in pairs if key in plan.policy.segments},
        policy=plan.policy_hash,
    )

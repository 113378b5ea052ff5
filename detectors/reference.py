"""What labelled rows of a reference add to it: the level of each metric, and labels by score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.bets.tempered import local_design_effect
from detectors.outcomes import layout, outcome_of
from detectors.outcomes.calibration import BINS, bin_of
from detectors.outcomes.contract import Answer
from detectors.quantities import LABEL_METRICS, Sums, sums_of
from detectors.seasonal import SLOTS, hour_of_week
from detectors.summary import CellBuilder, Floats, Ints, Layout, scatter
from schemas.policy import Policy
from schemas.reference import (
    HourReference,
    LabelledScores,
    OutcomeReference,
    ReferenceProfile,
)


def with_outcomes(
    profile: ReferenceProfile,
    policy: Policy,
    answers: Sequence[Answer],
    truths: Floats,
    times_ms: Ints | None = None,
) -> ReferenceProfile:
    """The reference with the outcomes of rows whose truth is known.

    Parameters
    ----------
    profile
        Of the same model; its score bins are those that labels are counted by.
    answers
        Outputs of the model, length n.
    truths
        Truths as `detectors.outcomes.contract.Outcome.truth` gives them, shape (n,).
    times_ms
        Event times, shape (n,). They tell how windows scatter and what hours of the week have of
        their own; without them rows count as independent and without a season.

    Raises
    ------
    ValueError
        Sequences of different lengths.
    """
    if len(answers) != len(truths) or (times_ms is not None and len(times_ms) != len(truths)):
        raise ValueError(
            f"{len(answers)} answers and {len(truths)} truths do not belong together; give one "
            f"truth and one time for each answer"
        )
    outcome = outcome_of(policy, profile)
    sums = layout(outcome)
    build = CellBuilder(sums)
    tails = outcome.pack(answers)
    build.ones("n", np.arange(len(answers)))
    build.ones("n_unusable", np.flatnonzero(tails["known"] == 0))
    outcome.add(build, tails, truths)
    cells = build.build()

    def summed(groups: Ints, number: int) -> Ints:
        return scatter(cells, groups, np.ones(len(truths), np.int64), number, sums.size)

    total = summed(np.zeros(len(truths), np.int64), 1)[0]
    found = _levels(sums, total)
    if times_ms is not None:
        starts, windows = np.unique(times_ms // policy.window_ms, return_inverse=True)
        by_window, by_hour = summed(windows, len(starts)), summed(hour_of_week(times_ms), SLOTS)
        slots = hour_of_week(starts * policy.window_ms)
        found = {
            metric: known.model_copy(
                update={
                    "dispersion": _dispersion(
                        sums, by_window, metric, slots if metric in policy.seasonal else None
                    ),
                    "hours": _hours(sums, by_hour, metric),
                }
            )
            for metric, known in found.items()
        }
    outcomes = {**profile.outcomes, **found}
    hits = outcome.positive(tails) & (tails["known"] == 1) & (truths > 0.5)
    labelled = _labelled(sums, total, hits=outcome.score(tails)[hits])
    return profile.model_copy(update={"outcomes": outcomes, "labelled": labelled})


def _levels(sums: Layout, total: Ints) -> dict[str, OutcomeReference]:
    return {
        metric: OutcomeReference(n=level.n, sum=level.s, squares=level.q)
        for metric in LABEL_METRICS
        if (level := sums_of(sums, total, metric)) is not None and level.n > 0
    }


def _dispersion(sums: Layout, vectors: Ints, metric: str, slots: Ints | None) -> float:
    """Design effect from window to window; 1 where there are too few of them to tell."""
    kept = [
        (level, 0 if slots is None else int(slots[place]))
        for place, vector in enumerate(vectors)
        if (level := sums_of(sums, vector, metric)) is not None and level.n > 0
    ]
    if len(kept) < len({slot for _, slot in kept}) + 2:
        return 1.0
    squares = [level.q for level, _ in kept if level.q is not None]
    return local_design_effect(
        n=[level.n for level, _ in kept],
        s=[level.s for level, _ in kept],
        q=squares or None,
        slot=[slot for _, slot in kept],
    )


def _hours(sums: Layout, vectors: Ints, metric: str) -> list[HourReference]:
    levels = [sums_of(sums, vector, metric) or Sums(0, 0.0) for vector in vectors]
    return [HourReference(n=max(level.n, 0), sum=level.s) for level in levels]


def _labelled(sums: Layout, total: Ints, *, hits: Floats) -> LabelledScores | None:
    """Labels by score; ``hits`` are the scores of positive rows that were decided positive."""
    if "bin_n" not in sums:
        return None
    return LabelledScores(
        n=sums.counts(total, "bin_n").tolist(),
        positives=sums.counts(total, "bin_pos").tolist(),
        prob_n=sums.counts(total, "cal_n").tolist(),
        prob_pos=sums.counts(total, "cal_y").tolist(),
        decided=sums.counts(total, "cal_n1").tolist(),
        hits=np.bincount(bin_of(hits), minlength=BINS).tolist(),
    )

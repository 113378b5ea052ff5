"""Which level each metric of a stream may not cross, and where that level comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from detectors.bets.grid import Side
from detectors.inputs import CategoricalFeature, Feature
from detectors.intervals import clopper_pearson_upper, empirical_bernstein_upper
from schemas.alerts import Severity
from schemas.policy import FromReference, Policy, Task
from schemas.reference import OutcomeReference, ReferenceProfile
from schemas.summaries import Part

ALPHA_REFERENCE = 0.01
"""Chance that the level of a reference lies beyond the bound taken for it."""


class Origin(StrEnum):
    """Who set a level."""

    POLICY = "policy"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Level:
    """A level not to cross.

    Parameters
    ----------
    metric, feature
        As in `detectors.quantities`.
    limit
        The level, in the units of the metric.
    worse
        On which side of it trouble lies.
    dispersion
        Evidence is divided by it.
    """

    metric: str
    part: Part
    limit: float
    worse: Side = "above"
    feature: str = ""
    severity: Severity = Severity.PAGE
    origin: Origin = Origin.POLICY
    dispersion: float = 1.0

    def at(self, start_ms: int, length_ms: int) -> float:
        """The level for a window."""
        return self.limit


BUDGETS = {
    "error_rate": Part.LABEL,
    "brier": Part.LABEL,
    "mae": Part.LABEL,
    "interval_miss_rate": Part.LABEL,
    "service_errors": Part.INPUT,
    "positive_rate": Part.INPUT,
}
"""Budgets of a policy that are levels of a quantity of the same name."""

FLOORS = {
    "ndcg": Part.LABEL,
    "mrr": Part.LABEL,
    "recall": Part.LABEL,
    "precision": Part.LABEL,
    "positive_rate": Part.INPUT,
}
"""Floors, likewise."""

WATCHED: dict[Task, tuple[tuple[str, Side], ...]] = {
    Task.BINARY: (("error_rate", "above"), ("brier", "above")),
    Task.MULTICLASS: (("error_rate", "above"), ("brier", "above")),
    Task.REGRESSION: (("mae", "above"), ("interval_miss_rate", "above")),
    Task.RANKING: (("error_rate", "above"), ("ndcg", "below")),
    Task.CHAT: (("error_rate", "above"),),
}
"""What is judged against the reference where the policy sets no level."""


def levels_of(policy: Policy, reference: ReferenceProfile | None, *, whole: bool) -> list[Level]:
    """Levels of a stream apart from those of its features, labels first.

    What follows from the reference holds for the stream of all; a segment may differ from it.

    Examples
    --------
    >>> policy = Policy(model="m", task=Task.BINARY)
    >>> levels_of(policy, None, whole=True)
    []
    >>> known = {"error_rate": OutcomeReference(n=1_000, sum=50.0)}
    >>> profile = ReferenceProfile(model="m", n=1_000, outcomes=known)
    >>> [(level.metric, round(level.limit, 3)) for level in levels_of(policy, profile, whole=True)]
    [('error_rate', 0.078)]
    """
    levels = _stated(policy)
    stated = {(level.metric, level.worse) for level in levels}
    outcomes = reference.outcomes if reference is not None and whole else {}
    rule = policy.budgets.from_reference
    for metric, worse in WATCHED[policy.task]:
        known = outcomes.get(metric)
        if known is not None and known.n > 1 and not rule.off and (metric, worse) not in stated:
            limit = limit_of(known, worse, rule, highest=3.0 if metric == "mae" else 1.0)
            if limit is not None:
                found = Level(metric, Part.LABEL, limit, worse, origin=Origin.REFERENCE)
                levels.append(found)
    return sorted(levels, key=lambda level: level.part is not Part.LABEL)


def _stated(policy: Policy) -> list[Level]:
    levels: list[Level] = []
    for side, given, parts in (
        ("above", policy.budgets, BUDGETS),
        ("below", policy.floors, FLOORS),
    ):
        worse: Side = "above" if side == "above" else "below"
        for metric, part in parts.items():
            limit = getattr(given, metric)
            if limit is not None:
                levels.append(Level(metric, part, limit, worse))
    if policy.budgets.latency is not None:
        levels.append(Level("latency_over", Part.INPUT, policy.budgets.latency.rate))
    return levels


def feature_levels(feature: Feature) -> list[Level]:
    """Levels of a feature, by its contract."""
    contract, name = feature.contract, feature.name
    found = [Level("missing_rate", Part.INPUT, contract.missing, feature=name)]
    # A category is never out of range where the contract does not list them.
    if not isinstance(feature, CategoricalFeature) or contract.categories is not None:
        found.append(Level("out_of_range_rate", Part.INPUT, contract.out_of_range, feature=name))
    for limit, worse in ((contract.max_mean, "above"), (contract.min_mean, "below")):
        if limit is not None:
            side: Side = "above" if worse == "above" else "below"
            found.append(Level("mean", Part.INPUT, limit, side, feature=name))
    return [replace(level, severity=Severity.TICKET) for level in found]


def limit_of(
    known: OutcomeReference, worse: Side, rule: FromReference, *, highest: float = 1.0
) -> float | None:
    """The level that a reference sets: its own, its sampling error, and what is tolerated.

    Parameters
    ----------
    highest
        Largest single value.

    Returns
    -------
    None where the bound leaves nothing to test: at the end of the range.

    References
    ----------
    .. [1] Podkopaev, Ramdas, Tracking the risk of a deployed model and detecting harmful
       distribution shifts, ICLR 2022.
    """
    mean = known.sum / known.n
    slack = max(rule.absolute, rule.relative * mean)
    if worse == "above":
        limit = _upper(known.n, known.sum, known.squares, highest) + slack
    else:
        mirrored = known.n * highest - known.sum
        squares = known.squares
        if squares is not None:
            squares = known.n * highest**2 - 2.0 * highest * known.sum + squares
        limit = highest - _upper(known.n, mirrored, squares, highest) - slack
    return limit if 0.0 < limit < highest else None


def _upper(n: int, s: float, q: float | None, highest: float) -> float:
    if q is None:
        return clopper_pearson_upper(round(s), n, ALPHA_REFERENCE)
    return empirical_bernstein_upper(n, s, q, ALPHA_REFERENCE, span=highest)

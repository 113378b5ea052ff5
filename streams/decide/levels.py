"""Which level each metric of a stream may not cross, and where that level comes from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from detectors.bets.grid import Side
from detectors.categorical import CategoricalFeature
from detectors.inputs import Feature
from detectors.intervals import clopper_pearson_upper, empirical_bernstein_upper
from detectors.outcomes import classes_of
from detectors.outcomes.feedback import WEIGHTED_METRICS, sources_of, weighs
from detectors.quantities import CLASS_METRICS, INPUT_METRICS, QUANTITIES
from detectors.seasonal import WEEK_MS, SeasonalBudget
from schemas.alerts import Severity
from schemas.policy import FromReference, Policy, Task
from schemas.reference import OutcomeReference, ReferenceProfile
from schemas.summaries import Part
from streams.decide.domain import DOMAIN, compares, domain_dispersion, domain_limit

_EDGE = 1e-6
"""How near to the ends of its range a level may come, as a part of the range."""

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
    season
        What is usual at each hour of the week, where the level follows it.

    Examples
    --------
    A week whose nights are worse; Monday 00:00 to 01:00, then at noon:

    >>> import numpy as np
    >>> hours = np.full(168, 1_000), np.where(np.arange(168) % 24 < 6, 100, 20)
    >>> level = Level("error_rate", Part.LABEL, 0.05, season=SeasonalBudget.of(*hours))
    >>> monday_ms, hour_ms = 1_704_067_200_000, 3_600_000
    >>> [round(level.at(monday_ms + h * hour_ms, hour_ms), 4) for h in (0, 12)]
    [0.1071, 0.031]
    """

    metric: str
    part: Part
    limit: float
    worse: Side = "above"
    feature: str = ""
    severity: Severity = Severity.PAGE
    origin: Origin = Origin.POLICY
    dispersion: float = 1.0
    season: SeasonalBudget | None = field(default=None, compare=False)

    def at(self, start_ms: int, length_ms: int) -> float:
        """The level for a window: the limit, moved by what is usual at its hours of the week."""
        if self.season is None:
            return self.limit
        usual = self.season.expected(start_ms, start_ms + length_ms)
        moved = self.limit + usual - self.season.expected(0, WEEK_MS)
        highest = QUANTITIES[self.metric][0].hi if self.metric in QUANTITIES else 1.0
        return min(max(moved, _EDGE * highest), (1.0 - _EDGE) * highest)


BUDGETS = {
    "error_rate": Part.LABEL,
    "brier": Part.LABEL,
    "mae": Part.LABEL,
    "interval_miss_rate": Part.LABEL,
    "disagreements": Part.LABEL,
    "flips": Part.LABEL,
    "service_errors": Part.INPUT,
    "positive_rate": Part.INPUT,
    "zero_results": Part.INPUT,
    DOMAIN: Part.INPUT,
}
"""Budgets of a policy that are levels of a quantity of the same name."""

FLOORS = {
    "ndcg": Part.LABEL,
    "mrr": Part.LABEL,
    "recall": Part.LABEL,
    "precision": Part.LABEL,
    "label_rate": Part.LABEL,
    "positive_rate": Part.INPUT,
}
"""Floors, likewise."""

WATCHED: dict[Task, tuple[tuple[str, Side], ...]] = {
    Task.BINARY: (
        ("error_rate", "above"),
        ("brier", "above"),
        ("actual_positive_rate", "above"),
        ("actual_positive_rate", "below"),
    ),
    Task.MULTICLASS: (("error_rate", "above"), ("brier", "above")),
    Task.REGRESSION: (
        ("mae", "above"),
        ("interval_miss_rate", "above"),
        ("under_rate", "above"),
        ("under_rate", "below"),
    ),
    Task.RANKING: (("error_rate", "above"), ("ndcg", "below"), ("zero_results", "above")),
    Task.CHAT: (("error_rate", "above"), ("regeneration_rate", "above")),
}
"""What is judged against the reference where the policy sets no level, beside `COMMON`."""

COMMON: tuple[tuple[str, Side], ...] = (("label_rate", "below"), (DOMAIN, "above"))
"""What is so for every task."""

TICKETS = frozenset(
    {"under_rate", "actual_positive_rate", "label_rate", "disagreements", "flips", DOMAIN}
)
"""Metrics that do not wake anybody, who ever set their level."""

UNBIASED = 0.5
"""Share of errors below the truth, where the reference does not know a model's own."""


def levels_of(policy: Policy, reference: ReferenceProfile | None, *, whole: bool) -> list[Level]:
    """Levels of a stream apart from those of its features, labels first.

    What follows from the reference holds for the stream of all; a segment may differ from it. Its
    season and its dispersion, though, are taken for the stated levels of segments too.

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
    levels = _by_class(_stated(policy), policy, reference)
    if not (whole and compares(policy, reference)):
        levels = [level for level in levels if level.metric != DOMAIN]
    if whole:
        levels += _by_source(levels, policy)
    stated = {(level.metric, level.worse) for level in levels}
    outcomes = reference.outcomes if reference is not None and whole else {}
    rule = policy.budgets.from_reference
    for metric, worse in (*WATCHED[policy.task], *COMMON):
        if rule.off or not whole or (metric, worse) in stated:
            continue
        if metric == DOMAIN:
            limit = domain_limit(policy, reference)
        else:
            limit = _implied(metric, outcomes.get(metric), worse, rule)
        if limit is not None:
            part = Part.INPUT if metric in INPUT_METRICS else Part.LABEL
            severity = Severity.TICKET if metric in TICKETS else Severity.PAGE
            origin = Origin.REFERENCE
            levels.append(Level(metric, part, limit, worse, severity=severity, origin=origin))
    fitted = [_fitted(level, policy, reference) for level in levels]
    if weighs(policy):
        fitted = [_weighted(level) for level in fitted]
    return sorted(fitted, key=lambda level: level.part is not Part.LABEL)


def _implied(
    metric: str, known: OutcomeReference | None, worse: Side, rule: FromReference
) -> float | None:
    """The level of a metric for which the policy states none; None where there is none."""
    if known is not None and known.n > 1:
        return limit_of(known, worse, rule, highest=3.0 if metric == "mae" else 1.0)
    if metric != "under_rate":
        return None
    slack = max(rule.absolute, rule.relative * UNBIASED)
    limit = UNBIASED + slack if worse == "above" else UNBIASED - slack
    return limit if 0.0 < limit < 1.0 else None


def _fitted(level: Level, policy: Policy, reference: ReferenceProfile | None) -> Level:
    """A level with the season and the dispersion that policy and reference give it."""
    known = None if reference is None else reference.outcomes.get(level.metric)
    rows = float(policy.dependence.rows_per_unit)
    if level.metric == DOMAIN:
        return replace(level, dispersion=domain_dispersion(policy, reference))
    if known is None:
        return replace(level, dispersion=rows)
    estimated = known.dispersion if policy.dependence.estimated else 1.0
    season = _season(known) if level.metric in policy.seasonal else None
    return replace(level, dispersion=max(rows, estimated), season=season)


def _season(known: OutcomeReference) -> SeasonalBudget | None:
    hours = known.hours or []
    if not any(hour.n for hour in hours):
        return None
    return SeasonalBudget.of([hour.n for hour in hours], [hour.sum for hour in hours])


def seasonless(policy: Policy, reference: ReferenceProfile | None) -> list[str]:
    """Metrics whose budget is to follow the hour of the week, and cannot: they have no budget, or
    the reference does not have their hours.

    Examples
    --------
    >>> policy = Policy(model="m", task=Task.BINARY, seasonal=["error_rate"])
    >>> seasonless(policy, None)
    ['error_rate']
    """
    levels = levels_of(policy, reference, whole=True)
    seasonal = {level.metric for level in levels if level.season is not None}
    return [metric for metric in policy.seasonal if metric not in seasonal]


def _by_source(levels: list[Level], policy: Policy) -> list[Level]:
    """The budget of reversals holds for the labels of each named source, too."""
    return [
        replace(level, feature=source)
        for level in levels
        if level.metric == "flips"
        for source in sources_of(policy)
    ]


def _weighted(level: Level) -> Level:
    """Levels of errors hold for all predictions, not for those that happened to get a label."""
    names = {metric.removesuffix("_weighted"): metric for metric in WEIGHTED_METRICS}
    return replace(level, metric=names.get(level.metric, level.metric))


def _by_class(
    levels: list[Level], policy: Policy, reference: ReferenceProfile | None
) -> list[Level]:
    """Levels of a multiclass task hold for each class, where the classes are known."""
    if policy.task is not Task.MULTICLASS:
        return levels
    classes = classes_of(policy, reference)
    return [
        replace(level, feature=name) if name else level
        for level in levels
        for name in (classes if level.metric in CLASS_METRICS else ("",))
    ]


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
                severity = Severity.TICKET if metric in TICKETS else Severity.PAGE
                levels.append(Level(metric, part, limit, worse, severity=severity))
    if policy.budgets.latency is not None:
        levels.append(Level("latency_over", Part.INPUT, policy.budgets.latency.rate))
    return levels


def feature_levels(feature: Feature, *, rows_per_unit: int = 1) -> list[Level]:
    """Levels of a feature, by its contract; evidence is divided by ``rows_per_unit``."""
    contract, name = feature.contract, feature.name
    found = [Level("missing_rate", Part.INPUT, contract.missing, feature=name)]
    # A category is never out of range where the contract does not list them.
    if not isinstance(feature, CategoricalFeature) or contract.categories is not None:
        found.append(Level("out_of_range_rate", Part.INPUT, contract.out_of_range, feature=name))
    for limit, worse in ((contract.max_mean, "above"), (contract.min_mean, "below")):
        if limit is not None:
            side: Side = "above" if worse == "above" else "below"
            found.append(Level("mean", Part.INPUT, limit, side, feature=name))
    rows = float(rows_per_unit)
    return [replace(level, severity=Severity.TICKET, dispersion=rows) for level in found]


def slack_of(level: Level, policy: Policy, reference: ReferenceProfile | None) -> float:
    """What a level tolerates beyond the level of the reference that it follows from; 0 where it
    follows from none.

    Examples
    --------
    >>> known = {"error_rate": OutcomeReference(n=1_000, sum=200.0)}
    >>> profile = ReferenceProfile(model="m", n=1_000, outcomes=known)
    >>> policy = Policy(model="m", task=Task.BINARY)
    >>> slack_of(Level("error_rate", Part.LABEL, 0.25), policy, profile)
    0.02
    """
    name = level.metric.removesuffix("_weighted")
    known = None if reference is None else reference.outcomes.get(name)
    if known is None or known.n <= 0:
        return 0.0
    rule = policy.budgets.from_reference
    return max(rule.absolute, rule.relative * known.sum / known.n)


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

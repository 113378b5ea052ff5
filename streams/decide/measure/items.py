"""Items of ranked lists: how many different ones, and how much the most popular of them take."""

from __future__ import annotations

from detectors.answers import item_lists
from detectors.distributions import normal_ppf
from detectors.patterns.distinct import distinct, most_popular
from detectors.quantities import Sums
from detectors.summary import Ints
from schemas.windows import Metric
from streams.decide.measure.histograms import ITEMS, reference_counts, size_of
from streams.decide.measure.interval import LEVEL, metric_of, number
from streams.decide.subject import Subject


def metrics(subject: Subject, vector: Ints) -> list[Metric]:
    """Different items among the first ten, and the share of the reference's favourites.

    Both go by 256 buckets of a hash. The number is None where no bucket is empty: above about a
    thousand items the buckets cannot tell. The favourites are the 1 % of buckets that held most in
    the reference; a list counts by the part of its items that fall into them.
    """
    reference = reference_counts(subject, ITEMS)
    if reference is None:
        return []
    lists = item_lists(subject.inputs, vector)
    n = size_of(lists)
    if n == 0:
        return []
    found = distinct(lists)
    items, spread = float(found.items), normal_ppf(1 - LEVEL / 2) * float(found.sd)
    popular = float(lists[most_popular(reference)].sum())
    rows = subject.policy.dependence.rows_per_unit
    return [
        Metric(
            name="distinct_items",
            n=n,
            value=number(items),
            low=number(max(items - spread, 0.0)),
            high=number(items + spread),
        ),
        metric_of("popular_share", Sums(n, min(popular, n)), dispersion=rows),
    ]

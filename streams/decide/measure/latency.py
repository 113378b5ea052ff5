"""Latency quantiles of a window, with the intervals of their ranks."""

from __future__ import annotations

from detectors.latency.ddsketch import quantile, quantile_interval
from detectors.summary import Ints, Layout
from schemas.windows import Metric
from streams.decide.measure.interval import LEVEL, number

QUANTILES = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}


def metrics(layout: Layout, vector: Ints) -> list[Metric]:
    """Quantiles in milliseconds; none where no prediction carried its latency."""
    sketch = layout.counts(vector, "latency")
    n = int(sketch.sum())
    if n <= 0:
        return []
    found = []
    for name, q in QUANTILES.items():
        low, high = quantile_interval(sketch, q, LEVEL)
        found.append(
            Metric(
                name=name,
                n=n,
                value=number(quantile(sketch, q)),
                low=number(low),
                high=number(high),
            )
        )
    return found

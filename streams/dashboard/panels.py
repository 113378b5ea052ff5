"""What a dashboard is made of: rows of panels, and the panels we use often."""

from __future__ import annotations

from dataclasses import dataclass

from streams.runtime.catalogue import METRIC, METRIC_BUDGET, METRIC_HIGH, METRIC_LOW, Declared


@dataclass(frozen=True, slots=True)
class Target:
    """A query and the legend of its series."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: ``width`` of 24 columns, ``unit`` by Grafana's names."""

    title: str
    description: str
    targets: tuple[Target, ...]
    unit: str = "short"
    type: str = "timeseries"
    width: int = 8
    height: int = 8


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


def of(declared: Declared, metric: str) -> str:
    """A metric of the whole stream: segments have their own series, the whole has none."""
    return f'{declared.name}{{model=~"$model",segment="",metric="{metric}"}}'


def any_of(declared: Declared, metrics: tuple[str, ...]) -> str:
    """Some metrics of the whole stream."""
    return f'{declared.name}{{model=~"$model",segment="",metric=~"{"|".join(metrics)}"}}'


def level(title: str, description: str, metric: str, unit: str = "short") -> Panel:
    """A metric of the whole stream with its interval and its budget."""
    stream = "{{model}} {{version}} {{arm}}"
    targets = (
        Target(of(METRIC, metric), stream),
        Target(of(METRIC_LOW, metric), f"{stream} low"),
        Target(of(METRIC_HIGH, metric), f"{stream} high"),
        Target(of(METRIC_BUDGET, metric), f"{stream} budget"),
    )
    return Panel(title, description, targets, unit)


def by_feature(title: str, description: str, metric: str, unit: str = "short") -> Panel:
    """A metric of the whole stream for each feature."""
    target = Target(of(METRIC, metric), "{{model}} {{version}} {{arm}} {{feature}}")
    return Panel(title, description, (target,), unit)


def single(title: str, description: str, expr: str, legend: str, unit: str = "short") -> Panel:
    """One query over time."""
    return Panel(title, description, (Target(expr, legend),), unit)


def stat(title: str, description: str, expr: str, legend: str, unit: str = "short") -> Panel:
    """One query, its present value."""
    return Panel(title, description, (Target(expr, legend),), unit, "stat", 6, 5)

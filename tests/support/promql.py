"""What dashboards and rules ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import promql_parser
from promql_parser import Expr, MatrixSelector, VectorSelector

VARIABLES: Mapping[str, str] = {"$model": ".*", "$__rate_interval": "1m"}
"""What Grafana puts in place of the dashboard's variables."""


def panels(
    dashboard: Mapping[str, object], *, variables: Mapping[str, str] = VARIABLES
) -> list[tuple[str, str]]:
    """Title and PromQL of every query of a dashboard, its variables replaced."""
    found = []
    for panel in _list(dashboard, "panels"):
        for target in _list(panel, "targets"):
            expr = str(target["expr"])
            for name, value in variables.items():
                expr = expr.replace(name, value)
            found.append((str(panel["title"]), expr))
    return found


def unanswered(
    dashboard: Mapping[str, object], query: Callable[[str], Sequence[object]]
) -> list[str]:
    """Titles of the panels none of whose queries has an answer."""
    answers: dict[str, int] = {}
    for title, expr in panels(dashboard):
        answers[title] = answers.get(title, 0) + len(query(expr))
    return [title for title, count in answers.items() if count == 0]


def rules(groups: Mapping[str, object]) -> list[tuple[str, str]]:
    """Name and PromQL of every alert rule of a rule file."""
    return [
        (str(rule["alert"]), str(rule["expr"]))
        for group in _list(groups, "groups")
        for rule in _list(group, "rules")
    ]


def series_names(expr: str) -> set[str]:
    """Names of the series that an expression selects.

    Raises
    ------
    ValueError
        If it is not PromQL.
    """
    return {selector.name for selector in selectors(expr) if selector.name is not None}


def selectors(expr: str) -> list[VectorSelector]:
    """Every selector of an expression."""
    found: list[VectorSelector] = []

    def visit(node: Expr) -> bool:
        if isinstance(node, VectorSelector):
            found.append(node)
        elif isinstance(node, MatrixSelector):
            found.append(node.vector_selector)
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found


def label_names(expr: str) -> set[tuple[str, str]]:
    """(series, label) of every matcher of an expression."""
    return {
        (selector.name, matcher.name)
        for selector in selectors(expr)
        for matcher in selector.matchers.matchers
        if selector.name is not None
    }


def _list(holder: Mapping[str, object], name: str) -> list[dict[str, object]]:
    value = holder.get(name, [])
    if not isinstance(value, list):
        raise TypeError(f"{name} is a {type(value).__name__}, not a list")
    return value

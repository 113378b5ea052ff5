"""The tables of all results as Markdown, for reading beside the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Stored = Mapping[str, Any]

VERDICTS = {True: "met", False: "**missed**", None: "not measured"}


def page(content: Stored) -> str:
    """Targets first, then the tables of each case with its notes."""
    parts = ["# Detection quality: last figures", _run(content), _targets(content["cases"])]
    for case in content["cases"]:
        parts.append(f"## {case['name']}: {case['title']}")
        parts += [f"{table['title']}\n\n{_table(table)}" for table in case["tables"]]
        parts += [f"- {note}" for note in case["notes"]]
    return "\n\n".join(parts) + "\n"


def number(value: float | None) -> str:
    """Three digits, or all of a large one.

    Examples
    --------
    >>> number(None), number(1234.5), number(0.01234), number(1.0)
    ('–', '1,234', '0.0123', '1')
    """
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def cell(value: Any) -> str:
    """A word, a number, or an estimate with its interval.

    Examples
    --------
    >>> cell({"value": 0.25, "low": 0.1, "high": 0.5}), cell("a|b")
    ('0.25 (0.1 to 0.5)', 'a/b')
    """
    if isinstance(value, Mapping):
        if value["low"] is None:
            return number(value["value"])
        return f"{number(value['value'])} ({number(value['low'])} to {number(value['high'])})"
    return value.replace("|", "/") if isinstance(value, str) else number(value)


def _run(content: Stored) -> str:
    machine = content["machine"]
    return (
        f"{machine.get('date', '')}, {machine.get('processor', '')}, {machine.get('cores', '')} "
        f"cores; {content['seconds']} s. How it is scored: [README](../README.md)."
    )


def _targets(cases: Sequence[Stored]) -> str:
    rows = [
        [
            case["name"],
            target["text"],
            number(target["measured"]),
            f"{target['sense']} {number(target['limit'])}",
            VERDICTS[target["met"]],
        ]
        for case in cases
        for target in case["targets"]
    ]
    return _rows(("case", "target", "measured", "limit", ""), rows)


def _table(table: Stored) -> str:
    return _rows(table["header"], [[cell(value) for value in row] for row in table["rows"]])


def _rows(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

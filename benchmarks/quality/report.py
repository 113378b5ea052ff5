"""One HTML page of all results: tables and pictures drawn as SVG, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from benchmarks.quality.drawing import chart
from benchmarks.quality.markdown import number

Stored = Mapping[str, Any]

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1150px; color: #1c2733;
  padding: 0 1rem; background: #fff }
h1, h2 { line-height: 1.2 }
h2 { margin-top: 3rem; border-top: 1px solid #cdd5dd; padding-top: 1rem }
table { border-collapse: collapse; margin: .8rem 0 1.6rem; font-size: 13px }
caption { text-align: left; font-weight: 600; padding: .3rem 0 }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #e3e8ed; text-align: right;
  vertical-align: top }
th:first-child, td:first-child { text-align: left } th { font-weight: 600; color: #4b5a68 }
tr.own td { background: #eef5fb; font-weight: 600 }
.met { color: #18794e } .missed { color: #c22f2f }
small { color: #62717f; font-weight: 400; white-space: nowrap } .scroll { overflow-x: auto }
svg { max-width: 100%; height: auto } .note { color: #4b5a68; font-size: 13px; max-width: 60rem }
"""

RULES = """Time is the row of the stream; a monitor-day is 24 windows of 2,000 rows, and one row is
1.8 seconds on the clock. Alarms within 1,000 rows of the first of them are one episode. The first
episode within the truth is the detection; all others up to its end are false, unless all they name
is part of the same change. Every tool's alarms are scored by the same rules. Kittiwake runs with
its default policy; budgets of the error rate come from reference rows. Shares have 95 % Wilson
intervals, rates exact Poisson intervals. A good score that a dummy gets as well is no score."""


def page(content: Stored) -> str:
    """The page of a stored result."""
    cases = content["cases"]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Detection quality</title><style>{STYLE}</style></head><body>"
        f"<h1>Detection quality</h1><p class='note'>{escape(RULES)}</p>"
        f"{_targets(cases)}{''.join(map(_case, cases))}{_machine(content)}</body></html>\n"
    )


def _targets(cases: Sequence[Stored]) -> str:
    rows = [
        f"<tr><td>{escape(case['name'])}</td><td>{escape(target['text'])}</td>"
        f"<td>{number(target['measured'])}</td>"
        f"<td>{escape(target['sense'])} {number(target['limit'])}</td>"
        f"{_verdict(target['met'])}</tr>"
        for case in cases
        for target in case["targets"]
    ]
    head = "<tr><th>case</th><th>target</th><th>measured</th><th>limit</th><th></th></tr>"
    return f"<table><caption>Targets</caption>{head}{''.join(rows)}</table>"


def _verdict(met: bool | None) -> str:
    if met is None:
        return "<td>not measured</td>"
    return f"<td class='{'met' if met else 'missed'}'>{'met' if met else 'missed'}</td>"


def _case(case: Stored) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in case["notes"])
    return (
        f"<h2>{escape(case['name'])} · {escape(case['title'])}</h2>"
        f"{''.join(map(_table, case['tables']))}"
        f"{''.join(chart(picture) for picture in case['pictures'])}"
        f"<ul class='note'>{notes}</ul>"
    )


def _table(table: Stored) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table["header"])
    body = "".join(
        f"<tr{' class=own' if row[0] == 'Kittiwake' else ''}>"
        + "".join(f"<td>{_cell(cell)}</td>" for cell in row)
        + "</tr>"
        for row in table["rows"]
    )
    return (
        f"<div class='scroll'><table><caption>{escape(table['title'])}</caption>"
        f"<tr>{head}</tr>{body}</table></div>"
    )


def _cell(cell: Any) -> str:
    """A word, a number, or an estimate with its interval.

    Examples
    --------
    >>> _cell({"value": 0.25, "low": 0.1, "high": 0.5})
    '0.25 <small>0.1–0.5</small>'
    >>> _cell(None), _cell(1200)
    ('–', '1,200')
    """
    if isinstance(cell, Mapping):
        if cell["low"] is None:
            return number(cell["value"])
        ends = f"{number(cell['low'])}–{number(cell['high'])}"
        return f"{number(cell['value'])} <small>{ends}</small>"
    return escape(cell) if isinstance(cell, str) else number(cell)


def _machine(content: Stored) -> str:
    told = ", ".join(f"{name} {value}" for name, value in content["machine"].items())
    seconds = f"{content['seconds']} s in all; CPU-seconds by case: " + ", ".join(
        f"{case['name']} {case['seconds']:.0f}" for case in content["cases"]
    )
    return f"<p class='note'>{escape(told)}. {escape(seconds)}.</p>"

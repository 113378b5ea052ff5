"""The Grafana dashboard, written from the catalogue of metrics.

``python -m streams.dashboard.build --write`` writes ``deploy/grafana/dashboards/kittiwake.json``;
``--check`` fails if the file differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from streams.dashboard.panels import Panel, Row
from streams.dashboard.rows import ROWS

FILE = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards" / "kittiwake.json"
DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
_COLUMNS = 24

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands on Grafana's grid of 24 columns."""

    x: int
    y: int
    width: int
    height: int

    def json(self) -> dict[str, int]:
        """As Grafana writes it."""
        return {"x": self.x, "y": self.y, "w": self.width, "h": self.height}


def dashboard(rows: tuple[Row, ...] = ROWS) -> Json:
    """The dashboard as Grafana's JSON model.

    Examples
    --------
    >>> dashboard()["uid"]
    'kittiwake'
    """
    panels: list[Json] = []
    y = 0
    for row in rows:
        panels.append(_row(row, number=len(panels) + 1, y=y))
        y += 1
        for line in _lines(row.panels):
            x = 0
            for panel in line:
                place = Place(x=x, y=y, width=panel.width, height=panel.height)
                panels.append(_panel(panel, number=len(panels) + 1, place=place))
                x += panel.width
            y += max(panel.height for panel in line)
    return {
        "uid": "kittiwake",
        "title": "Kittiwake",
        "description": "Drift, calibration, errors and rollouts of deployed models.",
        "tags": ["kittiwake"],
        "schemaVersion": 41,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "utc",
        "templating": {"list": [_variable("model")]},
        "panels": panels,
    }


def text() -> str:
    """The file's content."""
    return json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(prog="python -m streams.dashboard.build")
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", action="store_true", help="write the file")
    group.add_argument("--check", action="store_true", help="fail if the file differs")
    parser.add_argument("--file", type=Path, default=FILE, help="where it stands")
    options = parser.parse_args(arguments)
    if options.write:
        options.file.parent.mkdir(parents=True, exist_ok=True)
        options.file.write_text(text(), encoding="utf-8")
        return 0
    if options.file.is_file() and options.file.read_text(encoding="utf-8") == text():
        return 0
    sys.stderr.write(
        f"{options.file} is missing or differs from its builder; "
        f"run python -m streams.dashboard.build --write\n"
    )
    return 1


def _lines(panels: tuple[Panel, ...]) -> list[list[Panel]]:
    """Panels by line: a line ends where the next panel would not fit."""
    lines: list[list[Panel]] = [[]]
    for panel in panels:
        if sum(p.width for p in lines[-1]) + panel.width > _COLUMNS:
            lines.append([])
        lines[-1].append(panel)
    return lines


def _row(row: Row, *, number: int, y: int) -> Json:
    place = Place(x=0, y=y, width=_COLUMNS, height=1)
    return {
        "id": number,
        "type": "row",
        "title": row.title,
        "collapsed": False,
        "gridPos": place.json(),
        "panels": [],
    }


def _panel(panel: Panel, *, number: int, place: Place) -> Json:
    return {
        "id": number,
        "type": panel.type,
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "gridPos": place.json(),
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": {}}, "overrides": []},
        "options": {},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": DATASOURCE,
                "expr": target.expr,
                "legendFormat": target.legend,
                "instant": panel.type != "timeseries",
                "range": panel.type == "timeseries",
            }
            for index, target in enumerate(panel.targets)
        ],
    }


def _variable(label: str) -> Json:
    return {
        "name": label,
        "label": label.capitalize(),
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": f"label_values(kittiwake_verdict, {label})", "refId": label},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


if __name__ == "__main__":
    sys.exit(main())

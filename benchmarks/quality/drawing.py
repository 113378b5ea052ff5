"""Charts as SVG text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 1_000, 190, 20, 34, 44
LANE, PLOT = 44, 240
COLOURS = ("#1668b5", "#c9601d", "#2c8a57", "#8a4fb3", "#b3334c", "#5d6b78", "#a38109", "#1b9aaa")


def chart(picture: Mapping[str, Any]) -> str:
    """Lines over x, or lanes of points where the picture has no name for its y."""
    if not _xs(picture):
        return f"<p class='note'>{escape(picture['title'])}: none.</p>"
    parts, height = _drawn(picture)
    return (
        f"<svg viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' role='img' "
        f"aria-label='{escape(picture['title'], quote=True)}' "
        f"font-family='system-ui, sans-serif' font-size='12'>{''.join(parts)}</svg>"
    )


def sheet(pictures: Sequence[Mapping[str, Any]]) -> str:
    """A file of its own with charts one below the other; each has something to show."""
    parts: list[str] = []
    bottom = 0
    for picture in pictures:
        drawn, height = _drawn(picture)
        parts += [f"<g transform='translate(0 {bottom})'>", *drawn, "</g>"]
        bottom += height
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {bottom}' "
        f"font-family='system-ui, sans-serif' font-size='12'>"
        f"<rect width='{WIDTH}' height='{bottom}' fill='#ffffff'/>{''.join(parts)}</svg>\n"
    )


def _xs(picture: Mapping[str, Any]) -> list[float]:
    return [x for line in picture["lines"] for x in line["x"]] + list(picture["marks"])


def _drawn(picture: Mapping[str, Any]) -> tuple[list[str], int]:
    """What a chart is made of, and its height."""
    lines, xs = picture["lines"], _xs(picture)
    lanes = not picture["y"]
    height = (len(lines) * LANE if lanes else PLOT) + TOP + BOTTOM
    ys = [0.0, float(len(lines))] if lanes else [y for line in lines for y in line["y"]]
    scale = _Scale(min(0.0, *xs) if lanes else min(xs), max(xs), min(ys), max(ys), height, lanes)
    parts = [
        words(LEFT, 20, picture["title"], weight=600),
        *_grid(scale, picture),
        *(_mark(scale, mark) for mark in picture["marks"]),
        *(
            part
            for place, line in enumerate(lines)
            for part in (_lane if lanes else _line)(scale, line, place)
        ),
    ]
    return parts, height


class _Scale:
    """Data to pixels; y grows upwards, lanes downwards."""

    def __init__(
        self, x0: float, x1: float, y0: float, y1: float, height: float, lanes: bool
    ) -> None:
        self.x0, self.x1 = x0, x1 if x1 > x0 else x0 + 1
        room = 0.0 if lanes else 0.06 * (y1 - y0 or abs(y1) or 1.0)
        self.y0, self.y1 = y0 - room, y1 + room
        self.height, self.lanes = height, lanes

    def x(self, value: float) -> float:
        return LEFT + (value - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        part = (value - self.y0) / (self.y1 - self.y0)
        span = self.height - TOP - BOTTOM
        return TOP + span * part if self.lanes else self.height - BOTTOM - span * part


def ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Round numbers between two ends.

    Examples
    --------
    >>> ticks(0, 1_050, 5)
    [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]
    """
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.95)
    first = math.ceil(low / step)
    return [round(step * i, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _grid(scale: _Scale, picture: Mapping[str, Any]) -> list[str]:
    bottom = scale.height - BOTTOM
    parts = [words(WIDTH - RIGHT, scale.height - 8, picture["x"], anchor="end")]
    for tick in ticks(scale.x0, scale.x1, 8):
        parts.append(rule(scale.x(tick), TOP, scale.x(tick), bottom))
        parts.append(words(scale.x(tick), bottom + 16, f"{tick:,g}", anchor="middle"))
    if not scale.lanes:
        for tick in ticks(scale.y0, scale.y1, 5):
            parts.append(rule(LEFT, scale.y(tick), WIDTH - RIGHT, scale.y(tick)))
            parts.append(words(LEFT - 6, scale.y(tick) + 4, f"{tick:,g}", anchor="end"))
    return parts


def _line(scale: _Scale, line: Mapping[str, Any], place: int) -> list[str]:
    colour = COLOURS[place % len(COLOURS)]
    points = " ".join(
        f"{scale.x(x):.1f},{scale.y(y):.1f}" for x, y in zip(line["x"], line["y"], strict=True)
    )
    return [
        f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='2'/>",
        words(8, TOP + 14 + 18 * place, line["name"], colour=colour),
    ]


def _lane(scale: _Scale, line: Mapping[str, Any], place: int) -> list[str]:
    colour = COLOURS[0] if place == 0 else COLOURS[5]
    dots = [
        f"<circle cx='{scale.x(x):.1f}' cy='{scale.y(y):.1f}' r='2' fill='{colour}'/>"
        for x, y in zip(line["x"], line["y"], strict=True)
    ]
    edge = rule(8, scale.y(place), WIDTH - RIGHT, scale.y(place))
    return [edge, words(8, scale.y(place + 0.5) + 4, line["name"], colour=colour), *dots]


def _mark(scale: _Scale, at: float) -> str:
    x = scale.x(at)
    return (
        f"<line x1='{x:.1f}' x2='{x:.1f}' y1='{TOP}' y2='{scale.height - BOTTOM}' "
        "stroke='#c22f2f' stroke-dasharray='4 3'/>"
    )


def rule(x1: float, y1: float, x2: float, y2: float) -> str:
    """A thin line between two places."""
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='#e3e8ed'/>"


def words(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    colour: str = "#1c2733",
    weight: int = 400,
) -> str:
    """A line of text that begins, ends or has its middle at a place."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{colour}' "
        f"font-weight='{weight}'>{escape(text)}</text>"
    )

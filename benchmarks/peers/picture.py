"""The rates of all tools on one axis of powers of ten."""

from __future__ import annotations

import math
from collections.abc import Mapping

from benchmarks.figures import Spread
from benchmarks.quality.drawing import COLOURS, rule, words

WIDTH, LEFT, RIGHT, TOP, LANE, BOTTOM = 1_000, 220, 120, 40, 26, 44
TITLE = "Events per CPU-second: minimum, median and maximum of all runs"


def draw(rates: Mapping[str, Spread]) -> str:
    """An SVG file with a lane for each name, the own ones in colour.

    Examples
    --------
    >>> draw({"floor": Spread(250.0, 300.0, 400.0)}).count("<circle")
    1
    """
    low = math.floor(math.log10(min(each.minimum for each in rates.values())))
    high = math.ceil(math.log10(max(each.maximum for each in rates.values())))
    bottom = TOP + LANE * len(rates)
    parts = [words(LEFT, 20, TITLE, weight=600)]
    for power in range(low, high + 1):
        x = _x(10.0**power, low, high)
        parts += [rule(x, TOP, x, bottom), words(x, bottom + 16, f"{10**power:,}", anchor="middle")]
    for place, (name, spread) in enumerate(rates.items()):
        parts += _lane(name, spread, TOP + LANE * (place + 0.5), low, high)
    height = bottom + BOTTOM
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' "
        f"font-family='system-ui, sans-serif' font-size='12'>"
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>{''.join(parts)}</svg>\n"
    )


def _x(rate: float, low: int, high: int) -> float:
    return LEFT + (math.log10(rate) - low) / max(high - low, 1) * (WIDTH - LEFT - RIGHT)


def _lane(name: str, spread: Spread, y: float, low: int, high: int) -> list[str]:
    own = name == "floor" or name.startswith("kittiwake")
    colour = COLOURS[0] if own else COLOURS[5]
    first, middle, last = (
        _x(rate, low, high) for rate in (spread.minimum, spread.median, spread.maximum)
    )
    span = f"x1='{first:.1f}' x2='{last:.1f}' y1='{y:.1f}' y2='{y:.1f}'"
    return [
        words(LEFT - 12, y + 4, name, anchor="end", colour=colour),
        f"<line {span} stroke='{colour}' stroke-width='2'/>",
        f"<circle cx='{middle:.1f}' cy='{y:.1f}' r='4' fill='{colour}'/>",
        words(last + 10, y + 4, f"{spread.median:,.0f}", colour=colour),
    ]

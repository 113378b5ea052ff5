"""Numbers on a command line, with the range that each must be in."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable


def real(
    *, above: float | None = None, least: float = -math.inf, most: float = math.inf
) -> Callable[[str], float]:
    """A type for argparse: a finite number above one limit, or from another on, up to a third."""

    def parse(text: str) -> float:
        wanted = "a number" + _range(above, least, most)
        try:
            value = float(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r}: must be {wanted}") from None
        low = value > above if above is not None else value >= least
        if not (math.isfinite(value) and low and value <= most):
            raise ArgumentTypeError(f"{text}: must be {wanted}")
        return value

    return parse


def whole(
    *, least: int, most: float = math.inf, power_of_two: bool = False
) -> Callable[[str], int]:
    """A type for argparse: a whole number in a range, and a power of two where that is asked."""

    def parse(text: str) -> int:
        kind = "a power of two" if power_of_two else "a whole number"
        wanted = kind + _range(None, least, most)
        try:
            value = int(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r}: must be {wanted}") from None
        if not least <= value <= most or (power_of_two and value.bit_count() != 1):
            raise ArgumentTypeError(f"{text}: must be {wanted}")
        return value

    return parse


def _range(above: float | None, least: float, most: float) -> str:
    """A range in words.

    Examples
    --------
    >>> _range(0, -math.inf, 1), _range(None, 1, math.inf)
    (' above 0 and at most 1', ' of at least 1')
    """
    low = f" above {above:g}" if above is not None else f" of at least {least:g}"
    return low + (f" and at most {most:g}" if most < math.inf else "")

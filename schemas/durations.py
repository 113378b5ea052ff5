"""Durations as people write them: ``90s``, ``5m``, ``1h``, ``30d``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator, Field

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@lru_cache(maxsize=1_024)
def duration_ms(text: str) -> int:
    """Milliseconds of a duration such as ``90s``, ``5m``, ``1h`` or ``30d``.

    Raises
    ------
    ValueError
        If the text is not a whole number and a unit.

    Examples
    --------
    >>> duration_ms("5m")
    300000
    """
    match = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h|d)", text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a duration; write a whole number and ms, s, m, h or d, such as 5m"
        )
    return int(match[1]) * _UNITS_MS[match[2]]


def _is_duration(text: str) -> str:
    duration_ms(text)
    return text


Duration = Annotated[
    str,
    AfterValidator(_is_duration),
    Field(json_schema_extra={"pattern": "^[0-9]{1,9}(ms|s|m|h|d)$", "examples": ["5m"]}),
]
"""A whole number and a unit: ms, s, m, h or d."""

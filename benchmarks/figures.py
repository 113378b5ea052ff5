"""Minimum, median and maximum of figures, and of the ratio of two of them in the same run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True, slots=True)
class Spread:
    """What several runs gave."""

    minimum: float
    median: float
    maximum: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Of one value for each run."""
        ordered = sorted(values)
        return cls(ordered[0], median(ordered), ordered[-1])

    def rounded(self) -> dict[str, float]:
        """With six significant digits."""
        return {name: float(f"{value:.6g}") for name, value in asdict(self).items()}


def share(runs: Sequence[Mapping[str, float]], name: str, base: str) -> Spread:
    """One figure as a share of another of the same run.

    Examples
    --------
    >>> share([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}], "a", "b")
    Spread(minimum=0.5, median=0.625, maximum=0.75)
    """
    return Spread.of(run[name] / run[base] for run in runs)


def at(stored: object, path: str) -> list[float]:
    """Figures of a stored result under names with slashes; ``*`` stands for all that is there.

    Raises
    ------
    LookupError
        If there is nothing under one of the names.

    Examples
    --------
    >>> at({"runs": [{"rate": 3}, {"rate": 4}]}, "runs/*/rate")
    [3.0, 4.0]
    """
    found = [stored]
    for name in path.split("/"):
        found = [child for each in found for child in _children(each, name)]
    return [float(each) for each in found if isinstance(each, int | float)]


def _children(stored: object, name: str) -> Sequence[object]:
    if name == "*" and isinstance(stored, list | dict):
        return list(stored.values()) if isinstance(stored, dict) else stored
    if isinstance(stored, dict) and name in stored:
        return [stored[name]]
    raise LookupError(f"nothing under {name!r}")

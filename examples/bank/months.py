"""Months: what the matured windows of a month say together, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.predictions import Arm
from schemas.windows import WindowResult
from streams.story import date


@dataclass
class Month:
    """Sums over the baseline's windows of one month."""

    windows: int = 0
    calls: int = 0
    labelled: int = 0
    errors: float = 0.0
    brier: float = 0.0

    def add(self, window: WindowResult) -> None:
        """Take one matured window."""
        metrics = {metric.name: metric for metric in window.metrics if not metric.feature}
        self.windows += 1
        self.calls += window.predictions
        error, brier = metrics["error_rate"], metrics["brier"]
        if error.value is not None and brier.value is not None:
            self.labelled += error.n
            self.errors += error.n * error.value
            self.brier += brier.n * brier.value

    def line(self, name: str) -> str:
        """One line for the terminal."""
        rate = f"{self.errors / self.labelled:.1%}" if self.labelled else "unknown"
        brier = f"{self.brier / self.labelled:.3f}" if self.labelled else "unknown"
        return (
            f"[dim]{name}  {self.windows:>3} windows, {self.calls:>5,} calls of v1, "
            f"error {rate}, Brier {brier}[/]"
        )


@dataclass
class Months:
    """Months as their windows mature; a month is told when a later one begins to mature."""

    _open: dict[str, Month] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def add(self, windows: list[WindowResult]) -> Iterator[str]:
        """Take new windows; a line for each month that is over."""
        for window in windows:
            whole = window.segment == "" and window.arm is Arm.BASELINE
            if whole and window.coverage.matured and window.id not in self._seen:
                self._seen.add(window.id)
                name = date(window.start_ms)[:7]
                self._open.setdefault(name, Month()).add(window)
        for name in sorted(self._open)[:-1]:
            yield self._open.pop(name).line(name)

    def rest(self) -> Iterator[str]:
        """Lines of the months still open."""
        for name in sorted(self._open):
            yield self._open.pop(name).line(name)

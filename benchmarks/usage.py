"""Memory and CPU of another process, as Linux counts them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

_KIB = {"Rss": "rss_mb", "Pss": "pss_mb", "Anonymous": "anonymous_mb", "VmHWM": "peak_mb"}


@dataclass(frozen=True, slots=True)
class Usage:
    """In million bytes and seconds.

    ``rss_mb`` counts pages of mapped files and shared libraries too, ``pss_mb`` a fair part of
    those that others share, ``anonymous_mb`` only what the process itself has allocated.
    ``peak_mb`` is the most that ``rss_mb`` has been since the process started.
    """

    rss_mb: float
    pss_mb: float
    anonymous_mb: float
    peak_mb: float
    cpu_s: float


def usage(pid: int) -> Usage:
    """What a process has in memory now, and has computed since it started."""
    process = Path("/proc") / str(pid)
    sizes: dict[str, float] = {}
    for file in ("smaps_rollup", "status"):
        for line in (process / file).read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in _KIB:
                sizes[_KIB[name]] = int(rest.split()[0]) * 1_024 / 1e6
    # Behind the name in brackets, which may hold blanks, the 12th and 13th fields are times.
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return Usage(**sizes, cpu_s=(int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND)

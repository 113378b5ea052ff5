"""The C heap of a process that runs for months: what is freed is used again, or given back.

By default glibc lets threads allocate from arenas of their own: what the client's threads fetch
and the worker frees stays in theirs. And after one large block has been freed it keeps the next
ones up to that size in an arena, where they leave holes, such as of a hash index that was rebuilt.

References
----------
.. [1] GNU C Library manual, 3.2.3.6, malloc tunable parameters; ``mallopt(3)``.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from typing import Final, NamedTuple


class Limit(NamedTuple):
    """A parameter's number in ``malloc.h``, and its value in arenas or bytes."""

    parameter: int
    value: int


LIMITS: Final = {
    "MALLOC_ARENA_MAX": Limit(-8, 1),
    "MALLOC_MMAP_THRESHOLD_": Limit(-3, 16 << 20),
    "MALLOC_TRIM_THRESHOLD_": Limit(-1, 32 << 20),
}
"""By the variable that glibc reads when a process starts: one arena for all threads; a block of
so many bytes is given back when it is freed; so is the heap's end, once so much of it is free.
With less, batches would be given back too, and be taken anew page by page."""


def bound(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Set the limits that the environment leaves open, before most threads have an arena.

    Returns
    -------
    Names of the limits that were set; none with another C library than glibc.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return []
    return [
        name
        for name, limit in LIMITS.items()
        if name not in environment and mallopt(limit.parameter, limit.value)
    ]

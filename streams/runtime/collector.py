"""Python's collector of cyclic garbage, in a process whose objects live long.

Reference counts free nearly all that a worker lets go of; the collector is there for cycles alone.
Yet by default it looks through what is new after each 700 objects, and through all that is alive
whenever a quarter has been added: of a process that holds millions of rows, sums and records, all
of them, again and again.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SELDOM: Final = (100_000, 20, 100)
"""New objects until the youngest are looked through (some megabytes), how often until those that
outlived it are, and how often again until all are."""


def relax() -> None:
    """Look for cycles seldom from here on; what is alive by now, code above all, never again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)


@contextmanager
def relaxed() -> Iterator[None]:
    """Look for cycles seldom inside, and as before after it."""
    before = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)

"""What a micro-benchmark is, and how it is timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import process_time

from benchmarks.figures import Spread

Do = Callable[[], object]

FLOOR_S = 0.01
"""The floor is repeated until it took so long: one call may be too short to be told."""


@dataclass(frozen=True, slots=True)
class Case:
    """One stage of the pipeline beside the least that anybody would have to do.

    Parameters
    ----------
    name
        The stage.
    floor
        What the floor does, for people.
    opened
        Gives the two to time: the stage, which is prepared anew for each repeat by the call that
        returns it, and the floor, which can be repeated.
    """

    name: str
    floor: str
    opened: Callable[[], AbstractContextManager[tuple[Callable[[], Do], Do]]]


def measure(case: Case, repeats: int) -> Spread:
    """CPU time of the stage as a multiple of the floor's; the first pair warms up."""
    with case.opened() as (prepare, floor):
        return Spread.of(list(_ratios(prepare, floor, repeats + 1))[1:])


def _ratios(prepare: Callable[[], Do], floor: Do, repeats: int) -> Iterator[float]:
    for _ in range(repeats):
        work = prepare()
        begun = process_time()
        work()
        spent = process_time() - begun
        yield spent / _once(floor)


def _once(floor: Do) -> float:
    """CPU-seconds of one call of the floor."""
    begun = process_time()
    calls = 0
    while (spent := process_time() - begun) < FLOOR_S:
        floor()
        calls += 1
    return spent / calls

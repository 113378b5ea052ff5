"""The units under check, found by walking what the packages of `detectors` export."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import detectors
from detectors.contract import Comparison

_TEST = ("update", "log_m", "reset", "state", "resume")
_BET = ("bets", "increments")


def exported() -> Iterator[tuple[str, object]]:
    """Name and value of everything in an ``__all__`` of a package inside `detectors`."""
    for found in iter_modules(detectors.__path__, "detectors."):
        if found.ispkg:
            package = import_module(found.name)
            for name in getattr(package, "__all__", ()):
                yield f"{found.name}.{name}", getattr(package, name)


def comparisons() -> list[Comparison]:
    """Every exported comparison.

    Examples
    --------
    >>> sorted(unit.name for unit in comparisons())[:3]
    ['chi_square', 'g_test', 'js']
    """
    return [unit for _, unit in exported() if isinstance(unit, Comparison)]


def sequential_tests() -> list[type]:
    """Every exported class that has the members of `detectors.contract.SequentialTest`.

    Examples
    --------
    >>> "WitnessTest" in [unit.__name__ for unit in sequential_tests()]
    True
    """
    return _classes(_TEST)


def bets() -> list[type]:
    """Every exported class that has the members of `detectors.bets.contract.Bet`.

    Examples
    --------
    >>> "BinaryBet" in [unit.__name__ for unit in bets()]
    True
    """
    return _classes(_BET)


def _classes(members: tuple[str, ...]) -> list[type]:
    return [
        unit
        for _, unit in exported()
        if isinstance(unit, type)
        and not getattr(unit, "_is_protocol", False)
        and not inspect.isabstract(unit)
        and all(hasattr(unit, member) for member in members)
    ]

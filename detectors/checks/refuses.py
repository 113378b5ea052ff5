"""What would poison the wealth for good never reaches it."""

from __future__ import annotations

import math
import re

from detectors.checks.specimen import Specimen, State, Summary
from schemas.errors import ConfigurationError


def refuses_what_it_cannot_use(specimen: Specimen[Summary, State]) -> None:
    """NaN, infinity, another shape, an impossible share: an error that names it, and no trace."""
    for summary, words in specimen.unusable:
        message = _message(specimen, summary, share=0.1)
        assert re.search(words, message), f"{message!r} does not say {words!r}"
    good = specimen.mixed(seed=10, count=1)[0]
    for share in (-0.1, 1.5, math.nan):
        assert f"{share:g}" in _message(specimen, good, share=share)


def _message(specimen: Specimen[Summary, State], summary: Summary, *, share: float) -> str:
    test = specimen.make()
    for window in specimen.mixed(seed=9, count=4):
        test.update(window, share=1e-3)
    before = test.state()
    try:
        test.update(summary, share=share)
    except (ValueError, ConfigurationError) as error:
        assert test.state() == before, "a refused window left a trace"
        return str(error)
    raise AssertionError(f"{summary!r} with a share of {share} was accepted")

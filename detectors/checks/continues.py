"""A test that was written down and taken up again is the same test."""

from __future__ import annotations

import json

from detectors.checks.specimen import Specimen, State, Summary


def continues_from_its_state(specimen: Specimen[Summary, State]) -> None:
    """State through JSON at every window goes on bit for bit, a fresh and an open test too."""
    whole, cut = specimen.make(), specimen.make()
    for window in specimen.mixed(seed=2, count=12):
        written = json.dumps(cut.state(), allow_nan=False)
        cut = specimen.make().resume(json.loads(written))
        assert cut.update(window, share=1e-3) == whole.update(window, share=1e-3)
        assert cut.log_m == whole.log_m
        assert cut.state() == whole.state()

"""What a policy may ask for is bounded where more would stop the job."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.policy import MAX_PANES, Policy, Task


def test_a_window_has_a_bounded_number_of_panes() -> None:
    """Each result adds them up: a window of a century in seconds would never be done."""
    most = Policy(model="m", task=Task.BINARY, pane="1s", window=f"{MAX_PANES}s")
    assert most.window_ms // most.pane_ms == MAX_PANES
    with pytest.raises(ValidationError, match="10,001 panes of 1s, and 10,000 are the most"):
        Policy(model="m", task=Task.BINARY, pane="1s", window=f"{MAX_PANES + 1}s")

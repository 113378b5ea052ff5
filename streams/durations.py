"""Durations of a policy in milliseconds, each parsed once."""

from __future__ import annotations

from functools import cached_property

from schemas.policy import Policy


class Durations:
    """What has a policy, and asks for its durations row by row or pane by pane."""

    policy: Policy

    @cached_property
    def pane_ms(self) -> int:
        """Length of a pane."""
        return self.policy.pane_ms

    @cached_property
    def window_ms(self) -> int:
        """Length of a window."""
        return self.policy.window_ms

    @cached_property
    def lateness_ms(self) -> int:
        """How late a prediction may be to count as on time."""
        return self.policy.lateness_ms

    @cached_property
    def label_lateness_ms(self) -> int:
        """How late feedback may be to count as on time."""
        return self.policy.label_lateness_ms

    @cached_property
    def maturity_ms(self) -> int:
        """Age, after the end of the window, at which labels are judged."""
        return self.policy.maturity_ms

    @cached_property
    def horizon_ms(self) -> int:
        """How long a prediction waits for feedback."""
        return self.policy.horizon_ms

    @cached_property
    def kept_ms(self) -> int:
        """How long a pending prediction is kept, past its time, on both watermarks."""
        return self.horizon_ms + self.lateness_ms + self.label_lateness_ms

"""Silence: how long a shard has been read to its ends, which moves its event time on."""

from __future__ import annotations


class Silence:
    """What a shard says while nothing comes.

    Parameters
    ----------
    idle_ms
        A topic that has been at its end for so long is silent.

    Examples
    --------
    >>> silence = Silence(idle_ms=5_000)
    >>> silence.look(0, predictions_end=True, feedback_end=True)
    >>> silence.look(5_000, predictions_end=True, feedback_end=True)
    5000
    >>> silence.look(7_000, predictions_end=True, feedback_end=True)
    >>> silence.heard(feedback=False)
    >>> silence.look(9_000, predictions_end=False, feedback_end=True), silence.of_feedback
    (None, True)
    """

    def __init__(self, *, idle_ms: int) -> None:
        self._idle_ms = idle_ms
        self._since_ms: int | None = None
        self._feedback_since_ms: int | None = None
        self._said_ms: int | None = None
        self.of_feedback = False

    def heard(self, *, feedback: bool) -> None:
        """Records of feedback or of predictions have come."""
        self._since_ms = self._said_ms = None
        if feedback:
            self._feedback_since_ms = None

    def look(self, now_ms: int, *, predictions_end: bool, feedback_end: bool) -> int | None:
        """How long both topics have been at their ends, if that is to be said now."""
        self._look_at_feedback(now_ms, at_end=feedback_end)
        if not (predictions_end and feedback_end):
            return None
        if self._since_ms is None:
            self._since_ms = now_ms
        elapsed_ms = now_ms - self._since_ms
        said_ms = self._since_ms if self._said_ms is None else self._said_ms
        if not elapsed_ms or now_ms - said_ms < self._idle_ms:
            return None
        self._said_ms = now_ms
        return elapsed_ms

    def _look_at_feedback(self, now_ms: int, *, at_end: bool) -> None:
        """Feedback is silent when it alone has been at its end for a while."""
        if not at_end:
            self._feedback_since_ms = None
        elif self._feedback_since_ms is None:
            self._feedback_since_ms = now_ms
        since_ms = self._feedback_since_ms
        self.of_feedback = since_ms is not None and now_ms - since_ms >= self._idle_ms

"""The label of a prediction: what is said of it now, and what had been said before."""

from __future__ import annotations

import msgspec

NEVER = -(1 << 62)
"""The time of a label that nobody has given."""

BY_REVIEW, BY_SIGNAL = 1, 2
"""Marks of the feedback that set the label."""

REVIEWED, DISAGREED, FLIPPED = 4, 8, 16
"""Marks of its history: a person looked at a label that was there, and changed it; other feedback
said something else than earlier feedback."""

HISTORY = REVIEWED | DISAGREED | FLIPPED

CHANCES = 60_000
"""Propensities are kept as multiples of 1/60,000, at least one; 0 stands for none."""


class LabelState(msgspec.Struct, frozen=True, gc=False):
    """A label, or the lack of one.

    ``truth`` is None while there is no label, ``time_ms`` the time of the feedback that set or
    retracted it; a later one wins. ``source`` is the place, from 1, of the label's first source in
    ``labels.sources`` of the policy, 0 for any other. ``chance`` is the propensity in multiples of
    1 / `CHANCES`.

    One feedback alone is a label state, too.
    """

    truth: float | None = None
    time_ms: int = NEVER
    marks: int = 0
    source: int = 0
    chance: int = 0

    def after(self, said: LabelState) -> LabelState:
        """The state after one more feedback.

        Of two feedbacks the one with the later time holds, whichever is read first. A retraction
        takes label and history away.

        Examples
        --------
        >>> first, second = LabelState(1.0, 10, source=2), LabelState(0.0, 20)
        >>> for state in (first.after(second), second.after(first)):
        ...     print(state.truth, state.marks == FLIPPED)
        0.0 True
        0.0 True
        >>> first.after(LabelState(1.0, 20, marks=BY_REVIEW)).marks == BY_REVIEW | REVIEWED
        True
        """
        if said.time_ms < self.time_ms:
            if self.truth is None or said.truth is None:
                return self
            marks = self.marks | _history(said, self)
            return msgspec.structs.replace(self, marks=marks, chance=self.chance or said.chance)
        if self.truth is None or said.truth is None:
            return said
        return LabelState(
            truth=said.truth,
            time_ms=said.time_ms,
            marks=self.marks & HISTORY | said.marks | _history(self, said),
            source=self.source,
            chance=said.chance or self.chance,
        )


NO_LABEL = LabelState()


def chance_of(propensity: float | None) -> int:
    """A propensity in (0, 1] as it is kept.

    Examples
    --------
    >>> chance_of(None), chance_of(1.0), chance_of(0.05), chance_of(1e-9)
    (0, 60000, 3000, 1)
    """
    return 0 if propensity is None else max(round(propensity * CHANCES), 1)


def _history(earlier: LabelState, later: LabelState) -> int:
    """What the later of two feedbacks says of the earlier one."""
    changed = earlier.truth != later.truth
    if later.marks & BY_REVIEW:
        return REVIEWED | DISAGREED * changed
    if later.marks & BY_SIGNAL:
        # Signals add up, as a click after a view: that reverses nothing.
        return 0
    return FLIPPED * changed

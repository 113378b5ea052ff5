"""Which commands were read: one that comes twice counts once."""

from __future__ import annotations

from schemas.commands import Command
from streams.decide import clock
from streams.decide.keys import CommandKey
from streams.decide.state import State

KEPT_MS = 30 * 86_400_000
"""How long the id of a command is remembered, in the time that is decided by."""


def is_first(state: State, command: Command) -> bool:
    """Whether a command comes for the first time; it is remembered for `KEPT_MS`.

    Examples
    --------
    >>> from schemas.commands import Unpin
    >>> state = State()
    >>> unpin = Unpin(kind="unpin", id="c1", model="fraud", time=0, by="ada")
    >>> is_first(state, unpin), is_first(state, unpin)
    (True, False)
    """
    key = CommandKey(command.model, command.id)
    if state.commands.get(key) is not None:
        return False
    now_ms = clock.decision_ms(state) or 0
    for old, read_ms in state.commands.items():
        if old.model == command.model and now_ms - read_ms >= KEPT_MS:
            state.commands.drop(old)
    state.commands.put(key, now_ms)
    return True

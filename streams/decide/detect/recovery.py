"""Is the trouble over? The reverse bet, in a form that long trouble does not put into debt."""

from __future__ import annotations

import math
from collections.abc import Sequence

from detectors.arrays import FloatArray, as_floats
from detectors.bets.grid import K, log_mean_exp
from detectors.sequential.bank import log_shares
from detectors.sequential.e_sr import step
from detectors.sequential.recovery import CleanWindows
from streams.decide.detect.contract import ALPHA_RECOVERY, Recovery

NOTHING = -1e300
"""Log-wealth of a bet that has not begun, as a number that travels."""

MEMORY = K + 1
"""Length of a memory: windows so far, and the log-wealth of each bet."""

FRESH = [-math.inf] * K
"""The log-wealth of bets before their first window."""


def reverse(memory: list[float], increments: FloatArray) -> Recovery:
    """Weigh one more window after the alarm.

    While every window since the alarm is over the limit, the chance of ever saying "over" is at
    most 5 %. A plain e-process would promise the same, but sinks with every bad window, and
    after a month of trouble needs about a month to rise again. Here the 5 % are laid out over
    the windows as 6 / (pi j)**2 and each portion starts to bet in its own window, so only the
    windows since the trouble ended count, at a price of about 2 log j.

    Parameters
    ----------
    memory
        What the last call returned; empty in the first window.
    increments
        Log-wealth that the bets on recovery win in this window, shape (K,).

    Examples
    --------
    >>> from detectors.bets.binary import increments
    >>> memory = []
    >>> for bad in [50] * 20 + [6, 4, 5]:
    ...     step = reverse(memory, increments(n=200, s=bad, m=0.10, side="below"))
    ...     memory = step.memory
    >>> step.over
    True
    """
    return reverse_each([memory], increments[None])[0]


def reverse_each(memories: Sequence[list[float]], increments: FloatArray) -> list[Recovery]:
    """`reverse` of N alerts at once; ``increments`` of shape (N, K)."""
    windows = [memory[0] + 1 if memory else 1.0 for memory in memories]
    before = as_floats([memory[1:] or FRESH for memory in memories])
    shares = [ALPHA_RECOVERY * 6.0 / (math.pi * window) ** 2 for window in windows]
    after = step(before, increments, log_share=log_shares(shares))
    log_m = log_mean_exp(after)
    return [
        Recovery([window, *wealth], over, log_e)
        for window, wealth, over, log_e in zip(
            windows,
            after.tolist(),
            (log_m >= 0.0).tolist(),
            (log_m - math.log(ALPHA_RECOVERY)).tolist(),
            strict=True,
        )
    ]


def clear_of(level: float, clear: float, *, worse: str, lo: float = 0.0, hi: float = 1.0) -> float:
    """The level that a metric must be better than for its alert to end.

    Parameters
    ----------
    clear
        Share of the way from the level to the best value; 0 asks for no more than the level.
    lo, hi
        Best value where ``worse`` is "above", and where it is "below".

    Examples
    --------
    >>> round(clear_of(0.05, 0.1, worse="above"), 4), round(clear_of(0.9, 0.1, worse="below"), 4)
    (0.045, 0.91)
    """
    best = lo if worse == "above" else max(hi, level)
    return level + clear * (best - level)


def after_clean_windows(
    memory: list[float], *, clean: bool, test_memory: bytes | None = None
) -> Recovery:
    """Over after six clean windows in a row: a rule without a promise, for what has none itself.

    Parameters
    ----------
    memory
        What the last call returned; empty in the first window.
    clean
        Whether this window raises nothing.
    test_memory
        Memory of the test, where it goes on while its alert is open.

    Examples
    --------
    >>> memory = []
    >>> for clean in [True] * 5 + [False] + [True] * 6:
    ...     step = after_clean_windows(memory, clean=clean)
    ...     memory = step.memory
    >>> step.over, memory
    (True, [6.0])
    """
    windows = CleanWindows.restore(memory) if memory else CleanWindows()
    over = windows.update(clean)
    return Recovery(windows.state(), over, 0.0, test_memory)


def restarted(memory: list[float]) -> list[float]:
    """A memory whose bets begin anew, for a window that is bad beyond doubt.

    Between two one-sided bets this matters: wealth won while outcomes lay above the scores must
    not count once they lie below. Beginning anew only delays the end.

    Examples
    --------
    >>> restarted([7.0, *[3.0] * 12])[:2]
    [7.0, -1e+300]
    """
    return [memory[0], *[NOTHING] * K]

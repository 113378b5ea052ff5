"""What a target's answer means, and how long to wait before the next attempt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from schemas.act import Retry
from schemas.base import EPOCH
from schemas.durations import duration_ms

PASSING = frozenset({408, 425, 429})
"""Refusals that may be over soon, besides all of 500 and more."""


class Verdict(StrEnum):
    """What an answer says about a delivery."""

    ACCEPTED = "accepted"
    LATER = "later"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt; ``wait_ms`` is how long the target asked to be left alone."""

    verdict: Verdict
    reason: str = ""
    wait_ms: int = 0


def answer(status: int, text: str, *, retry_after: str | None, now_ms: int) -> Answer:
    """What an HTTP answer means.

    Parameters
    ----------
    retry_after
        The header of that name: seconds, or a date.
    now_ms
        Milliseconds since the epoch.

    Examples
    --------
    >>> answer(202, "", retry_after=None, now_ms=0).verdict
    <Verdict.ACCEPTED: 'accepted'>
    >>> answer(429, "slow down", retry_after="30", now_ms=0)
    Answer(verdict=<Verdict.LATER: 'later'>, reason='answered 429: slow down', wait_ms=30000)
    >>> answer(404, "", retry_after=None, now_ms=0).verdict
    <Verdict.REFUSED: 'refused'>
    """
    if 200 <= status < 300:
        return Answer(Verdict.ACCEPTED)
    reason = f"answered {status}" + (f": {text[:200]}" if text else "")
    if status in PASSING or status >= 500:
        return Answer(Verdict.LATER, reason, _asked_ms(retry_after, now_ms))
    if 300 <= status < 400:
        reason += "; redirects are not followed, give the address it leads to"
    return Answer(Verdict.REFUSED, reason)


def _asked_ms(retry_after: str | None, now_ms: int) -> int:
    if retry_after is None:
        return 0
    try:
        if retry_after.strip().isdecimal():
            return int(retry_after) * 1_000
        moment: datetime = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return 0
    if moment.tzinfo is None:
        return 0
    return max(0, int((moment - EPOCH).total_seconds() * 1_000) - now_ms)


def wait_ms(retry: Retry, *, failures: int, key: str) -> int:
    """How long to wait after so many failed attempts in a row, in milliseconds.

    Parameters
    ----------
    key
        What is tried: the jitter is a hash of it, so a run can be repeated.

    Examples
    --------
    >>> even = Retry(first="1s", factor=2.0, longest="5s", jitter=0.0)
    >>> [wait_ms(even, failures=failures, key="e1") for failures in (1, 2, 3, 4, 1_000)]
    [1000, 2000, 4000, 5000, 5000]
    """
    longest = duration_ms(retry.longest)
    # The power would overflow long after it has passed any longest wait.
    plain = duration_ms(retry.first) * retry.factor ** min(failures - 1, 200)
    hashed = hashlib.sha256(f"{key}/{failures}".encode()).digest()
    part = int.from_bytes(hashed[:4], "big") / 2**32
    return max(1, int(min(plain, longest) * (1 - retry.jitter * part)))

"""Signatures of webhooks: whether a request comes from Kittiwake, unchanged, and just now."""

from __future__ import annotations

import hashlib
import hmac

TIMESTAMP = "Kittiwake-Timestamp"
SIGNATURE = "Kittiwake-Signature"
"""Names of the two headers."""

VERSION = "v1"
TOLERANCE_S = 300.0
MOST_DIGITS = 15


class InvalidSignature(ValueError):
    """A request that should not be believed."""


def verify(
    body: bytes,
    *,
    timestamp: str,
    signature: str,
    secret: str,
    now_s: float,
    tolerance_s: float = TOLERANCE_S,
) -> None:
    """Check a webhook; returns if all is well.

    Other headers are not signed. Whoever saw the request could send it again with another
    ``Idempotency-Key`` while it is young, so tell repetitions by the ``id`` in the body.

    Parameters
    ----------
    body
        The bytes as they came, before anything reads them as JSON.
    timestamp, signature
        The headers ``Kittiwake-Timestamp`` and ``Kittiwake-Signature``.
    secret
        What the target shares with Kittiwake.
    now_s
        Seconds since 1970, such as ``time.time()``.
    tolerance_s
        How far the request's time may lie from that; an old one may be somebody's replay.

    Raises
    ------
    InvalidSignature
        If it is not signed with the secret, or not now.
    ValueError
        If the secret is empty.

    Examples
    --------
    >>> signed = "v1=" + hmac.new(b"s3cret", b"1700000000.{}", "sha256").hexdigest()
    >>> header = {"timestamp": "1700000000", "signature": signed}
    >>> verify(b"{}", **header, secret="s3cret", now_s=1_700_000_001)
    >>> verify(b"{ }", **header, secret="s3cret", now_s=1_700_000_001)
    Traceback (most recent call last):
    kittiwake_client.signature.InvalidSignature: the body does not fit its signature; check it
    """
    if not secret:
        raise ValueError("the secret is empty, so anybody could sign; set it")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= MOST_DIGITS):
        raise InvalidSignature(f"the timestamp is {timestamp!r:.80}, not whole seconds since 1970")
    if abs(now_s - int(timestamp)) > tolerance_s:
        raise InvalidSignature(
            f"the request is of {timestamp}, and now is {now_s:.0f}: more than {tolerance_s:g} s "
            "apart; check both clocks"
        )
    signed = timestamp.encode() + b"." + body
    wanted = f"{VERSION}={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}".encode()
    # In constant time: how long it takes must not say how much of it is right.
    if not hmac.compare_digest(wanted, signature.strip().encode(errors="replace")):
        raise InvalidSignature("the body does not fit its signature; check it")

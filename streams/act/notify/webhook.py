"""Webhooks: the event as it stands in the log, signed.

The signature covers the time of sending, so that an old request cannot be sent again later by
somebody who saw it. `kittiwake_client.verify` is the other end.

References
----------
.. [1] Krawczyk, Bellare, Canetti, RFC 2104, HMAC: Keyed-Hashing for Message Authentication, 1997.
"""

from __future__ import annotations

import hashlib
import hmac

from schemas.act import Webhook
from streams.act.notify.request import Request
from streams.act.outgoing import Outgoing
from streams.act.settings import Secrets

TIMESTAMP = "Kittiwake-Timestamp"
SIGNATURE = "Kittiwake-Signature"
TOPIC = "Kittiwake-Topic"


def request(outgoing: Outgoing, target: Webhook, secrets: Secrets, *, at_ms: int) -> Request:
    """The delivery of an event to a webhook.

    Parameters
    ----------
    at_ms
        The time of sending, in milliseconds since the epoch.
    """
    headers = [(TOPIC, outgoing.topic)]
    if target.secret_env is not None:
        seconds = str(at_ms // 1_000)
        signed = signature(outgoing.body, seconds, secrets[target.secret_env])
        headers += [(TIMESTAMP, seconds), (SIGNATURE, signed)]
    return Request(target.url, outgoing.body, tuple(headers))


def signature(body: bytes, timestamp: str, secret: str) -> str:
    """HMAC-SHA-256 of ``timestamp.body``, with the version of this rule in front.

    Examples
    --------
    >>> signature(b"{}", "1700000000", "s3cret")
    'v1=97926816e98fbb41ccb1673225ff29a2f35369099990e1b1561651e7bd097ebf'
    """
    mac = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={mac.hexdigest()}"

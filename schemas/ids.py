"""Ids derived from content, so that a replay gives the same ones."""

from __future__ import annotations

import hashlib
import json


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spaces.

    Examples
    --------
    >>> canonical({"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def content_id(*parts: object) -> str:
    """Sixteen hex digits of the SHA-256 of the parts.

    Examples
    --------
    >>> content_id("fraud", "v12", 0)
    '941d081594f25d4f'
    >>> content_id("fraud", "v1", 20) == content_id("fraud", "v12", 0)
    False
    """
    return hashlib.sha256(canonical(list(parts))).hexdigest()[:16]

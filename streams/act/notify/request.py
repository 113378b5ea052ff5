"""An HTTP request to a target, made by pure functions, so that its bytes can be compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

from schemas.cloudevents import JSON

_TOKEN = re.compile("[!-~]+")

Json: TypeAlias = Mapping[str, "Json"] | list["Json"] | str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Request:
    """A POST.

    ``headers`` come besides those that every delivery has.
    """

    url: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def encode(value: Json) -> bytes:
    """JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def headers_of(request: Request, *, key: str) -> dict[str, str]:
    """All headers of a delivery.

    Parameters
    ----------
    key
        The event's id. Every repetition has the same, so that a target can drop it. It is
        percent-encoded if it holds more than visible ASCII characters.
    """
    # A schedule's name may be part of it, in any language; a header takes ASCII only.
    told = key if _TOKEN.fullmatch(key) else quote(key)
    every = {"Content-Type": JSON, "User-Agent": "kittiwake", "Idempotency-Key": told}
    return every | dict(request.headers)


def shortened(text: str, most: int) -> str:
    """The text, cut where it is longer than a target takes.

    Examples
    --------
    >>> shortened("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= most else text[: most - 1] + "…"

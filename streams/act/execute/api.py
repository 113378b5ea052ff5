"""HTTP as executors need it: what failed before a write, and what may have been written."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import httpx

from schemas.errors import TargetError, TargetUnavailable
from streams.act.execute.contract import Change, Transition

Json: TypeAlias = Mapping[str, object]

CONFLICT = frozenset({409, 412})
_LATER = frozenset({429, 503})
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer's entity tag, empty where it has none, and its JSON object."""

    etag: str
    body: Json


class Api:
    """A service that answers in JSON; redirects are not followed, as secrets would go along.

    Parameters
    ----------
    url
        What every path begins with.
    authorization
        Value of the header ``Authorization``; empty for none.
    timeout_ms
        How long a call may take in all.
    ca_file
        Certificates to trust instead of the usual ones; empty for those.
    """

    def __init__(
        self, url: str, *, authorization: str = "", timeout_ms: int, ca_file: str = ""
    ) -> None:
        verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
        headers = {"Authorization": authorization} if authorization else {}
        self._url = url.rstrip("/")
        self._timeout_s = timeout_ms / 1_000
        self._client = httpx.AsyncClient(headers=headers, timeout=None, verify=verify)

    async def get(
        self, path: str, *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] = {}
    ) -> Answer:
        """Read a resource.

        Raises
        ------
        TargetUnavailable
            If there is no answer, or one that says later.
        TargetError
            If the answer is a refusal or no JSON object.
        """
        try:
            response = await self._send("GET", path, query, headers, None)
        except (httpx.TransportError, TimeoutError) as error:
            raise TargetUnavailable(f"GET {self._url}{path}: {_said(error)}") from error
        where = f"GET {self._url}{path}"
        if response.status_code >= 500 or response.status_code in _LATER | {408}:
            raise TargetUnavailable(f"{where}: answered {_shown(response)}")
        if response.status_code != 200:
            raise TargetError(
                f"{where}: answered {_shown(response)}; check address and permissions"
            )
        return Answer(response.headers.get("etag", ""), _object(response, where))

    async def write(
        self,
        method: str,
        path: str,
        body: object,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = {},
    ) -> tuple[Transition, Json]:
        """Change a resource, and say what became of it; with the answer's object, if there is one.

        Raises
        ------
        TargetUnavailable
            If nothing was sent, or the answer says later.
        TargetError
            If the answer is a refusal.
        """
        where = f"{method} {self._url}{path}"
        try:
            response = await self._send(method, path, query, headers, body)
        except _UNSENT as error:
            raise TargetUnavailable(f"{where}: {_said(error)}") from error
        except (httpx.TransportError, TimeoutError) as error:
            return Transition(Change.UNKNOWN, f"{where}: {_said(error)}"), {}
        status = response.status_code
        if status in CONFLICT:
            return Transition(Change.CONFLICT, f"{where}: answered {_shown(response)}"), {}
        if status in _LATER:
            raise TargetUnavailable(f"{where}: answered {_shown(response)}")
        if status >= 500 or status == 408:
            return Transition(Change.UNKNOWN, f"{where}: answered {_shown(response)}"), {}
        if status >= 300:
            raise TargetError(f"{where}: answered {_shown(response)}; check it and permissions")
        answer = _object(response, where) if response.content else {}
        return Transition(Change.CHANGED, f"{where}: answered {status}"), answer

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
        body: object,
    ) -> httpx.Response:
        async with asyncio.timeout(self._timeout_s):
            return await self._client.request(
                method, self._url + path, params=query, headers=headers, json=body
            )


def text_at(body: Json, *path: str) -> str | None:
    """The text at a path of nested objects; None if there is none."""
    value = _at(body, path)
    return value if isinstance(value, str) else None


def number_at(body: Json, *path: str) -> int | None:
    """The whole number at a path of nested objects; None if there is none."""
    value = _at(body, path)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def object_at(body: Json, *path: str) -> Json:
    """The object at a path of nested objects; empty if there is none."""
    value = _at(body, path)
    return value if isinstance(value, Mapping) else {}


def _at(body: Json, path: tuple[str, ...]) -> object:
    value: object = body
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _object(response: httpx.Response, where: str) -> Json:
    try:
        value: object = response.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise TargetError(f"{where}: answered no JSON object but {_shown(response)}")
    return value


def _shown(response: httpx.Response) -> str:
    """The answer for people, without the secret, should it repeat the request."""
    text, secret = response.text, response.request.headers.get("Authorization", "")
    for part in filter(None, (secret, secret.rpartition(" ")[2])):
        text = text.replace(part, "***")
    return f"{response.status_code} {text[:200]!r}"


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__

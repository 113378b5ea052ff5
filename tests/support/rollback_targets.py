"""Small real servers that deployments live on: one for JSON, one with Kubernetes' rules."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Call:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any


Reply = tuple[int, dict[str, str], Any]
Answer = Callable[[Call], Reply]


@dataclass
class JsonServer:
    """Serves what ``answer`` says, one request at a time; ``faults`` spoil the next writes.

    A fault ``drop`` does the write and closes the connection without an answer; a number is
    answered instead of doing anything.
    """

    answer: Answer
    faults: list[str | int] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

        def serve(handler: BaseHTTPRequestHandler) -> None:
            self._serve(handler)

        methods = dict.fromkeys(("do_GET", "do_PUT", "do_POST", "do_PATCH"), serve)
        handler = type("Handler", (_Quiet,), methods)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def writes(self) -> list[Call]:
        """What was not only read."""
        return [call for call in self.calls if call.method != "GET"]

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        raw = handler.rfile.read(length)
        if len(raw) < length:
            return  # Its sender died in the middle of it: that is no request.
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        call = Call(
            handler.command,
            unquote(parts.path),
            query,
            handler.headers,
            json.loads(raw) if raw else None,
        )
        with self._lock:
            self.calls.append(call)
            fault = self.faults.pop(0) if self.faults and call.method != "GET" else None
            status, headers, body = (
                (fault, {}, {"message": "fault"}) if isinstance(fault, int) else self.answer(call)
            )
        if fault == "drop":
            handler.close_connection = True
            return
        data = json.dumps(body).encode()
        handler.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            handler.send_header(key, value)
        handler.end_headers()
        handler.wfile.write(data)


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def recorded(name: str) -> Any:
    """A recorded API shape, without the note that says where it is documented."""
    path = Path(__file__).parents[1] / "act" / "execute" / "recorded" / f"{name}.json"
    shape = json.loads(path.read_text(encoding="utf-8"))
    assert shape.pop("_note"), f"{name} says not where it is documented"
    return shape


class Cluster:
    """Objects by path with Kubernetes' rules: resource versions, generations, status apart."""

    def __init__(self, objects: Mapping[str, Any], *, token: str = "secret") -> None:
        self.objects = {path: deepcopy(found) for path, found in objects.items()}
        self._token = token
        self._version = 1_000
        for found in self.objects.values():
            self.touch(found)

    def touch(self, found: dict[str, Any]) -> None:
        """Give an object a new resource version, as after any change."""
        self._version += 1
        found["metadata"]["resourceVersion"] = str(self._version)

    def __call__(self, call: Call) -> Reply:
        """Answer a request."""
        if call.headers.get("Authorization") != f"Bearer {self._token}":
            return 401, {}, _status(401, "Unauthorized")
        path = call.path.removesuffix("/status")
        if path not in self.objects:
            return 404, {}, _status(404, "NotFound")
        if call.method == "GET":
            return 200, {}, self.objects[path]
        if call.headers.get("Content-Type") != "application/merge-patch+json":
            return 415, {}, _status(415, "UnsupportedMediaType")
        return self._patch(path, call)

    def _patch(self, path: str, call: Call) -> Reply:
        old = self.objects[path]
        version = call.body.get("metadata", {}).get("resourceVersion")
        if version not in (None, old["metadata"]["resourceVersion"]):
            return 409, {}, _status(409, "Conflict")
        merged = merge(old, call.body)
        part = "status" if call.path.endswith("/status") else None
        new = (
            {**old, "status": merged.get("status")} if part else {**merged, "status": old["status"]}
        )
        new = deepcopy(new)
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] += 1
        if new != old:
            self.touch(new)
        if call.query.get("dryRun") != "All":
            self.objects[path] = new
        return 200, {}, new


def merge(old: Any, patch: Any) -> Any:
    """A JSON merge patch, RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def _status(code: int, reason: str) -> dict[str, object]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "code": code,
    }

"""A small real HTTP server that is told what to answer, and remembers what came."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Reply = tuple[int, dict[str, str], str]
OK: Reply = (200, {}, "ok")


@dataclass(frozen=True, slots=True)
class Posted:
    """A request as it came in."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """Its idempotency key."""
        return self.headers["Idempotency-Key"]

    @property
    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers each POST with the next of ``replies``, then with 200.

    ``seen`` is called with each request before it is answered, ``closes`` counts how many of the
    next connections are closed without an answer.
    """

    replies: deque[Reply] = field(default_factory=deque)
    seen: Callable[[Posted], None] = lambda _: None
    closes: int = 0
    posted: list[Posted] = field(default_factory=list)

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def keys(self) -> list[str]:
        """The idempotency keys, in order of arrival."""
        return [posted.key for posted in self.posted]

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        body = handler.rfile.read(length)
        if len(body) < length:
            return  # Its sender died in the middle of it: that is no request.
        posted = Posted(handler.path, dict(handler.headers), body)
        self.posted.append(posted)
        self.seen(posted)
        if self.closes:
            self.closes -= 1
            handler.close_connection = True
            return
        status, headers, text = self.replies.popleft() if self.replies else OK
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text.encode())


@contextmanager
def dripping() -> Iterator[str]:
    """The address of a server whose answers never end: now and then there is one header more."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while not stop.wait(0.02):
                connection.sendall(b"X-More: yes\r\n")

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            stop.set()

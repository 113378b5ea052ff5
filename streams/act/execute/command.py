"""A program of the user's own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import NamedTuple

from schemas.errors import TargetError, TargetUnavailable
from streams.act.execute.api import Json, number_at, text_at
from streams.act.execute.contract import Change, Observed, Request, Transition

LATER = 75
"""Exit code of a program that changed nothing and may do so later: ``EX_TEMPFAIL`` of sysexits."""


class _Result(NamedTuple):
    code: int | None
    out: bytes
    err: bytes


class CommandExecutor:
    """Ask a program.

    It reads one JSON object: ``op`` (``read`` or ``set``), ``request``, and for ``set``
    ``observed`` and ``dry_run``. It writes one: for ``read`` ``version``, ``generation`` and
    ``token``, for ``set`` ``changed``, which is false if the target was not as observed. Exit code
    75 says that nothing was changed and that later may do; any other but 0 says the first.

    Parameters
    ----------
    name
        Name in acknowledgements.
    argv
        The program and its arguments; no shell.
    environment
        All of its environment.
    compare_and_set
        Whether the program compares and sets in one step.
    timeout_ms
        How long it may take; then it is killed with all that it started.
    """

    def __init__(
        self,
        name: str,
        *,
        argv: Sequence[str],
        environment: Mapping[str, str],
        compare_and_set: bool,
        timeout_ms: int,
    ) -> None:
        self.name = name
        self.has_compare_and_set = compare_and_set
        self._argv = tuple(argv)
        self._environment = dict(environment)
        self._timeout_s = timeout_ms / 1_000

    async def read(self, request: Request) -> Observed:
        """Ask what is served."""
        result = await self._run({"op": "read", "request": asdict(request)})
        if result.code is None:
            raise TargetUnavailable(f"{self._said(result)} while reading")
        answer = self._answer(result)
        return Observed(
            version=text_at(answer, "version"),
            generation=number_at(answer, "generation"),
            token=text_at(answer, "token") or "",
        )

    async def set(self, request: Request, observed: Observed, *, dry_run: bool) -> Transition:
        """Ask to set it."""
        question = {"op": "set", "request": asdict(request), "observed": asdict(observed)}
        result = await self._run(question | {"dry_run": dry_run})
        if result.code is None:
            return Transition(Change.UNKNOWN, self._said(result))
        if self._answer(result).get("changed") is False:
            return Transition(Change.CONFLICT, f"{self._argv[0]} found it changed meanwhile")
        if dry_run:
            return Transition(Change.WOULD_CHANGE, f"run {self._argv[0]}")
        return Transition(Change.CHANGED, f"{self._argv[0]} set it")

    async def close(self) -> None:
        """Nothing to free."""

    async def _run(self, question: Json) -> _Result:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            raise TargetError(f"{self._argv[0]}: cannot be run: {error.strerror}") from error
        ended = False
        try:
            async with asyncio.timeout(self._timeout_s):
                out, err = await process.communicate(json.dumps(question).encode())
                ended = True
        except TimeoutError:
            return _Result(None, b"", b"")
        finally:
            if not ended:
                # The program itself may be gone, and what it started still be there.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        # Killed by a signal: as with a timeout, nobody knows how far it came.
        code = process.returncode
        return _Result(code if code is not None and code >= 0 else None, out, err)

    def _answer(self, result: _Result) -> Json:
        if result.code == LATER:
            raise TargetUnavailable(self._said(result))
        if result.code:
            raise TargetError(self._said(result))
        try:
            value: object = json.loads(result.out)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise TargetError(f"{self._argv[0]}: wrote no JSON object but {result.out[:200]!r}")
        return value

    def _said(self, result: _Result) -> str:
        if result.code is None:
            return f"{self._argv[0]}: killed, or took longer than {self._timeout_s:g} s"
        last = result.err[-200:].decode(errors="replace")
        return f"{self._argv[0]}: exit code {result.code}, {last!r}"

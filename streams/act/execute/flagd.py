"""A flag in a file that flagd reads."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import TargetError, TargetUnavailable
from streams.act.execute.api import Json, number_at, object_at, text_at
from streams.act.execute.contract import Change, Observed, Request, Transition

_LOCK_TRIES = 50


class FlagdExecutor:
    """Make a version the only variant that a flag serves.

    The file is replaced in one step, under a lock on ``FILE.lock`` beside it, if its hash is the
    one that was read. Who writes without taking the lock may write between comparing and
    replacing. The flag's ``metadata`` gets ``rollback``, and its ``generation``, where it has one,
    is counted up.

    Parameters
    ----------
    name
        Name in acknowledgements.
    path
        The file, as JSON; a link is followed.
    flag
        Key of the flag; ``{model}`` stands for the model.
    compare_and_set
        Whether all who write the file take the lock.
    timeout_ms
        How long to wait for the lock.

    References
    ----------
    .. [1] flagd, Flag Definitions: variants, defaultVariant, targeting, metadata.
    """

    def __init__(
        self, name: str, *, path: Path, flag: str, compare_and_set: bool, timeout_ms: int
    ) -> None:
        self.name = name
        self.has_compare_and_set = compare_and_set
        self._path = path
        self._flag = flag
        self._wait_s = timeout_ms / 1_000 / _LOCK_TRIES

    async def read(self, request: Request) -> Observed:
        """The default variant, if no targeting can choose another."""
        content, flag = await asyncio.to_thread(self._read, request)
        default, targeted = text_at(flag, "defaultVariant"), bool(flag.get("targeting"))
        serves = flag.get("state") == "ENABLED" and not (targeted and default == request.target)
        return Observed(
            version=default if serves else None,
            generation=number_at(flag, "metadata", "generation"),
            token=_digest(content),
        )

    async def set(self, request: Request, observed: Observed, *, dry_run: bool) -> Transition:
        """Serve the target to everybody."""
        _, flag = await asyncio.to_thread(self._read, request)
        if request.target not in object_at(flag, "variants"):
            raise TargetError(f"{self._path}: the flag has no variant {request.target!r}; add it")
        if dry_run:
            return Transition(Change.WOULD_CHANGE, f"make {request.target} the default variant")
        for _ in range(_LOCK_TRIES):
            with _locked(self._path.resolve()) as held:
                if held:
                    # Not in a thread: once begun it must end before the lock is let go.
                    return self._replace(request, observed)
            await asyncio.sleep(self._wait_s)
        raise TargetUnavailable(f"{self._path}: somebody else holds its lock")

    async def close(self) -> None:
        """Nothing to free."""

    def _read(self, request: Request) -> tuple[bytes, Json]:
        try:
            content = self._path.read_bytes()
            value: object = json.loads(content)
        except (FileNotFoundError, PermissionError) as error:
            raise TargetError(f"{self._path}: {error.strerror}; check path and rights") from error
        except OSError as error:
            raise TargetUnavailable(f"{self._path}: {error.strerror}") from error
        except ValueError as error:
            raise TargetError(f"{self._path}: not JSON ({error}); mend it") from error
        flags = object_at(value, "flags") if isinstance(value, dict) else {}
        flag = flags.get(self._flag.replace("{model}", request.model))
        if not isinstance(flag, dict):
            name = self._flag.replace("{model}", request.model)
            raise TargetError(f"{self._path}: no flag {name!r} under flags; add it")
        return content, flag

    def _replace(self, request: Request, observed: Observed) -> Transition:
        content, _ = self._read(request)
        if _digest(content) != observed.token:
            return Transition(Change.CONFLICT, "the file was changed meanwhile")
        whole = json.loads(content)
        flag = whole["flags"][self._flag.replace("{model}", request.model)]
        flag |= {"state": "ENABLED", "defaultVariant": request.target, "targeting": {}}
        made: dict[str, object] = {"rollback": request.key}
        if observed.generation is not None:
            # Never begun here: who deploys would not count it up, and later requests be stale.
            made["generation"] = observed.generation + 1
        flag["metadata"] = {**flag.get("metadata", {}), **made}
        try:
            _write(self._path.resolve(), json.dumps(whole, indent=2).encode() + b"\n")
        except OSError as error:
            raise TargetError(f"{self._path}: cannot be written: {error.strerror}") from error
        return Transition(Change.CHANGED, f"{self._path} replaced")


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether the lock beside the file could be had; kept until the block ends."""
    try:
        handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise TargetError(f"{path}.lock: cannot be opened: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _write(path: Path, content: bytes) -> None:
    """Replace a file: readers see all of the old or all of the new, after a crash as well."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(path.stat().st_mode & 0o777)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

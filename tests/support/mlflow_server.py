"""MLflow's own server, from its own package, in an environment of its own."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import pytest

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements-mlflow.lock"
CACHE = ROOT / ".cache" / "mlflow"

_READY_S = 90.0


def python() -> str:
    """An interpreter that has MLflow; made anew only when the lock file changes.

    Where it cannot be made the test is skipped, but fails under ``CI``.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    made, found = CACHE / "made-of", CACHE / "venv" / "bin" / "python"
    with (CACHE / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # sessions at the same time share it
        if made.is_file() and made.read_text() == wanted and found.is_file():
            return str(found)
        shutil.rmtree(CACHE / "venv", ignore_errors=True)
        pip = [
            str(found),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-compile",
        ]
        _run([sys.executable, "-m", "venv", str(CACHE / "venv")])
        _run([*pip, "--require-hashes", "-r", str(LOCK)])
        made.write_text(wanted)
    return str(found)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{' '.join(command)}: {done.stderr[-2_000:]}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)


class MlflowServer:
    """A tracking server with a registry in SQLite, on a free port.

    Parameters
    ----------
    directory
        Where its database and log go.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        database = f"sqlite:///{self._directory / 'mlflow.db'}"
        command = [python(), "-m", "mlflow", "server", "--backend-store-uri", database]
        command += ["--artifacts-destination", str(self._directory / "artifacts")]
        command += ["--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"]
        self._log = (self._directory / "mlflow.log").open("wb")
        self._process = subprocess.Popen(
            command,
            cwd=self._directory,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Its job runner is of no use here and needs more packages.
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )
        self._wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, 15)
            self._process.wait(30)
        self._log.close()

    def _wait(self) -> None:
        until = time.monotonic() + _READY_S
        while time.monotonic() < until and self._process.poll() is None:
            try:
                if httpx.get(f"{self.url}/health", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        self.__exit__(None, None, None)
        raise AssertionError((self._directory / "mlflow.log").read_text()[-4_000:])

"""MLflow's own server, from its own package, in an environment of its own."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from server import Server, missing

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements-mlflow.lock"
CACHE = ROOT / ".cache" / "mlflow"


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
        missing(f"{' '.join(command)}: {done.stderr[-2_000:]}")


class MlflowServer(Server):
    """A tracking server with a registry in SQLite, on a free port.

    Parameters
    ----------
    directory
        Where its database and log go.
    """

    name = "mlflow"
    ready = "/health"
    ready_s = 90.0

    def command(self) -> list[str]:
        """One worker."""
        database = f"sqlite:///{self.directory / 'mlflow.db'}"
        command = [python(), "-m", "mlflow", "server", "--backend-store-uri", database]
        command += ["--artifacts-destination", str(self.directory / "artifacts")]
        return [*command, "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]

    def environment(self) -> Mapping[str, str]:
        """Its job runner is of no use here and needs more packages."""
        return {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

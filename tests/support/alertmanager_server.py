"""A real Alertmanager that tells a receiver."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

NAMES = ("prometheus-alertmanager", "alertmanager")
_READY_S = 30.0
CONFIG = """
route:
  receiver: test
  group_by: [alertname, model]
  group_wait: 100ms
  group_interval: 100ms
  repeat_interval: 1h
receivers:
- name: test
  webhook_configs:
  - url: {url}
    send_resolved: true
"""


def require() -> str:
    """Path of Alertmanager.

    Where it is missing the test is skipped, but fails under ``CI``: there it must be installed.
    """
    for name in NAMES:
        if found := shutil.which(name):
            return found
    message = f"none of {', '.join(NAMES)}; apt-get install -y prometheus-alertmanager"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class AlertmanagerServer:
    """An Alertmanager on a free port, which sends notifications to ``notify_url``."""

    def __init__(self, directory: Path, *, notify_url: str) -> None:
        self._binary = require()
        self._directory = directory
        self._config = directory / "alertmanager.yml"
        self._config.write_text(CONFIG.format(url=notify_url))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        with (self._directory / "alertmanager.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    self._binary,
                    f"--config.file={self._config}",
                    f"--storage.path={self._directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    "--cluster.listen-address=",
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/-/ready", timeout=1).close()
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
            else:
                return self
        self._process.kill()
        pytest.fail((self._directory / "alertmanager.log").read_text()[-2_000:])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def active(self) -> list[Any]:
        """The alerts that it holds for firing now."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?active=true", timeout=5) as answer:
            found = json.load(answer)
        assert isinstance(found, list)
        return found

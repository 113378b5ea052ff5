"""A real Prometheus that scrapes what a test serves."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_READY_S = 30.0


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer, with its value at the time of the query."""

    labels: dict[str, str]
    value: float


def require(binary: str) -> str:
    """Path of a binary of the Debian package ``prometheus``.

    Where it is missing the test is skipped, but fails under ``CI``: there it must be installed.
    """
    found = shutil.which(binary)
    if found is not None:
        return found
    message = f"{binary} is not on PATH; install it with: apt-get install -y prometheus"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class Prometheus:
    """A Prometheus on a free port.

    Parameters
    ----------
    directory
        Where its configuration, data and log go.
    targets
        What it scrapes, as ``host:port``; leaving the ``with`` line means that all are up.
    rule_files
        Alert rules to evaluate.
    interval_ms
        Time between two scrapes, and between two evaluations.
    job
        The job label of the targets.
    """

    def __init__(
        self,
        directory: Path,
        *,
        targets: Sequence[str],
        rule_files: Sequence[Path] = (),
        interval_ms: int = 200,
        job: str = "kittiwake",
    ) -> None:
        self._directory = directory
        self._targets = list(targets)
        self._binary = require("prometheus")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None
        interval = f"{interval_ms}ms"
        self._config = {
            "global": {"scrape_interval": interval, "evaluation_interval": interval},
            "rule_files": [str(path.resolve()) for path in rule_files],
            "scrape_configs": [
                {
                    "job_name": job,
                    "scrape_timeout": interval,
                    "static_configs": [{"targets": self._targets}],
                }
            ],
        }

    def query(self, expr: str) -> list[Series]:
        """The answer to an instant query, now.

        Raises
        ------
        ValueError
            If Prometheus refuses the expression; the message is its own.
        """
        arguments = urllib.parse.urlencode({"query": expr})
        try:
            with urllib.request.urlopen(
                f"{self.url}/api/v1/query?{arguments}", timeout=10
            ) as reply:
                data = json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{expr}: {error.read().decode()}") from error
        if data["resultType"] == "scalar":
            return [Series({}, float(data["result"][1]))]
        return [Series(row["metric"], float(row["value"][1])) for row in data["result"]]

    def wait_for(self, expr: str, *, timeout_s: float = _READY_S) -> list[Series]:
        """The answer as soon as it is not empty.

        Raises
        ------
        TimeoutError
            If it stays empty.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            answer = self.query(expr)
            if answer:
                return answer
            time.sleep(0.1)
        raise TimeoutError(f"{expr} stayed empty for {timeout_s} s")

    def __enter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        config = self._directory / "prometheus.yml"
        config.write_text(json.dumps(self._config), encoding="utf-8")
        with (self._directory / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    self._binary,
                    f"--config.file={config}",
                    f"--storage.tsdb.path={self._directory / 'data'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait_ready()
            if self._targets:
                self.wait_for(f"count(up == 1) == {len(self._targets)}")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        log = (self._directory / "prometheus.log").read_text(encoding="utf-8")[-2_000:]
        raise RuntimeError(f"Prometheus did not become ready:\n{log}")

    def _stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

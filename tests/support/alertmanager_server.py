"""A real Alertmanager that tells a receiver."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

from server import Server, required

NAMES = ("prometheus-alertmanager", "alertmanager")
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


class AlertmanagerServer(Server):
    """An Alertmanager on a free port, which sends notifications to ``notify_url``."""

    name = "alertmanager"
    ready = "/-/ready"

    def __init__(self, directory: Path, *, notify_url: str) -> None:
        self._binary = required(*NAMES, package="prometheus-alertmanager")
        super().__init__(directory)
        self._config = directory / "alertmanager.yml"
        self._config.write_text(CONFIG.format(url=notify_url))

    def command(self) -> list[str]:
        """Without a cluster."""
        return [
            self._binary,
            f"--config.file={self._config}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]

    def active(self) -> list[Any]:
        """The alerts that it holds for firing now."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?active=true", timeout=5) as answer:
            found = json.load(answer)
        assert isinstance(found, list)
        return found

"""A real Alertmanager receives what DECIDE says, tells its receivers, and resolves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from acting import Site
from alertmanager_server import AlertmanagerServer
from published import an_alert
from receiver import Receiver

from schemas import topics
from schemas.alerts import AlertAction
from streams.runtime.clock import SystemClock

PLAN = "targets:\n  am: {{kind: alertmanager, url: '{url}'}}\ndefault: [am]\n"


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def test_an_alert_fires_is_amended_and_resolves(tmp_path: Path) -> None:
    """One alert over its life, repeated in between; both ends reach Alertmanager's receivers."""
    with (
        Receiver() as pager,
        AlertmanagerServer(tmp_path, notify_url=f"{pager.url}/notify") as server,
    ):
        site = Site(PLAN.format(url=server.url))
        site.clock.now_ms = SystemClock().wall_ms()
        opened = {"opened_at_ms": site.clock.now_ms - 60_000, "incident_id": "i1"}

        site.publish(topics.ALERTS, "i1", an_alert(id="s1", **opened))
        asyncio.run(site.work())
        (alert,) = server.active()
        assert alert["labels"]["alertname"] == "KittiwakeAlert"
        assert alert["labels"]["severity"] == "page"
        assert alert["annotations"]["summary"] == "error rate above 10 %"
        assert alert["endsAt"] > alert["startsAt"]
        _until(lambda: _said(pager) == ["firing"])

        amended = an_alert(id="s2", action=AlertAction.AMENDED, summary="above 9 %", **opened)
        site.publish(topics.ALERTS, "i1", amended)
        asyncio.run(site.work())
        (again,) = server.active()
        assert again["fingerprint"] == alert["fingerprint"]
        assert again["annotations"]["summary"] == "above 9 %"

        site.clock.now_ms = SystemClock().wall_ms()
        end = an_alert(id="s3", action=AlertAction.RESOLVED, **opened)
        site.publish(topics.ALERTS, "i1", end)
        asyncio.run(site.work())
        _until(lambda: server.active() == [])
        _until(lambda: _said(pager)[-1:] == ["resolved"])
        assert site.letters() == []
        assert pager.posted[-1].json["alerts"][0]["labels"]["alert_id"] == "a1"


def _said(pager: Receiver) -> list[Any]:
    return [posted.json["status"] for posted in pager.posted]

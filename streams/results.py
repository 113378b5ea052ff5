"""What came out: the latest revision of each window, and every event of every other kind."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from schemas import topics
from schemas.alerts import ENDS, Alert, AlertAction
from schemas.audit import AuditRecord
from schemas.errors import ConfigurationError
from schemas.fallback import Advice
from schemas.ledger import Ledger
from schemas.retraining import RetrainRequest
from schemas.rollouts import RolloutEvent
from schemas.windows import WindowResult
from streams.decide.outputs import Outputs
from streams.runtime.settings import Settings
from streams.runtime.transport import Follower, Transport

Said = TypeVar("Said", Alert, RolloutEvent, RetrainRequest, Advice)

OPTIONAL = ("retraining", "advice", "dead_letters")
"""Files that are written only where there is something in them."""


@dataclass
class News:
    """What a look at the output topics found."""

    windows: list[WindowResult] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    rollouts: list[RolloutEvent] = field(default_factory=list)
    retraining: list[RetrainRequest] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)

    def turns(self) -> list[Alert]:
        """Alerts that opened, changed with their evidence or ended; updates are left out."""
        return [alert for alert in self.alerts if alert.action is not AlertAction.UPDATED]

    def add(self, other: News) -> None:
        """Take what a later look found."""
        self.windows += other.windows
        self.alerts += other.alerts
        self.rollouts += other.rollouts
        self.retraining += other.retraining
        self.advice += other.advice


@dataclass
class Results:
    """Everything seen so far, by id: what is published twice counts once.

    ``letters`` are the dead letters as published; INGEST commits each of them once.
    """

    windows: dict[str, WindowResult] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    rollouts: dict[str, RolloutEvent] = field(default_factory=dict)
    retraining: dict[str, RetrainRequest] = field(default_factory=dict)
    advice: dict[str, Advice] = field(default_factory=dict)
    audit: dict[str, AuditRecord] = field(default_factory=dict)
    letters: list[bytes] = field(default_factory=list)
    ledgers: list[Ledger] = field(default_factory=list)

    def add(self, topic: str, value: bytes) -> News:
        """Take one record of an output topic, named without prefix; says what is new in it."""
        news = News()
        if topic == topics.WINDOWS:
            self._window(WindowResult.model_validate_json(value), news)
        elif topic == topics.ALERTS:
            _keep(Alert.model_validate_json(value), self.alerts, news.alerts)
        elif topic == topics.ROLLOUTS:
            _keep(RolloutEvent.model_validate_json(value), self.rollouts, news.rollouts)
        elif topic == topics.RETRAINING:
            _keep(RetrainRequest.model_validate_json(value), self.retraining, news.retraining)
        elif topic == topics.ADVICE:
            _keep(Advice.model_validate_json(value), self.advice, news.advice)
        elif topic == topics.AUDIT:
            record = AuditRecord.model_validate_json(value)
            self.audit.setdefault(record.hash, record)
        else:
            self.letters.append(value)
        return news

    def take(self, outputs: Outputs) -> None:
        """Take what DECIDE said, without a log between."""
        news = News()
        for window in outputs.windows:
            self._window(window, news)
        for alert in outputs.alerts:
            _keep(alert, self.alerts, news.alerts)
        for event in outputs.rollouts:
            _keep(event, self.rollouts, news.rollouts)
        for request in outputs.retraining:
            _keep(request, self.retraining, news.retraining)
        for advice in outputs.advice:
            _keep(advice, self.advice, news.advice)
        for record in outputs.audit:
            self.audit.setdefault(record.hash, record)

    def _window(self, window: WindowResult, news: News) -> None:
        known = self.windows.get(window.id)
        if known is None or known.revision < window.revision:
            self.windows[window.id] = window
            news.windows.append(window)

    @property
    def dead_letters(self) -> int:
        """How many dead letters there are."""
        return len(self.letters)

    def open_alerts(self) -> list[Alert]:
        """Alerts that were opened and are not over, in order of opening."""
        over = {a.alert_id for a in self.alerts.values() if a.action in ENDS}
        opened = [a for a in self.alerts.values() if a.action is AlertAction.OPENED]
        return [a for a in opened if a.alert_id not in over]

    def write(self, directory: Path) -> list[Path]:
        """Write windows, alerts and rollout events as JSON lines, requests to retrain, advice and
        dead letters where there are any, and the ledgers; returns the files."""
        directory.mkdir(parents=True, exist_ok=True)
        files = []
        windows = sorted(self.windows.values(), key=lambda w: (w.start_ms, w.id))
        for name, lines in (
            ("windows", _lines(windows)),
            ("alerts", _lines(self.alerts.values())),
            ("rollouts", _lines(self.rollouts.values())),
            ("retraining", _lines(self.retraining.values())),
            ("advice", _lines(self.advice.values())),
            ("dead_letters", self.letters),
        ):
            path = directory / f"{name}.jsonl"
            if not lines and name in OPTIONAL:
                path.unlink(missing_ok=True)  # that of an earlier run would tell of this one
                continue
            with path.open("wb") as file:
                file.writelines(line + b"\n" for line in lines)
            files.append(path)
        path = directory / "ledger.json"
        content = [ledger.model_dump(mode="json") for ledger in self.ledgers]
        path.write_text(json.dumps(content, indent=2) + "\n")
        return [*files, path]


def check_directory(directory: Path) -> None:
    """Check that results can be written there, before they are worked out; makes nothing.

    Raises
    ------
    ConfigurationError
        If the path, or what it lies in, is no folder or may not be written to.
    """
    above = (directory, *directory.absolute().parents)
    there = next(path for path in above if os.access(path, os.F_OK))
    if not there.is_dir():
        raise ConfigurationError(
            f"{directory}: results go to a folder, and {there} is a file; name another one"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"{directory}: {there} may not be written to; name another folder for the results"
        )


def _lines(events: Iterable[BaseModel]) -> list[bytes]:
    return [event.model_dump_json().encode() for event in events]


def _keep(event: Said, known: dict[str, Said], news: list[Said]) -> None:
    """Take an event once: what is published again is no news."""
    if known.setdefault(event.id, event) is event:
        news.append(event)


class ResultReader:
    """Follows the output topics and the dead letters from their start."""

    def __init__(self, transport: Transport, settings: Settings) -> None:
        self.results = Results()
        names = (*topics.OUTPUTS, topics.DEAD_LETTERS)
        self._names = {settings.topic(name): name for name in names}
        self._follower: Follower = transport.tail(list(self._names), from_beginning=True)

    def read(self, *, timeout_ms: int = 0) -> News:
        """What is new; with a timeout, everything up to the end of the log."""
        news = News()
        while True:
            records = self._follower.poll(max_records=2_000, timeout_ms=timeout_ms)
            for record in records:
                news.add(self.results.add(self._names[record.topic], record.value or b""))
            if not records and (timeout_ms == 0 or self._follower.at_end()):
                return news

    def close(self) -> None:
        """Stop reading."""
        self._follower.close()

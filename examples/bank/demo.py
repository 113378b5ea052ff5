"""The demo: two and a half years of calls through Kittiwake, told as they happen.

``python -m examples.bank.demo`` runs in one process; with ``--kafka`` the events travel over a
real Apache Kafka, published and consumed with ``kittiwake_client`` by this script, while INGEST
and DECIDE run as processes of their own.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from examples.bank.events import DEPLOYMENTS, PREDICTIONS, Publication, publications
from examples.bank.months import Months
from examples.bank.reference import EFFECTIVE_MS, UNTIL_MS, reference
from examples.bank.timeline import load
from schemas.policy import Policy
from schemas.policy_file import load as load_policy
from schemas.reference import ReferenceProfile
from schemas.rollouts import RolloutAction
from streams.files import Line
from streams.refusals import by_reason, dead_letter_lines
from streams.replay import DAY_MS, Replay, Start
from streams.results import News, Results, check_directory
from streams.runtime.metrics import Metrics
from streams.story import (
    advice_line,
    alert_line,
    alerts_table,
    date,
    ledger_lines,
    retrain_line,
    rollout_line,
    rollouts_table,
    windows_table,
)

POLICY = Path(__file__).with_name("policy.yaml")

STORY = """A Portuguese bank sells term deposits by telephone: 41,188 real calls, May 2008 to
November 2010 (Moro, Cortez, Rita 2014, CC BY 4.0). A frozen model, v1, scores every call; the
outcome is booked days later. On 5 August 2008 a canary, v2, takes three calls of ten: its training
data were thinned and nobody corrected for it. In autumn the financial crisis arrives."""


class Driver(Protocol):
    """Something that events can be fed to."""

    def feed(self, publication: Publication) -> News | None:
        """Publish one event; what is new, now and then."""

    def activate(self, policy: Policy, profile: ReferenceProfile, effective_at_ms: int) -> None:
        """Let a reference hold from a time on."""

    def finish(self, until_ms: int) -> News:
        """Let time come to ``until_ms`` and wait for all results."""

    @property
    def results(self) -> Results:
        """Everything so far."""

    def close(self) -> None:
        """Stop."""


class InProcess:
    """Events through the pipeline in this process."""

    def __init__(self, policy: Policy, metrics: Metrics | None = None) -> None:
        self._run = Replay([Start(policy)], metrics=metrics)

    @property
    def results(self) -> Results:
        """Everything so far."""
        return self._run.results

    def feed(self, publication: Publication) -> News | None:
        """Publish one event."""
        value = json.dumps(publication.event).encode()
        line = Line(publication.time_ms, publication.topic, publication.key.encode(), value)
        return self._run.feed(line)

    def activate(self, policy: Policy, profile: ReferenceProfile, effective_at_ms: int) -> None:
        """Let a reference hold from a time on."""
        self._run.activate(Start(policy, profile, effective_at_ms))

    def finish(self, until_ms: int) -> News:
        """Let time come to ``until_ms``."""
        return self._run.finish(until_ms)

    def close(self) -> None:
        """Stop."""
        self._run.close()


@dataclass
class Canary:
    """Whether the canary still serves: until a rollback was requested."""

    live: bool = True

    def asked(self, time_ms: int) -> bool:
        """For `publications`."""
        return self.live

    def hear(self, news: News) -> None:
        """A rollback request ends it."""
        actions = {event.action for event in news.rollouts}
        self.live &= RolloutAction.ROLLBACK_REQUESTED not in actions


def run(
    console: Console, make_driver: Callable[[Policy], Driver], *, limit: int | None, out: Path
) -> Results:
    """Tell the story; returns what came out."""
    check_directory(out)
    policy = load_policy(POLICY)
    console.print(Panel(STORY, title="Kittiwake", border_style="blue"))
    driver = make_driver(policy)
    try:
        _stream(console, driver, policy, limit)
        results = driver.results
    finally:
        driver.close()
    console.print(windows_table(results, width=console.width))
    console.print(alerts_table(results, width=console.width))
    console.print(rollouts_table(results))
    for ledger in results.ledgers:
        console.print("\n".join(ledger_lines(ledger)))
    console.print(
        f"{len(results.windows):,} windows, {len(results.alerts):,} alert events, "
        f"{results.dead_letters} dead letters"
    )
    for line in dead_letter_lines(by_reason(results.letters)):
        console.print(line, soft_wrap=True)
    console.print("files: " + ", ".join(str(path) for path in results.write(out)))
    return results


def _stream(console: Console, driver: Driver, policy: Policy, limit: int | None) -> None:
    calls = load()
    profile = reference(calls, policy)
    canary, months = Canary(), Months()
    learnt = False
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("May 2008", total=min(limit or len(calls), len(calls)))

        def tell(news: News | None) -> None:
            if news is not None:
                canary.hear(news)
                for line in months.add(news.windows):
                    progress.console.print(line)
                _print(progress.console, news)

        latest_ms = 0
        for publication in publications(limit, canary_live=canary.asked):
            if not learnt and publication.time_ms >= UNTIL_MS:
                learnt = True
                driver.activate(policy, profile, EFFECTIVE_MS)
                progress.console.print(
                    f"[blue]{date(publication.time_ms)}  reference[/]  learnt from "
                    f"{profile.n:,} calls of July; drift is tested from 1 August on"
                )
            tell(driver.feed(publication))
            if publication.topic == DEPLOYMENTS:
                progress.console.print(_deployment_line(publication))
            latest_ms = publication.time_ms
            if publication.topic == PREDICTIONS:
                progress.update(task, advance=1, description=date(latest_ms)[:7])
        tell(driver.finish(latest_ms + policy.horizon_ms + 2 * DAY_MS))
        for line in months.rest():
            progress.console.print(line)


def _deployment_line(publication: Publication) -> str:
    event = publication.event
    words = str(event["action"]).replace("_", " ")
    return f"[blue]{date(publication.time_ms)}  deployment[/]  {event['version']}: {words}"


def _print(console: Console, news: News) -> None:
    for alert in news.turns():
        console.print(alert_line(alert))
    for request in news.retraining:
        console.print(retrain_line(request))
    for advice in news.advice:
        console.print(advice_line(advice))
    for event in news.rollouts:
        line = rollout_line(event)
        if line is None:
            continue
        console.print(line)
        told_before = event.rollback_id and event.action is not RolloutAction.ROLLBACK_ADVISED
        for guardrail in [] if told_before or event.review else event.guardrails:
            console.print(
                f"    {guardrail.metric}: canary {guardrail.mean_canary:.3f} over "
                f"{guardrail.n_canary:,}, baseline {guardrail.mean_baseline:.3f} over "
                f"{guardrail.n_baseline:,}; difference {guardrail.difference:+.3f} "
                f"({guardrail.low:+.3f} to {guardrail.high:+.3f}), margin {guardrail.margin}; "
                f"log e {guardrail.log_e_harm:.2f}, needs {guardrail.threshold_harm:.2f}"
            )

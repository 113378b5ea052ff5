"""A plan with one target, and what was recorded of deliveries."""

from __future__ import annotations

from acting import Site

from schemas.commands import Delivered
from streams.runtime import catalogue

PLAN = """
targets:
  ops: {{kind: webhook, url: "{url}"}}
default: [ops]
retry: {{first: 1s, factor: 2, longest: 8s, jitter: 0}}
give_up: 1h
"""


def delivered(site: Site) -> list[Delivered]:
    """What was recorded of deliveries."""
    return [command for command in site.commands() if isinstance(command, Delivered)]


def outcomes(site: Site, target: str) -> dict[str, float]:
    """How often attempts at a target ended so."""
    found = {
        outcome: site.metrics.value(catalogue.DELIVERIES, target=target, outcome=outcome)
        for outcome in ("delivered", "retried", "dead")
    }
    return {outcome: value for outcome, value in found.items() if value}

"""One attempt at one target, whatever its kind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import httpx

from schemas.act import Alertmanager, PagerDuty, Slack, Target, Webhook
from schemas.durations import duration_ms
from streams.act.notify import alertmanager, pagerduty, slack, webhook
from streams.act.notify.answers import Answer, Verdict, answer
from streams.act.notify.request import Request, headers_of
from streams.act.outgoing import Outgoing
from streams.act.settings import Secrets
from streams.runtime.clock import Clock

MOST_ANSWER: Final = 2_000
"""Bytes of an answer that may be of use to people."""


def request_of(
    outgoing: Outgoing, target: Target, secrets: Secrets, *, at_ms: int
) -> Request | None:
    """What to send; None where the target has nothing to hear of the event."""
    match target:
        case Webhook():
            return webhook.request(outgoing, target, secrets, at_ms=at_ms)
        case Alertmanager():
            return alertmanager.request(outgoing, target, secrets, at_ms=at_ms)
        case Slack():
            return slack.request(outgoing, target, secrets)
        case PagerDuty():
            return pagerduty.request(outgoing, target, secrets)


class Targets:
    """Sends to the targets of a plan.

    Parameters
    ----------
    targets
        By name.
    client
        Its time limits are those of each target.
    """

    def __init__(
        self,
        targets: Mapping[str, Target],
        secrets: Secrets,
        *,
        clock: Clock,
        client: httpx.AsyncClient,
    ) -> None:
        self._targets = targets
        self._secrets = secrets
        self._clock = clock
        self._client = client

    async def attempt(self, name: str, outgoing: Outgoing) -> Answer:
        """Send an event once; whatever goes wrong on the way is an answer, too."""
        target = self._targets[name]
        request = request_of(outgoing, target, self._secrets, at_ms=self._clock.wall_ms())
        if request is None:
            return Answer(Verdict.ACCEPTED)
        found = await self._post(request, outgoing.id, duration_ms(target.timeout) / 1_000)
        # An answer may repeat what was asked, and an error may name the address.
        return Answer(found.verdict, self._secrets.mask(found.reason), found.wait_ms)

    async def _post(self, request: Request, key: str, timeout_s: float) -> Answer:
        try:
            # In all: httpx's own limit is for each step, and a step may be a byte.
            async with asyncio.timeout(timeout_s):
                response = await self._client.post(
                    request.url,
                    content=request.body,
                    headers=headers_of(request, key=key),
                    timeout=None,
                )
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            return Answer(Verdict.REFUSED, f"{type(error).__name__}: {error}; mend the address")
        except httpx.HTTPError as error:
            return Answer(Verdict.LATER, f"{type(error).__name__}: {error}")
        except TimeoutError:
            return Answer(Verdict.LATER, f"no whole answer within {timeout_s:g} s")
        return answer(
            response.status_code,
            # Masked before it is cut, for a part of a secret would not be found.
            self._secrets.mask(response.content[:MOST_ANSWER].decode("utf-8", "replace")),
            retry_after=response.headers.get("Retry-After"),
            now_ms=self._clock.wall_ms(),
        )

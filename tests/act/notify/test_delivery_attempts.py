"""What comes of an attempt: it is repeated ever more slowly, refused or given up."""

from __future__ import annotations

import asyncio
import base64
from collections import deque

import pytest
from acting import Site
from deliveries import PLAN, delivered, outcomes
from published import an_alert
from receiver import Receiver, dripping

from schemas import topics
from schemas.dead_letters import Reason


def test_a_target_that_never_ends_its_answer_is_a_failed_attempt() -> None:
    """``timeout`` is for all of it: a byte now and then does not keep others from their turn."""
    with dripping() as url:
        plan = PLAN.replace('"{url}"', '"{url}", timeout: 100ms').replace("1h", "1s")
        site = Site(plan.format(url=url))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))

        async def work() -> None:
            async with asyncio.timeout(30):
                await site.work()

        asyncio.run(work())
        (letter,) = site.letters()
        assert "no whole answer within 0.1 s" in letter.message


def test_attempts_are_repeated_ever_more_slowly() -> None:
    """Trouble of the network and answers of 500 or more double the wait up to the longest."""
    with Receiver(replies=deque([(500, {}, "")] * 4)) as ops:
        ops.closes = 2
        site = Site(PLAN.format(url=ops.url))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))
        asyncio.run(site.work())
        assert ops.keys == ["s1"] * 7
        assert site.slept == [1, 2, 4, 8, 8, 8]
        assert outcomes(site, "ops") == {"retried": 6, "delivered": 1}


@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ("30", 30),
        ("Thu, 01 Jan 2026 00:02:00 GMT", 120),
        ("0", 1),
        ("soon", 1),
        ("9" * 5_000, 1),
        ("Thu, 01 Jan 99999999999 00:02:00 GMT", 1),
    ],
)
def test_a_target_that_asks_for_time_gets_it(header: str, waited: float) -> None:
    """Retry-After counts, in both of its forms, where it asks for more than the usual wait."""
    with Receiver(replies=deque([(429, {"Retry-After": header}, "slow down")])) as ops:
        site = Site(PLAN.format(url=ops.url))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))
        asyncio.run(site.work())
        assert site.slept == [waited]
        assert ops.keys == ["s1"] * 2


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410])
def test_a_refusal_is_a_dead_letter_at_once(status: int) -> None:
    """No repetition would change it: the bytes, the target and the answer stand in the letter."""
    with Receiver(replies=deque([(status, {}, "no such channel")])) as ops:
        site = Site(PLAN.format(url=ops.url))
        alert = an_alert(id="s1")
        site.publish(topics.ALERTS, "a1", alert)
        asyncio.run(site.work())
        assert ops.keys == ["s1"]
        assert site.slept == []
        (letter,) = site.letters()
        assert letter.reason is Reason.UNDELIVERED
        assert (letter.topic, letter.partition, letter.offset) == ("alerts", 0, 0)
        assert letter.field == "ops"
        assert f"answered {status}: no such channel" in letter.message
        assert base64.b64decode(letter.value_base64) == alert.model_dump_json().encode()
        (command,) = delivered(site)
        assert (command.dead, command.settled) == (True, True)
        assert outcomes(site, "ops") == {"dead": 1}
        asyncio.run(site.work())
        assert ops.keys == ["s1"]


def test_a_target_that_stays_away_is_given_up() -> None:
    """After ``give_up`` and not before; then its event is a dead letter, and nobody waits."""
    with Receiver(replies=deque([(503, {}, "")] * 1_000)) as ops:
        site = Site(PLAN.format(url=ops.url).replace("1h", "20s"))
        site.publish(topics.ALERTS, "a1", an_alert(id="s1"))
        asyncio.run(site.work())
        assert site.slept == [1, 2, 4, 8, 5]
        assert len(site.letters()) == 1
        assert delivered(site)[0].dead

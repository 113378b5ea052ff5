"""A rollback that is requested and still wanted is executed once, however often it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from acting import Site
from rollback_requests import NOW_MS, requested
from rollback_targets import Call, JsonServer, Reply

from schemas import topics
from schemas.commands import Executed, Outcome
from schemas.errors import BrokerUnavailable
from schemas.rollouts import RolloutAction
from streams.act.executions import OVER

PLAN = "executors:\n- {{kind: http, name: deployer, models: ['fraud*'], url: '{url}/fraud'}}\n"


class Deployment:
    """A version behind an entity tag, which counts its transitions."""

    def __init__(self) -> None:
        self.version, self.generation, self.transitions = "v12", 7, 0

    def __call__(self, call: Call) -> Reply:
        """GET, and PUT with a precondition."""
        etag = f'"{self.generation}"'
        if call.method == "PUT":
            if call.headers.get("If-Match") != etag:
                return 412, {}, {"message": "changed meanwhile"}
            self.transitions += 1
            self.version, self.generation = call.body["version"], self.generation + 1
            etag = f'"{self.generation}"'
        return 200, {"ETag": etag}, {"version": self.version, "generation": self.generation}


@pytest.fixture
def deployment() -> Deployment:
    """Serves v12 at generation 7."""
    return Deployment()


@pytest.fixture
def site(deployment: Deployment) -> Iterator[Site]:
    """A log, and the deployment's server in the plan."""
    with JsonServer(deployment) as server:
        yield Site(PLAN.format(url=server.url))


def _executed(site: Site) -> list[Executed]:
    return [command for command in site.commands() if isinstance(command, Executed)]


def test_a_request_is_executed_once_and_acknowledged(site: Site, deployment: Deployment) -> None:
    """Said three times, and read again by the next process: one transition, one record."""
    for _ in range(3):
        site.publish(topics.ROLLOUTS, "fraud", requested())
    asyncio.run(site.work())
    asyncio.run(site.work())
    assert (deployment.version, deployment.transitions) == ("v11", 1)
    (command,) = _executed(site)
    assert (command.outcome, command.idempotency_key) == (Outcome.APPLIED, "key-1")
    assert (command.executor, command.generation) == ("deployer", 8)


@pytest.mark.parametrize("action", sorted(OVER))
def test_what_is_over_by_the_time_it_is_read_moves_nothing(
    site: Site, deployment: Deployment, action: RolloutAction
) -> None:
    """A process that comes late reads the request and its end before it acts on either."""
    site.publish(topics.ROLLOUTS, "fraud", requested())
    site.publish(topics.ROLLOUTS, "fraud", requested(id="later", action=action))
    asyncio.run(site.work())
    assert deployment.transitions == 0
    assert _executed(site) == []


def test_the_end_of_another_rollback_stops_nothing(site: Site, deployment: Deployment) -> None:
    """Each rollback has an end of its own."""
    end = RolloutAction.ROLLBACK_EXPIRED
    site.publish(topics.ROLLOUTS, "fraud", requested(id="e0", action=end, rollback_id="rollback-0"))
    site.publish(topics.ROLLOUTS, "fraud", requested())
    asyncio.run(site.work())
    assert deployment.transitions == 1


def test_a_request_that_has_expired_is_refused(site: Site, deployment: Deployment) -> None:
    """Nobody is left to wonder, and the deployment stays as it is."""
    site.publish(topics.ROLLOUTS, "fraud", requested(expires_at_ms=NOW_MS - 1))
    asyncio.run(site.work())
    assert deployment.transitions == 0
    (command,) = _executed(site)
    assert command.outcome is Outcome.REFUSED


def test_a_crash_before_the_record_moves_nothing_twice(site: Site, deployment: Deployment) -> None:
    """The next process finds the target serving already, and says so."""
    site.publish(topics.ROLLOUTS, "fraud", requested())

    async def unrecorded() -> None:
        async with site.act() as act:

            async def lost(*_: object, **__: object) -> None:
                raise BrokerUnavailable("no broker")

            act.journal.record = lost
            await site.read(act)
            await act.executions.drained()

    asyncio.run(unrecorded())
    assert (deployment.transitions, _executed(site)) == (1, [])
    asyncio.run(site.work())
    assert deployment.transitions == 1
    assert [command.outcome for command in _executed(site)] == [Outcome.APPLIED]


def test_a_partition_that_moves_away_before_it_is_read_is_left_alone(
    site: Site, deployment: Deployment
) -> None:
    """Its next owner acts."""
    site.publish(topics.ROLLOUTS, "fraud", requested())

    async def moved() -> None:
        async with site.act() as act:
            act.inbox.assigned([(topics.ROLLOUTS, 0)])
            act.inbox.revoked([(topics.ROLLOUTS, 0)])
            await act.inbox.settled()
            await act.executions.drained()

    asyncio.run(moved())
    assert deployment.transitions == 0
    asyncio.run(site.work())
    assert deployment.transitions == 1


def test_time_spent_waiting_for_the_log_counts(site: Site, deployment: Deployment) -> None:
    """A request that expires while the journal waits for the broker moves nothing."""
    site.publish(topics.ROLLOUTS, "fraud", requested(expires_at_ms=NOW_MS + 1_000))

    async def slow() -> None:
        async with site.act() as act:
            refresh = act.journal.refresh

            async def later() -> None:
                site.clock.now_ms = NOW_MS + 1_000
                await refresh()

            act.journal.refresh = later
            await site.read(act)
            await act.executions.drained()

    asyncio.run(slow())
    assert deployment.transitions == 0
    assert [command.outcome for command in _executed(site)] == [Outcome.REFUSED]

"""Whatever the order of duplicates, crashes and lost answers: one effective transition at most."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from rollback_requests import HOUR_MS, NOW_MS, Book, requested

from schemas.commands import Executed, Outcome
from schemas.errors import TargetUnavailable
from streams.act.execute.contract import Change, Observed, Request, Transition
from streams.act.execute.handle import Executors, Serving, handle
from streams.act.execute.run import Pace


class Turn:
    """Where an attempt stops until it is stepped: each is a place to crash."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def turn(_seconds: float = 0) -> None:
    """Let others go first."""
    await Turn()


@dataclass
class Write:
    """A write on its way; it may arrive long after its sender gave up."""

    request: Request
    token: str
    result: Transition | None = None


@dataclass
class World:
    """A deployment that compares and sets, the network before it, and all that happened."""

    version: str = "v12"
    generation: int = 7
    now_ms: int = NOW_MS
    down: bool = False
    network: list[Write] = field(default_factory=list)
    made: list[tuple[Request, int]] = field(default_factory=list)

    @property
    def token(self) -> str:
        """Changes with each change."""
        return f"{self.generation}/{self.version}"

    def deploy(self, version: str) -> None:
        """Change what is served."""
        self.version, self.generation = version, self.generation + 1

    def arrive(self, write: Write) -> None:
        """Compare and set."""
        if write.token != self.token:
            write.result = Transition(Change.CONFLICT, "changed meanwhile")
            return
        self.made.append((write.request, self.generation))
        self.deploy(write.request.target)
        write.result = Transition(Change.CHANGED, "set")


@dataclass
class Target:
    """An executor of the world's deployment."""

    world: World
    name: str = "target"
    has_compare_and_set: bool = True

    async def read(self, request: Request) -> Observed:
        await turn()
        if self.world.down:
            raise TargetUnavailable("down")
        return Observed(
            version=self.world.version, generation=self.world.generation, token=self.world.token
        )

    async def set(self, request: Request, observed: Observed, *, dry_run: bool) -> Transition:
        write = Write(request, observed.token)
        self.world.network.append(write)
        await turn()
        return write.result or Transition(Change.UNKNOWN, "no answer in time")

    async def close(self) -> None:
        """Nothing to free."""


@dataclass
class SlowBook(Book):
    """A journal that can crash before and after it wrote, and that all processes read."""

    async def record(self, command: Executed) -> None:
        await turn()
        await super().record(command)
        await turn()


class Rollbacks(RuleBasedStateMachine):
    """Two processes, requests that come again and again, and people who deploy meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.book = SlowBook()
        self.processes: list[Executors] = []
        self.running: list[Coroutine[Any, Any, Executed | None] | None] = [None, None]
        for _ in self.running:
            self.processes.append(self.process())

    def process(self) -> Executors:
        """A process as it comes up."""
        pace = Pace(conflicts=2, reads=2, sleep=turn)
        return Executors([Serving(Target(self.world), ("fraud",))], pace)

    @rule(which=st.integers(0, 1), ahead=st.sampled_from([0, 0, 0, -1, 1]))
    def request_comes(self, which: int, ahead: int) -> None:
        """Again and again, to several processes, and for generations long gone or yet to come."""
        if self.running[which] is None:
            at = self.world.generation + ahead
            event = requested(idempotency_key=f"key-{at}", generation=at)
            now_ms = self.world.now_ms
            self.running[which] = handle(event, self.processes[which], self.book, now_ms)
            self.goes_on(which)

    @rule(which=st.integers(0, 1))
    def goes_on(self, which: int) -> None:
        """An attempt does its next step."""
        running = self.running[which]
        if running is None:
            return
        try:
            running.send(None)
        except StopIteration:
            self.running[which] = None

    @rule(which=st.integers(0, 1))
    def crashes(self, which: int) -> None:
        """A process dies where it is, and a new one comes up."""
        if (running := self.running[which]) is not None:
            running.close()
            self.running[which], self.processes[which] = None, self.process()

    @precondition(lambda self: self.world.network)
    @rule(at=st.integers(0, 9))
    def write_arrives(self, at: int) -> None:
        """In any order."""
        network = self.world.network
        self.world.arrive(network.pop(at % len(network)))

    @precondition(lambda self: self.world.network)
    @rule(at=st.integers(0, 9))
    def write_is_lost(self, at: int) -> None:
        """It never arrives."""
        self.world.network.pop(at % len(self.world.network))

    @rule(version=st.sampled_from(["v12", "v13"]))
    def people_deploy(self, version: str) -> None:
        """Forward again, even to the very version that was rolled back."""
        self.world.deploy(version)

    @rule(down=st.booleans())
    def target_answers(self, down: bool) -> None:
        """Or not."""
        self.world.down = down

    @rule()
    def requests_expire(self) -> None:
        """An hour goes by."""
        self.world.now_ms += HOUR_MS

    def teardown(self) -> None:
        """Leave no attempt open."""
        for running in self.running:
            if running is not None:
                running.close()

    @invariant()
    def each_request_makes_one_transition_at_most(self) -> None:
        """For one key, whatever happens."""
        keys = [request.key for request, _ in self.world.made]
        assert len(keys) == len(set(keys))

    @invariant()
    def no_stale_or_expired_request_has_an_effect(self) -> None:
        """The deployment is the one of the evidence, and the attempt began in time."""
        for request, generation in self.world.made:
            assert generation == request.generation
            assert request.at_ms < request.expires_at_ms

    @invariant()
    def applied_is_true(self) -> None:
        """It is said only of a generation at which a rollback was served."""
        served = {generation + 1 for _, generation in self.world.made}
        for record in self.book.records.values():
            if record.outcome is Outcome.APPLIED:
                assert record.generation in served


class CalmRollbacks(Rollbacks):
    """The same, whose end is calm: what was requested in time for the deployment is done."""

    def teardown(self) -> None:
        """Once all answers, nobody interferes and the request comes again, it is applied."""
        super().teardown()
        self.world.down, self.world.network = False, []
        key, generation = "key-last", self.world.generation
        served = self.world.version == "v11"
        last = requested(idempotency_key=key, generation=generation, expires_at_ms=2**42)
        attempt = handle(last, self.process(), self.book, self.world.now_ms)
        try:
            while True:
                attempt.send(None)
                for write in self.world.network:
                    self.world.arrive(write)
                self.world.network.clear()
        except StopIteration:
            assert self.book.records[key].outcome is Outcome.APPLIED
            assert self.world.generation == generation + (not served)


TestRollbacks = Rollbacks.TestCase
TestCalmRollbacks = CalmRollbacks.TestCase
TestRollbacks.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCalmRollbacks.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)

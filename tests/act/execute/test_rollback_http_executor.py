"""The HTTP executor, against a real server with real ``If-Match``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from rollback_requests import NOW_MS, PACE, Book, execute, requested
from rollback_targets import Call, JsonServer, Reply

from schemas.commands import Outcome
from schemas.executors import HttpState
from streams.act.execute import build, handle


class Deployment:
    """A version behind an entity tag."""

    def __init__(self) -> None:
        self.version, self.generation, self.transitions = "v12", 7, 0
        self.etags = True

    @property
    def etag(self) -> str:
        """Strong entity tag of the state."""
        return f'"{self.generation}-{self.version}"'

    def __call__(self, call: Call) -> Reply:
        """GET, and PUT with a precondition."""
        if call.headers.get("Authorization") != "Bearer token":
            return 401, {}, {"message": "who are you?"}
        if call.method == "PUT":
            given = call.headers.get("If-Match")
            if given not in (None, self.etag):
                return 412, {}, {"message": "changed meanwhile"}
            self.deploy(call.body["version"])
        headers = {"ETag": self.etag} if self.etags else {}
        return 200, headers, {"version": self.version, "generation": self.generation}

    def deploy(self, version: str) -> None:
        """What a deployment does, whoever asked."""
        self.transitions += version != self.version
        self.version, self.generation = version, self.generation + 1


@pytest.fixture
def deployment() -> Deployment:
    """Serves v12 at generation 7."""
    return Deployment()


@pytest.fixture
def server(deployment: Deployment) -> Iterator[JsonServer]:
    """Its server."""
    with JsonServer(deployment) as running:
        yield running


ENVIRON = {"DEPLOY": "Bearer token"}


def settings(server: JsonServer, **changes: object) -> HttpState:
    """An executor for the server."""
    url = f"{server.url}/models/{{model}}/version"
    given = {"name": "deployer", "models": ["*"], "url": url, "authorization_env": "DEPLOY"}
    return HttpState.model_validate({"kind": "http", **given, **changes})


def test_a_rollback_is_set_at_the_entity_tag_and_read_back(server, deployment):
    """Once; the acknowledgement carries the generation read back."""
    book = Book()
    done = execute(settings(server), environ=ENVIRON, book=book)
    assert done is not None
    assert (done.outcome, done.generation, done.executor) == (Outcome.APPLIED, 8, "deployer")
    assert "v11 is served (v12 before)" in done.detail
    (write,) = server.writes()
    assert write.path == "/models/fraud/version"
    assert write.headers["If-Match"] == '"7-v12"'
    assert write.headers["Idempotency-Key"] == "key-1"
    assert write.body == {"version": "v11", "rollback_id": "rollback-1"}
    assert execute(settings(server), environ=ENVIRON, book=book) is None
    assert len(server.writes()) == 1


def test_a_repetition_after_a_lost_record_finds_its_own_work(server, deployment):
    """Applied again in words, with no second transition."""
    assert execute(settings(server), environ=ENVIRON).outcome is Outcome.APPLIED
    again = execute(settings(server), environ=ENVIRON, now_ms=NOW_MS + 7_200_000)
    assert again.outcome is Outcome.APPLIED
    assert again.detail == "v11 is served already"
    assert deployment.transitions == 1


def test_an_answer_lost_after_the_write_is_found_by_reading_back(server, deployment):
    """The write took effect, although nobody said so."""
    server.faults = ["drop"]
    done = execute(settings(server), environ=ENVIRON)
    assert (done.outcome, done.generation) == (Outcome.APPLIED, 8)
    assert deployment.transitions == 1


@pytest.mark.parametrize("fault", [500, 502, 503, 429])
def test_trouble_at_the_server_records_nothing(server, deployment, fault):
    """The request comes again, and then goes through."""
    server.faults = [fault]
    assert execute(settings(server), environ=ENVIRON) is None
    assert execute(settings(server), environ=ENVIRON).outcome is Outcome.APPLIED
    assert deployment.transitions == 1


def test_a_server_that_is_gone_records_nothing(server):
    """Nobody answers: the request comes again."""
    gone = settings(server, url="http://127.0.0.1:1/models/{model}")
    assert execute(gone, environ=ENVIRON) is None


def test_a_conflict_with_another_change_of_the_same_deployment_is_refused_as_stale(
    server, deployment
):
    """Somebody deploys v13 between reading and setting."""
    reply = server.answer

    def overtaken(call: Call) -> Reply:
        if call.method == "PUT" and deployment.version == "v12":
            deployment.deploy("v13")
        return reply(call)

    server.answer = overtaken
    done = execute(settings(server), environ=ENVIRON)
    assert (done.outcome, done.generation) == (Outcome.REFUSED, 8)
    assert "stale" in done.detail
    assert "serves v13" in done.detail
    assert deployment.version == "v13"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"generation": 6}, "stale: the request is for generation 6"),
        ({"expires_at_ms": NOW_MS}, "the request expired at 2026-01-01T00:00:00.000Z"),
        ({"expires_at_ms": None}, "the request says not when it expires"),
        ({"target_version": None}, "the request names no version to go back to"),
    ],
)
def test_what_is_stale_or_void_is_refused_and_changes_nothing(server, deployment, changes, said):
    """With the reason in the acknowledgement."""
    done = execute(settings(server), environ=ENVIRON, **changes)
    assert done.outcome is Outcome.REFUSED
    assert said in done.detail
    assert server.writes() == []


def test_without_entity_tags_it_fails_or_a_person_decides(server, deployment):
    """A server that cannot compare is not trusted to."""
    deployment.etags = False
    done = execute(settings(server), environ=ENVIRON)
    assert done.outcome is Outcome.FAILED
    assert "no strong ETag" in done.detail
    unguarded = settings(server, compare_and_set=False)
    refused = execute(unguarded, environ=ENVIRON)
    assert refused.outcome is Outcome.REFUSED
    assert "no compare-and-set, so a person must approve" in refused.detail
    assert execute(unguarded, environ=ENVIRON, approvals=["ada"]).outcome is Outcome.APPLIED
    assert "If-Match" not in server.writes()[0].headers


def test_a_dry_run_changes_and_records_nothing(server, deployment, caplog):
    """It says what it would do."""
    caplog.set_level("INFO", "kittiwake.executors")
    book = Book()
    assert execute(settings(server, dry_run=True), environ=ENVIRON, book=book) is None
    assert server.writes() == []
    assert book.records == {}
    assert "dry run: would PUT /models/fraud/version" in caplog.text
    caplog.clear()
    stale = settings(server, dry_run=True)
    assert execute(stale, environ=ENVIRON, book=book, generation=6) is None
    assert "dry run: refused: stale" in caplog.text
    assert book.records == {}


def test_a_wrong_secret_fails_without_showing_it(server):
    """People are told; the secret is not."""
    done = execute(settings(server), environ={"DEPLOY": "Bearer hunter2"})
    assert done.outcome is Outcome.FAILED
    assert "answered 401" in done.detail
    assert "hunter2" not in done.detail


def test_two_executors_at_once_make_one_transition(server, deployment):
    """Several processes get the same request at the same time."""

    async def race() -> list[Outcome]:
        processes = [build([settings(server)], ENVIRON, pace=PACE) for _ in range(4)]
        done = await asyncio.gather(
            *(handle(requested(), one, Book(), NOW_MS) for one in processes)
        )
        await asyncio.gather(*(one.close() for one in processes))
        return [one.outcome for one in done if one]

    assert asyncio.run(race()) == [Outcome.APPLIED] * 4
    assert deployment.transitions == 1


def test_a_service_that_repeats_the_secret_does_not_spread_it():
    """What it answers goes to the log and to people."""
    with JsonServer(lambda call: (403, {}, {"sent": call.headers["Authorization"]})) as server:
        one = HttpState(
            kind="http",
            name="deployer",
            models=["fraud"],
            url=f"{server.url}/fraud",
            authorization_env="AUTH",
        )
        done = execute(one, environ={"AUTH": "Bearer s3cret"})
    assert done.outcome is Outcome.FAILED
    assert "***" in done.detail
    assert "s3cret" not in done.detail

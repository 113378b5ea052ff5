"""Schedules on a log: commands and notices, once for each time, whoever dies in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import pytest
from acting import Site
from receiver import Receiver

from schemas import topics
from schemas.alerts import Severity
from schemas.commands import Delivered, RetrainNow, Silence, Unsilence, read_command
from schemas.deployments import DeploymentAction, DeploymentEvent
from schemas.notices import Notice
from schemas.policy import Plan, Policy, Task
from schemas.rollout_plan import HyperCare
from schemas.schedules import HyperCareEnd, RetrainSchedule, Schedule, SilenceReview
from streams.act.outgoing import notice as outgoing_notice
from streams.act.schedule import due, retrain
from streams.act.scheduler import Scheduler
from streams.records import Message
from streams.runtime.announce import activate
from streams.runtime.clock import ManualClock
from streams.runtime.envelope import command_message
from streams.runtime.local import LocalTransport
from streams.runtime.settings import Settings

HOUR, DAY = 3_600_000, 86_400_000
T0 = 20_000 * DAY
SETTINGS = Settings(models=2)
NIGHTLY = RetrainSchedule(action="retrain", cron="0 3 * * *", models=["fraud", "credit"])
REVIEW = SilenceReview(action="review_silences", cron="0 9 * * *")
CARE = HyperCareEnd(action="end_hyper_care", cron="@hourly", within="2d")


class Log:
    """A log on a clock that is moved by hand, with schedulers that come and go."""

    def __init__(self) -> None:
        self.clock = ManualClock(T0)
        self.transport = LocalTransport()
        self.transport.ensure_topics(SETTINGS.topics())
        self.sender = self.transport.sender()

    def start(self, **schedules: Schedule) -> Scheduler:
        named: Mapping[str, Schedule] = schedules
        return Scheduler(named, transport=self.transport, settings=SETTINGS, clock=self.clock)

    def give(self, command: Silence | Unsilence | Delivered | RetrainNow) -> None:
        """Publish a command, stamped by the clock."""
        message = command_message(command, SETTINGS, source="test")
        self.sender.send(
            Message(
                message.topic,
                message.value,
                key=message.key,
                headers=message.headers,
                timestamp_ms=self.clock.now_ms,
            )
        )
        self.sender.flush()

    def silence(self, id_: str, duration: str, model: str = "fraud") -> None:
        self.give(Silence(kind="silence", id=id_, model=model, time=0, by="ada", duration=duration))

    def settle(self, notice: Notice, *, settled: bool = True) -> None:
        """Say that a notice reached its target, or one of several."""
        said = {"id": f"d/{notice.id}", "model": notice.model, "time": 0, "by": "act"}
        event = {"event_id": notice.id, "target": "ops", "settled": settled}
        self.give(Delivered.model_validate({"kind": "delivered", **said, **event}))

    def retrainings(self) -> list[RetrainNow]:
        """Commands for retrainings, each id once."""
        found = [
            read_command(record.value or b"")
            for partition in range(SETTINGS.models)
            for record in self.transport.read(topics.COMMANDS, partition)
        ]
        return list({c.id: c for c in found if isinstance(c, RetrainNow)}.values())


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    yield made
    made.transport.close()


def test_a_nightly_retraining_is_asked_for_once_each_night(log: Log) -> None:
    """By a scheduler that is asked every ten minutes for three days."""
    scheduler = log.start(nightly=NIGHTLY)
    for _ in range(3 * 24 * 6):
        log.clock.now_ms += 600_000
        assert scheduler.step() == []
    assert len(log.retrainings()) == 6
    assert {(c.model, c.reason, c.by) for c in log.retrainings()} == {
        ("fraud", "schedule", "act"),
        ("credit", "schedule", "act"),
    }


def test_workers_beside_each_other_and_after_each_other_ask_once(log: Log) -> None:
    """Two at once, then one that starts after the hour: the ids are those of the run."""
    first, second = log.start(nightly=NIGHTLY), log.start(nightly=NIGHTLY)
    first.step()
    second.step()
    log.clock.now_ms += 4 * HOUR
    first.step()
    second.step()
    third = log.start(nightly=NIGHTLY)
    third.step()
    assert len(log.retrainings()) == 2


def test_nights_missed_make_one_run(log: Log) -> None:
    """After a week without any worker; also the very first night, for which nothing ran before."""
    log.start(nightly=NIGHTLY).step()
    log.clock.now_ms += 4 * HOUR
    log.start(nightly=NIGHTLY).step()
    assert len(log.retrainings()) == 2
    log.clock.now_ms += 7 * DAY
    log.start(nightly=NIGHTLY).step()
    assert len(log.retrainings()) == 4


def test_a_new_schedule_counts_from_now(log: Log) -> None:
    """A weekly retraining that is put into the plan on a Tuesday does not train on it."""
    weekly = RetrainSchedule(action="retrain", cron="@weekly", models=["fraud"])
    scheduler = log.start(weekly=weekly)
    scheduler.step()
    log.clock.now_ms += DAY
    scheduler.step()
    assert log.retrainings() == []


def test_a_run_cut_short_is_done_whole_by_the_next(log: Log) -> None:
    """The command of one model reached the log, that of the other did not."""
    log.start(nightly=NIGHTLY).step()
    log.clock.now_ms += 4 * HOUR
    (run,) = due({"nightly": NIGHTLY}, {"nightly": T0}, now_ms=log.clock.now_ms)
    log.give(retrain(run, NIGHTLY)[0])
    assert [c.model for c in log.retrainings()] == ["fraud"]
    log.start(nightly=NIGHTLY).step()
    assert sorted(c.model for c in log.retrainings()) == ["credit", "fraud"]


def test_silences_that_are_long_or_end_soon_are_told_of(log: Log) -> None:
    """Not those that were ended, are over, or are short with time to go."""
    scheduler = log.start(review=REVIEW)
    scheduler.step()
    log.silence("long", "30d")
    log.silence("short", "3d", model="credit")
    log.silence("over", "2h")
    log.silence("ended", "30d")
    log.give(
        Unsilence(kind="unsilence", id="u", model="fraud", time=0, by="ada", silence_id="ended")
    )
    log.clock.now_ms += 10 * HOUR
    (notice,) = scheduler.step()
    assert (notice.reason, notice.model, notice.severity) == ("silences", "fraud", Severity.TICKET)
    assert len(notice.lines) == 1
    assert notice.summary.startswith("1 silence to review: 0 within 1d of the end")
    assert scheduler.step() == []
    log.clock.now_ms += 2 * DAY
    (later,) = scheduler.step()
    assert later.model == "*"
    assert [line.split(":")[0] for line in later.lines] == ["credit", "fraud"]
    assert later.id != notice.id


def test_a_notice_that_did_not_arrive_is_told_again_by_the_next_process(log: Log) -> None:
    """One of two targets is not enough; with the last, it is done."""
    log.silence("long", "30d")
    log.start(review=REVIEW).step()
    log.clock.now_ms += 10 * HOUR
    (notice,) = log.start(review=REVIEW).step()
    assert log.start(review=REVIEW).step() == [notice]
    log.settle(notice, settled=False)
    assert log.start(review=REVIEW).step() == [notice]
    log.settle(notice)
    assert log.start(review=REVIEW).step() == []


def test_a_review_with_nothing_to_say_is_done(log: Log) -> None:
    """The next process does not find at noon what was not there at nine."""
    scheduler = log.start(review=REVIEW)
    scheduler.step()
    log.clock.now_ms += 10 * HOUR
    assert scheduler.step() == []
    log.silence("long", "30d")
    assert log.start(review=REVIEW).step() == []


def test_the_end_of_hyper_care_is_told_of(log: Log) -> None:
    """Once it has ended by the policy of that time, by one id however often it is found."""
    policy = Policy(
        model="fraud",
        task=Task.BINARY,
        plan=Plan(hyper_care=HyperCare(duration="1d")),
        owner="fraud-team",
    )
    activate(log.sender, SETTINGS, policy)
    for version, action in (
        ("v1", DeploymentAction.PROMOTED),
        ("v2", DeploymentAction.CANARY_STARTED),
    ):
        event = DeploymentEvent(model="fraud", version=version, time=T0, action=action)
        log.sender.send(Message(topics.DEPLOYMENTS, event.model_dump_json().encode(), key=b"fraud"))
    log.sender.flush()
    scheduler, found = log.start(care=CARE), []
    for _ in range(100):
        log.clock.now_ms += HOUR
        found.append(scheduler.step())
    told = [notice for notices in found for notice in notices]
    assert {notice.id for notice in told} == {told[0].id}
    assert [len(notices) for notices in found].index(1) == 23
    assert len(told) == 48  # For two days, unless it was delivered; the deliverer says it once.
    assert (told[0].model, told[0].owner) == ("fraud", "fraud-team")
    assert told[0].summary == "hyper-care of fraud v1 has ended; its usual levels hold"


def test_a_notice_takes_the_routes_of_the_plan_and_is_done_when_delivered() -> None:
    """Then the log says so, and the next process has nothing to tell."""
    with Receiver() as ops:
        site = Site(f"targets:\n  ops: {{kind: webhook, url: '{ops.url}'}}\ndefault: [ops]\n")
        schedules = {"review": SilenceReview(action="review_silences", cron="* * * * *")}

        def scheduler() -> Scheduler:
            return Scheduler(
                schedules, transport=site.transport, settings=site.settings, clock=site.clock
            )

        scheduler().step()
        silence = Silence(kind="silence", id="s1", model="fraud", time=0, by="ada", duration="30d")
        site.publish(topics.COMMANDS, "fraud", silence)
        site.clock.now_ms += 90_000

        async def tell() -> None:
            async with site.act() as act:
                for said in scheduler().step():
                    await act.notifier.offer(outgoing_notice(said))
                await act.notifier.drained()

        asyncio.run(tell())
        (posted,) = ops.posted
        assert posted.headers["Kittiwake-Topic"] == "notices"
        assert posted.json["lines"][0].startswith("fraud: everything, by ada, until ")
        assert posted.key == posted.json["id"]
        assert scheduler().step() == []

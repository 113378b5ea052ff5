"""The command ``kittiwake act``, its place under ``kittiwake up``, and ticks."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Kittiwake, runner

from schemas import topics
from schemas.commands import Tick, read_command
from streams.act.ticks import Ticker, ticks
from streams.commands.processes import children
from streams.runtime.clock import ManualClock
from streams.runtime.local import LocalTransport
from streams.runtime.settings import Settings

EXAMPLES = sorted((Path(__file__).parents[2] / "deploy" / "act").glob("*.yaml"))


@pytest.fixture
def kittiwake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Kittiwake:
    monkeypatch.chdir(tmp_path)
    return runner(monkeypatch, capsys)


@pytest.mark.parametrize("plan", EXAMPLES, ids=[plan.stem for plan in EXAMPLES])
def test_shipped_plans_are_good(kittiwake: Kittiwake, plan: Path) -> None:
    """``--check`` reads a plan without a broker or a secret."""
    done = kittiwake("act", "--config", plan, "--check")
    assert (done.code, done.err) == (0, "")
    assert "is good" in done.out


@pytest.mark.parametrize("command", [("act", "--config"), ("up", "--act")])
def test_a_plan_with_a_mistake_is_refused_at_its_place(
    kittiwake: Kittiwake, tmp_path: Path, command: tuple[str, str]
) -> None:
    """Before anything starts: file, line, column, value and fix."""
    plan = tmp_path / "act.yaml"
    plan.write_text(
        'targets: {}\nschedules:\n  weekly:\n    action: retrain\n    cron: "0 25 * * *"\n'
        "    models: [fraud]\n"
    )
    done = kittiwake(*command, plan)
    assert done.code == 1
    assert "act.yaml:5:11:" in done.err
    assert "hour '25' is not between 0 and 23" in done.err


def test_up_runs_act_only_by_a_plan() -> None:
    """As a child like the others, on the next port."""
    settings = Settings(prefix="p.")
    names = [child.name for child in children(settings, 2, None, 9464)]
    assert names == ["ingest 0", "ingest 1", "decide"]
    *_, act = children(settings, 2, Path("act.yaml"), 9464)
    assert act.arguments[0] == "act"
    assert act.arguments[act.arguments.index("--config") + 1] == "act.yaml"
    assert act.arguments[-2:] == ["--metrics-port", "9467"]


def test_a_tick_reaches_every_partition_under_an_id_of_its_own() -> None:
    """So each DECIDE hears of time, and a tick that is read twice counts once."""
    settings, clock = Settings(models=3, worker="a"), ManualClock(5)
    transport = LocalTransport()
    transport.ensure_topics(settings.topics())
    ticker = Ticker(transport.sender(), settings, clock=clock, partitions=3)
    ticker.step()
    clock.now_ms += 5_000
    ticker.step()
    found = [
        [read_command(record.value or b"") for record in transport.read(topics.TICKS, p)]
        for p in range(3)
    ]
    assert [len(commands) for commands in found] == [2, 2, 2]
    assert all(isinstance(command, Tick) for commands in found for command in commands)
    assert len({command.id for commands in found for command in commands}) == 6
    other = ticks(settings.model_copy(update={"worker": "b"}), partitions=3, now_ms=5)
    assert not {dict(m.headers)["ce_id"].decode() for m in other} & {c.id for c in found[0]}
    ticker.close()
    transport.close()

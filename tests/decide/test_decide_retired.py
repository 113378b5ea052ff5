"""Versions that are gone leave nothing behind but what they spent."""

from __future__ import annotations

from collections import Counter

from schemas import topics
from streams.decide.state import State
from streams.runtime import checkpoint
from streams.runtime.announce import activate
from streams.runtime.decide_worker import STATE
from streams.runtime.ledgers import read_ledgers
from streams.runtime.local import LocalTransport
from streams.runtime.settings import Settings

SHORT = {"horizon": "12m", "maturity": "10m", "coverage": 0.8, "lateness": "1m"}
EACH = 4
"""Minutes for which a version serves."""

HOUR = {"pages": 1.0, "per": "1h"}


def served(story, versions, *, errors=5):
    """A story in which one version after the other serves, and what a restart would begin with."""
    rows = {}
    for number in range(versions * EACH):
        story.at(number).push(n=100, errors=errors, version=f"v{number // EACH}")
        story.clock(number + 1)
        keep(rows, story.decide)
    return rows


def keep(rows, decide):
    """Take in what changed."""
    for key, value in decide.changed().items():
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value


def kinds(rows):
    """How many rows there are of each kind, but for the account by time."""
    found = Counter(key.partition(":")[0] for key in rows)
    del found["spending"]
    return found


def test_the_state_does_not_grow_with_the_number_of_versions(world):
    """Two hundred versions leave as many rows as forty, and the ledger knows what all spent."""
    story = world(labels=SHORT, false_alarms=HOUR).story()
    few = served(story, 40)
    assert story.decide.budgets()["m"].spent > 0.0
    many = world(labels=SHORT, false_alarms=HOUR).story()
    rows = served(many, 200)
    # The account of what was spent grows up to one period of the budget, and no further.
    assert kinds(rows) == kinds(few)
    tests = {key.version for key in State.load(rows).tests}
    assert "v199" in tests
    assert "v100" not in tests
    assert many.decide.budgets()["m"].spent > 4 * story.decide.budgets()["m"].spent
    assert many.decide.ledger()[0].spent == many.decide.budgets()["m"].spent


def test_a_ledger_read_from_the_log_knows_what_they_spent(world):
    """It is that of DECIDE, to the last entry."""
    there, settings, transport = (
        world(labels=SHORT, false_alarms=HOUR),
        Settings(),
        LocalTransport(),
    )
    story = there.story()
    rows = {STATE + part: value for part, value in served(story, 40).items()}
    (expected,) = story.decide.ledger()
    assert expected.spent > 1.01 * sum(entry.spent for entry in expected.entries)
    transport.ensure_topics(settings.topics())
    sender = transport.sender()
    activate(sender, settings, there.policy, there.profile)
    topic = settings.topic(topics.CHECKPOINTS)
    for message in checkpoint.messages(topic, 0, "decide/0", rows):
        sender.send(message)
    sender.close()
    assert read_ledgers(transport, settings) == [expected]


def test_a_restart_forgets_the_same_versions(world):
    """Those that were waiting for their end go after it."""
    there = world(labels=SHORT, false_alarms=HOUR)
    story = there.story()
    rows = served(story, 30)
    again = there.decide()
    again.load(rows)
    story.clock(150)
    keep(rows, story.decide)
    again.apply(there.batch(predictions=150, labels=150))
    again.advance()
    versions = {key.version for key in story.decide._state.tests}
    assert {key.version for key in again._state.tests} == versions
    assert "v0" not in versions
    assert again.budgets() == story.decide.budgets()


def test_an_open_alert_keeps_its_version_until_it_has_ended(world):
    """The alert ends once the last window is forgotten, and only then do its tests go."""
    story = world(labels=SHORT, false_alarms=HOUR).story()
    for minute in range(6):
        story.at(minute).push(n=400, errors=200, version="v0")
        story.clock(minute + 1)
    for minute in range(6, 100):
        story.at(minute).push(n=100, errors=5, version="v1")
        story.clock(minute + 1)
        held = {key.version for key in story.decide._state.tests}
        if story.decide._state.tests.is_open(("m", "v0", "baseline")):
            assert "v0" in held
    assert {alert.action.value for alert in story.turns if alert.version == "v0"} == {
        "opened",
        "resolved",
    }
    assert {key.version for key in story.decide._state.tests} == {"v1"}


def test_a_model_that_is_silent_keeps_what_its_tests_know(world):
    """Nothing takes its version's place: when it speaks again, its evidence goes on."""
    story = world(labels=SHORT, false_alarms=HOUR).story()
    served(story, 1)
    story.clock(20)
    before = {key: one.memory for key, one in story.decide._state.tests.items()}
    story.clock(500)
    after = {key: one.memory for key, one in story.decide._state.tests.items()}
    assert before.keys() == after.keys() != set()
    assert after[next(key for key in after if key.metric == "error_rate")] != b""

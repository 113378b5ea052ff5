"""Control records: what counts when, what is refused."""

from __future__ import annotations

import pytest

from schemas.errors import BadRecord
from schemas.policy import Activation, Policy, PolicyRecord, Task
from streams.control import Control

POLICY = Policy(model="m", task=Task.BINARY)


def activation(time_ms: int, policy: str = "p", reference: str | None = None) -> bytes:
    """The bytes of an activation."""
    record = Activation(model="m", policy=policy, reference=reference, effective_at_ms=time_ms)
    return record.model_dump_json().encode()


def test_the_latest_activation_in_effect_counts_whatever_the_order_of_records():
    """Effective times decide; of two for one time the one published later."""
    control = Control()
    for time_ms, policy in ((200, "c"), (100, "a"), (100, "b")):
        control.apply("policies", activation(time_ms, policy))
    found = [control.active("m", time) for time in (99, 100, 199, 200)]
    assert [a and a.policy for a in found] == [None, "b", "b", "c"]
    assert control.active("other", 500) is None


def test_reading_the_topics_twice_changes_nothing():
    """A re-read after a restart does not let an older record win."""
    control = Control()
    for _ in range(2):
        control.apply("policies", activation(100, "a"))
        control.apply("policies", activation(100, "b"))
        control.apply("deployments", b'{"model":"m","version":"v1","time":5,"action":"deployed"}')
    active = control.active("m", 100)
    assert active is not None
    assert active.policy == "b"
    assert len(control.deployments("m")) == 1


def test_deployments_come_in_order_of_time():
    """Also where they were written in another order, or with another form of time."""
    control = Control()
    for version, time in (("v2", '"1970-01-01T00:00:07Z"'), ("v1", "5000"), ("v3", "9000")):
        text = f'{{"model":"m","version":"{version}","time":{time},"action":"deployed"}}'
        control.apply("deployments", text.encode())
    assert [event.version for event in control.deployments("m")] == ["v1", "v2", "v3"]


def test_a_policy_is_known_by_its_own_hash_only():
    """A record under a false hash is refused and named."""
    control = Control()
    wrong = PolicyRecord(hash="0" * 16, policy=POLICY).model_dump_json().encode()
    with pytest.raises(BadRecord, match=POLICY.hash):
        control.apply("policies", wrong)
    assert control.policy("0" * 16) is None
    right = PolicyRecord(hash=POLICY.hash, policy=POLICY)
    control.apply("policies", right.model_dump_json().encode())
    assert control.policy(POLICY.hash) == POLICY


@pytest.mark.parametrize(
    ("topic", "value", "why"),
    [
        ("policies", b"{", "EOF"),
        ("policies", b"[1]", "record: "),
        ("policies", b'{"effective_at_ms": 1}', "^model: missing; add it"),
        ("references", b"\xff", "not JSON|UTF-8|utf-8"),
        (
            "deployments",
            b'{"model":"m","version":"v","time":"2026-13-01T00:00:00Z","action":"deployed"}',
            "2026-13-01",
        ),
        (
            "deployments",
            b'{"model":"m","version":"v","time":5,"action":"launched"}',
            "^action: .*found 'launched'",
        ),
        ("weather", b"{}", "'weather' is no control topic"),
    ],
)
def test_a_bad_record_is_refused_with_place_and_value_and_changes_nothing(
    topic: str, value: bytes, why: str
) -> None:
    """Broken JSON, wrong shapes, a day that does not exist, a topic that is none."""
    control = Control()
    with pytest.raises(BadRecord, match=why):
        control.apply(topic, value)
    assert control.models() == []
    assert control.deployments("m") == ()


def test_a_policy_put_in_force_again_is_in_force_again():
    """Back to the first one after a second one from the same time on: the last word holds."""
    control = Control()
    for policy in ("a", "b", "a"):
        control.apply("policies", activation(0, policy))
    active = control.active("m", 5)
    assert active is not None
    assert active.policy == "a"

"""The client and Kittiwake mean the same by every name and every event."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import kittiwake_client
import numpy as np
import pytest
from kittiwake_client import InvalidEvent, Received, RollbackRequest
from kittiwake_client import kinds as client
from kittiwake_client.events import MAX_TIME_MS, encode, rfc3339
from published import an_alert
from pydantic import BaseModel

from schemas import base, cloudevents, topics
from schemas.alerts import Alert
from schemas.commands import Executed
from schemas.deployments import DeploymentEvent
from schemas.feedback import FeedbackEvent
from schemas.predictions import Arm, PredictionEvent, partition_key
from schemas.rollouts import RolloutAction, RolloutEvent

PREDICTION: dict[str, object] = {
    "prediction_id": "p-1",
    "model": "fraud",
    "version": "v12",
    "output": {"score": 0.93, "label": "fraud"},
}
MODELS: list[tuple[client.Kind, type[BaseModel]]] = [
    (client.PREDICTION, PredictionEvent),
    (client.FEEDBACK_EVENT, FeedbackEvent),
    (client.DEPLOYMENT, DeploymentEvent),
    (client.EXECUTED, Executed),
]
EVENTS: list[tuple[client.Kind, dict[str, object]]] = [
    (client.PREDICTION, PREDICTION),
    (
        client.PREDICTION,
        {
            **PREDICTION,
            "time": datetime(2026, 3, 1, 12, tzinfo=UTC),
            "features": {"amount": 92.5, "country": "NL", "new": True, "age": None, "n": 3},
            "arm": "canary",
            "unit_id": "user-7",
            "segments": {"channel": "web"},
            "groups": {"sex": "f"},
            "embeddings": {"text": [0.1, 0.2]},
            "latency_ms": 12,
            "trace": {"request": "r-1"},
        },
    ),
    (client.PREDICTION, {**PREDICTION, "output": {"scores": {"a": 0.2, "b": 0.8}}, "time": 7}),
    (client.FEEDBACK_EVENT, {"prediction_id": "p-1", "model": "fraud", "label": "fraud"}),
    (
        client.FEEDBACK_EVENT,
        {
            "prediction_id": "p-1",
            "model": "fraud",
            "kind": "correction",
            "value": 3,
            "time": "2026-03-01T12:00:00+01:00",
            "source": "chargebacks",
        },
    ),
    (
        client.DEPLOYMENT,
        {
            "model": "fraud",
            "version": "v13",
            "action": "canary_started",
            "role": "canary",
            "share": 0.05,
            "generation": 4,
        },
    ),
    (
        client.EXECUTED,
        {
            "kind": "executed",
            "id": "executed/k1",
            "model": "fraud",
            "by": "deployer",
            "rollback_id": "r1",
            "idempotency_key": "k1",
            "executor": "deployer",
            "outcome": "applied",
            "generation": 5,
        },
    ),
]


def test_topics_are_the_same() -> None:
    """The client writes to and reads from the topics of the table."""
    for name in ("PREDICTIONS", "FEEDBACK", "DEPLOYMENTS", "ALERTS", "ROLLOUTS"):
        assert getattr(client, name) == getattr(topics, name)


def test_event_types_are_the_same() -> None:
    """The CloudEvents types are those that Kittiwake knows."""
    assert client.PREDICTION.type == cloudevents.PREDICTION
    assert client.FEEDBACK_EVENT.type == cloudevents.FEEDBACK
    assert client.DEPLOYMENT.type == cloudevents.DEPLOYMENT
    assert client.HEARTBEAT_TYPE == cloudevents.HEARTBEAT


def test_the_last_time_is_the_same() -> None:
    """Times end where the schemas' times end, and are written alike."""
    assert MAX_TIME_MS == base.MAX_TIME_MS
    for time_ms in (0, 1, 999, 1_772_319_600_250, MAX_TIME_MS):
        assert rfc3339(time_ms) == base.iso(time_ms)


@pytest.mark.parametrize(("kind", "model"), MODELS)
def test_fields_are_the_same(kind: client.Kind, model: type[BaseModel]) -> None:
    """The client knows the model's fields; it fills in the time and asks for the rest."""
    assert kind.fields == model.model_fields.keys()
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert set(kind.required) | {"time"} == required


@pytest.mark.parametrize(("kind", "fields"), EVENTS)
def test_what_the_client_writes_the_schemas_read(
    kind: client.Kind, fields: dict[str, object]
) -> None:
    """Bytes of the client validate, with every field as it was given."""
    encoded = encode(kind, fields, source="shop", now_ms=5)
    event = dict(MODELS)[kind].model_validate_json(encoded.value)
    read = event.model_dump(mode="json")
    for name, value in fields.items():
        if isinstance(value, dict) and name == "output":
            assert value.items() <= read[name].items()
        elif name != "time":
            assert read[name] == value
    attributes = dict(encoded.headers)
    assert attributes["content-type"] == b"application/json"
    assert attributes["ce_type"] == kind.type.encode()
    assert list(attributes)[:5] == [
        "ce_specversion",
        "ce_id",
        "ce_type",
        "ce_source",
        "ce_time",
    ]


def test_times_are_kept_to_the_millisecond() -> None:
    """A datetime, milliseconds and a text of one moment are that moment; none is now."""
    moment = datetime(2026, 2, 28, 23, 0, 0, 250_999, tzinfo=UTC)
    read = [
        PredictionEvent.model_validate_json(
            encode(client.PREDICTION, {**PREDICTION, **time}, source="s", now_ms=5).value
        ).time
        for time in ({"time": moment}, {"time": 1_772_319_600_250}, {})
    ]
    assert read == [1_772_319_600_250, 1_772_319_600_250, 5]


def test_numpy_and_missing_values_travel() -> None:
    """Scalars and arrays of numpy are plain; NaN and infinity are missing values, not errors."""
    fields = {
        **PREDICTION,
        "features": {
            "f32": np.float32(0.5),
            "i64": np.int64(3),
            "flag": np.bool_(True),
            "nan": float("nan"),
            "inf": np.float32("inf"),
        },
        "output": {"score": np.float64(0.25)},
        "embeddings": {"text": np.array([0.5, 1.0], np.float32)},
    }
    event = PredictionEvent.model_validate_json(
        encode(client.PREDICTION, fields, source="s", now_ms=5).value
    )
    assert event.features == {"f32": 0.5, "i64": 3, "flag": True, "nan": None, "inf": None}
    assert event.output.score == 0.25
    assert event.embeddings == {"text": [0.5, 1.0]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prediction_id": None}, "predictions: prediction_id is missing; give it"),
        ({"prediction_id": ""}, "prediction_id is ''; make it a text of 1 to 256 characters"),
        ({"prediction_id": 17}, "prediction_id is 17; make it a text"),
        ({"prediction_id": "x" * 257}, "make it a text of 1 to 256 characters"),
        ({"prediction_id": "\ud800"}, r"prediction_id '\ud800' is no Unicode text"),
        ({"model": "m" * 201}, "make it a text of 1 to 200 characters"),
        ({"output": 0.93}, "output is 0.93; make it a mapping"),
        ({"featurs": {}}, "unknown field featurs; did you mean features?"),
        ({"zzz": 1}, "unknown field zzz; known: arm, "),
        ({"time": 1.5}, "time is 1.5; give whole milliseconds"),
        ({"time": -1}, "time is -1; give whole milliseconds"),
        ({"time": True}, "time is True; give whole milliseconds"),
        ({"time": datetime(2026, 1, 1)}, "has no time zone; add tzinfo"),
        ({"features": {"a": object()}}, "is a object; give a number, text, bool or None"),
    ],
)
def test_a_wrong_event_is_explained(change: dict[str, object], said: str) -> None:
    """The message names topic, field and value, and says what to do."""
    with pytest.raises(InvalidEvent, match=r"^predictions: ") as caught:
        encode(client.PREDICTION, {**PREDICTION, **change}, source="s", now_ms=5)
    assert said in str(caught.value)


def _alert() -> Alert:
    return an_alert(value=None, low=None, high=None)


def _rollout(action: RolloutAction, *, target: str | None = "v1") -> RolloutEvent:
    return RolloutEvent(
        id="e1",
        rollout_id="r1",
        action=action,
        model="fraud",
        canary="v2",
        baseline="v1",
        target_version=target,
        generation=4,
        reason="harm",
        summary="v2 is worse",
        assumption="independent requests",
        guardrails=[],
        log_e_share=0.0,
        share_ok=True,
        window_start_ms=0,
        window_end_ms=1,
        decided_at_ms=1,
        expires_at_ms=3_600_000,
        idempotency_key="k1",
        policy="p",
        cut={},
    )


def test_an_alert_is_read_whole() -> None:
    """Every field of an alert arrives."""
    alert = _alert()
    received = Received.parse(client.ALERTS, alert.model_dump_json().encode())
    assert (received.id, received.action, received.model) == ("s1", "opened", "fraud")
    assert received.body == alert.model_dump(mode="json")
    assert RollbackRequest.of(received) is None


def test_a_rollback_request_has_what_an_executor_needs() -> None:
    """Key, target, generation and expiry are those of the event; other actions are no request."""
    for action in RolloutAction:
        event = _rollout(action)
        received = Received.parse(client.ROLLOUTS, event.model_dump_json().encode())
        request = RollbackRequest.of(received)
        assert (request is not None) == (action is RolloutAction.ROLLBACK_REQUESTED)
        if request is not None:
            assert request.idempotency_key == "k1"
            assert (request.canary, request.target_version, request.generation) == ("v2", "v1", 4)
            assert request.is_current(3_599_999)
            assert not request.is_current(3_600_000)


def test_a_request_without_target_has_none() -> None:
    """No version known to be healthy is said, not guessed."""
    event = _rollout(RolloutAction.ROLLBACK_REQUESTED, target=None)
    received = Received.parse(client.ROLLOUTS, event.model_dump_json().encode())
    request = RollbackRequest.of(received)
    assert request is not None
    assert request.target_version is None


def test_the_client_imports_nothing_of_ours() -> None:
    """A model service that installs the client gets confluent_kafka and no other name.

    The modules of tables, which ``import kittiwake_client`` does not import, may use Arrow's.
    """
    folder = Path(kittiwake_client.__file__).parent
    tables = {"arrow.py", "columns.py", "murmur2.py"}
    assert _imported(folder / name for name in tables) == {
        *("kittiwake_client", "numpy", "pyarrow")
    }
    others = (file for file in folder.glob("*.py") if file.name not in tables)
    assert _imported(others) == {"confluent_kafka", "kittiwake_client"}
    code = "import sys, kittiwake_client; sys.exit(bool({'numpy', 'pyarrow'} & sys.modules.keys()))"
    path = {"PYTHONPATH": str(folder.parent)}
    assert subprocess.run([sys.executable, "-c", code], env=path, timeout=60).returncode == 0


def _imported(files: Iterable[Path]) -> set[str]:
    imported = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    return imported - set(sys.stdlib_module_names)


@pytest.mark.parametrize("arm", list(Arm))
@pytest.mark.parametrize("pair_id", [None, "p0"])
def test_predictions_are_keyed_as_ingest_expects(arm: Arm, pair_id: str | None) -> None:
    """A shadow by the answer it stands beside; a pair_id that is no text is refused at once."""
    fields = {**PREDICTION, "prediction_id": "p1", "arm": arm.value, "pair_id": pair_id}
    encoded = encode(client.PREDICTION, fields, source="s", now_ms=5)
    assert encoded.key == partition_key("p1", arm, pair_id).encode()
    if arm is Arm.SHADOW:
        with pytest.raises(InvalidEvent, match="pair_id is 7"):
            encode(client.PREDICTION, {**fields, "pair_id": 7}, source="s", now_ms=5)

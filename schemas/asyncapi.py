"""AsyncAPI document of the topics: who publishes what where, with which headers.

``python -m schemas.asyncapi --write`` writes ``deploy/asyncapi.json``; ``--check`` compares.

References
----------
.. [1] AsyncAPI Initiative, AsyncAPI Specification 3.1.0 and its Kafka bindings 0.5.0.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from schemas import arrow, cloudevents, generated, topics
from schemas.alerts import Alert
from schemas.audit import AuditRecord
from schemas.commands import KINDS, Tick
from schemas.dead_letters import DeadLetter
from schemas.deployments import DeploymentEvent
from schemas.fallback import Advice
from schemas.feedback import FeedbackEvent
from schemas.heartbeats import Heartbeat
from schemas.policy import Activation, PolicyRecord
from schemas.predictions import PredictionEvent
from schemas.reference import ReferenceProfile
from schemas.retraining import RetrainRequest
from schemas.review import ReviewRequest
from schemas.rollouts import RolloutEvent
from schemas.windows import WindowResult

Json = dict[str, object]

BINDING_VERSION = "0.5.0"


@dataclass(frozen=True, slots=True)
class Message:
    """A kind of record on a topic.

    ``batch`` says that its value may be an array of events, ``columns`` that it is an Arrow IPC
    stream of them.
    """

    event_type: str
    model: type[BaseModel]
    batch: bool = False
    columns: bool = False

    @property
    def name(self) -> str:
        """Key of the message in the document, such as ``alert_opened``."""
        middle = self.event_type.removeprefix("io.kittiwake.").removesuffix(".v1")
        return middle.replace(".", "_") + ("_columns" if self.columns else "")


_HEARTBEAT = Message(cloudevents.HEARTBEAT, Heartbeat)

RECEIVED: dict[str, tuple[Message, ...]] = {
    topics.PREDICTIONS: (
        Message(cloudevents.PREDICTION, PredictionEvent, batch=True),
        Message(cloudevents.PREDICTION, PredictionEvent, columns=True),
        _HEARTBEAT,
    ),
    topics.FEEDBACK: (Message(cloudevents.FEEDBACK, FeedbackEvent, batch=True), _HEARTBEAT),
    topics.POLICIES: (
        Message(cloudevents.POLICY, PolicyRecord),
        Message(cloudevents.ACTIVATION, Activation),
    ),
    topics.REFERENCES: (Message(cloudevents.REFERENCE, ReferenceProfile),),
    topics.DEPLOYMENTS: (Message(cloudevents.DEPLOYMENT, DeploymentEvent),),
    topics.COMMANDS: tuple(
        Message(cloudevents.COMMAND[kind], model)
        for kind, model in KINDS.items()
        if model is not Tick
    ),
    topics.TICKS: (Message(cloudevents.COMMAND["tick"], Tick),),
}
"""What Kittiwake reads, by topic."""

SENT: dict[str, tuple[Message, ...]] = {
    topics.WINDOWS: (Message(cloudevents.WINDOW, WindowResult),),
    topics.ALERTS: tuple(Message(kind, Alert) for kind in cloudevents.ALERT.values()),
    topics.ROLLOUTS: tuple(Message(kind, RolloutEvent) for kind in cloudevents.ROLLOUT.values()),
    topics.RETRAINING: (Message(cloudevents.RETRAIN, RetrainRequest),),
    topics.REVIEW: (Message(cloudevents.REVIEW, ReviewRequest),),
    topics.ADVICE: (Message(cloudevents.ADVICE, Advice),),
    topics.AUDIT: (Message(cloudevents.AUDIT, AuditRecord),),
    topics.DEAD_LETTERS: (Message(cloudevents.DEAD_LETTER, DeadLetter),),
}
"""What Kittiwake writes, by topic."""


def document() -> Json:
    """The AsyncAPI document.

    Examples
    --------
    >>> list(document()["operations"])[:2]
    ['receive_predictions', 'receive_feedback']
    """
    by_topic = RECEIVED | SENT
    messages = {message.name: message for kinds in by_topic.values() for message in kinds}
    public = [spec for spec in topics.table() if not spec.internal]
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Kittiwake",
            "version": "1.0.0",
            "description": (
                "Predictions and feedback in; windows, alerts and rollouts out. Topic names may "
                "have a prefix. Records are CloudEvents 1.0 in Kafka's binary mode; a bare JSON "
                "body without headers is read, too."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": cloudevents.JSON,
        "channels": {_key(spec.name): _channel(spec, by_topic[spec.name]) for spec in public},
        "operations": {
            f"{action}_{_key(name)}": _operation(action, name, kinds)
            for action, part in (("receive", RECEIVED), ("send", SENT))
            for name, kinds in part.items()
        },
        "components": {
            "messages": {name: _message(message) for name, message in messages.items()},
            "messageTraits": {"cloudEvent": {"headers": _headers()}},
            "schemas": _schemas(),
        },
    }


def _key(topic: str) -> str:
    return topic.replace("-", "_").replace(".", "_")


def _channel(spec: topics.TopicSpec, kinds: tuple[Message, ...]) -> Json:
    return {
        "address": spec.name,
        "description": f"The record key is the {spec.key}.",
        "messages": {kind.name: {"$ref": f"#/components/messages/{kind.name}"} for kind in kinds},
        "bindings": {
            "kafka": {
                "topicConfiguration": {
                    "cleanup.policy": ["compact" if spec.compacted else "delete"],
                    "retention.ms": -1 if spec.retention_ms is None else spec.retention_ms,
                },
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _operation(action: str, topic: str, kinds: tuple[Message, ...]) -> Json:
    channel = f"#/channels/{_key(topic)}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "summary": f"Kittiwake {'reads' if action == 'receive' else 'publishes'} {topic}.",
        "messages": [{"$ref": f"{channel}/messages/{kind.name}"} for kind in kinds],
    }


def _message(message: Message) -> Json:
    said = cleandoc(message.model.__doc__ or "")
    one = {"$ref": f"#/components/schemas/{message.model.__name__}"}
    many = {"type": "array", "items": one, "description": "A batch of events of one partition."}
    return {
        "name": message.event_type,
        "title": message.model.__name__,
        "summary": said.splitlines()[0],
        "contentType": arrow.CONTENT_TYPE if message.columns else cloudevents.JSON,
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "headers": {"type": "object", "properties": {"ce_type": {"const": message.event_type}}},
        "payload": _columns()
        if message.columns
        else {"anyOf": [one, many]}
        if message.batch
        else one,
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": BINDING_VERSION}},
    }


def _columns() -> Json:
    """What no JSON Schema says: bytes of an Arrow IPC stream."""
    lines = [
        f"{name}{'' if name in arrow.COLUMNS else '.…'} ({column.kind.value}"
        f"{', needed' if column.needed else ''}): {'.'.join(column.path)}"
        for name, column in (arrow.COLUMNS | arrow.FAMILIES).items()
    ]
    return {
        "type": "string",
        "contentMediaType": arrow.CONTENT_TYPE,
        "description": "An Arrow IPC stream of rows of one model and one partition; the model is "
        "a column or stands in the schema's metadata. Columns, and the fields of the event that "
        "they stand for: " + "; ".join(lines) + ".",
    }


def _headers() -> Json:
    texts = {"ce_id": "The same in every repetition of the event.", "ce_source": "Who publishes."}
    return {
        "type": "object",
        "description": "CloudEvents attributes, each the UTF-8 of its text.",
        "properties": {
            "ce_specversion": {"type": "string", "const": "1.0"},
            "ce_type": {"type": "string"},
            **{
                name: {"type": "string", "minLength": 1, "description": text}
                for name, text in texts.items()
            },
            "ce_time": {"type": "string", "format": "date-time"},
            "content-type": {"type": "string"},
        },
    }


def _schemas() -> Json:
    models = {kind.model: None for kinds in (RECEIVED | SENT).values() for kind in kinds}
    _, found = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    definitions: Json = found["$defs"]
    return definitions


def files(path: Path = generated.DEPLOY / "asyncapi.json") -> dict[Path, str]:
    """Text of the file, by its path."""
    return {path: json.dumps(document(), indent=2, ensure_ascii=False) + "\n"}


if __name__ == "__main__":
    sys.exit(generated.main(files(), sys.argv[1:], module="schemas.asyncapi"))

"""JSON Schema of every event and of the policy, for editors and for other languages.

``python -m schemas.json_schema --write`` writes ``deploy/schemas``; ``--check`` compares.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from schemas import generated
from schemas.alerts import Alert
from schemas.audit import AuditRecord
from schemas.commands import KINDS
from schemas.dead_letters import DeadLetter
from schemas.deployments import DeploymentEvent
from schemas.fallback import Advice
from schemas.feedback import FeedbackEvent
from schemas.heartbeats import Heartbeat
from schemas.policy import Activation, Policy, PolicyRecord
from schemas.predictions import PredictionEvent
from schemas.reference import ReferenceProfile
from schemas.retraining import RetrainRequest
from schemas.review import ReviewRequest
from schemas.rollouts import RolloutEvent
from schemas.windows import WindowResult

MODELS: tuple[type[BaseModel], ...] = (
    PredictionEvent,
    FeedbackEvent,
    Heartbeat,
    DeploymentEvent,
    Policy,
    PolicyRecord,
    Activation,
    ReferenceProfile,
    WindowResult,
    Alert,
    RolloutEvent,
    ReviewRequest,
    RetrainRequest,
    Advice,
    AuditRecord,
    *KINDS.values(),
    DeadLetter,
)
"""Every model that travels on a topic, and the policy as people write it."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, object]]:
    """JSON Schema (2020-12) of each model, by its name.

    A schema says what fits in one; a model may ask more (a window is a multiple of its pane).

    Examples
    --------
    >>> sorted(schemas()["Heartbeat"]["properties"])
    ['time']
    """
    return {
        model.__name__: {
            "$schema": DIALECT,
            "$id": f"{model.__name__}.json",
            **model.model_json_schema(),
        }
        for model in MODELS
    }


def files(folder: Path = generated.DEPLOY / "schemas") -> dict[Path, str]:
    """Text of each file, by its path."""
    return {
        folder / f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas().items()
    }


if __name__ == "__main__":
    sys.exit(generated.main(files(), sys.argv[1:], module="schemas.json_schema"))

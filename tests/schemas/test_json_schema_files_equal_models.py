"""The JSON Schema files say what the models say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from schemas import generated, topics
from schemas.json_schema import MODELS, files, schemas
from schemas.policy import Policy

SPECIAL: dict[str, object] = {
    "policy": {"model": "m", "task": "binary"},
    "edges": [0.5],
    "counts": [1, 2],
    "min": 0.0,
    "max": 1.0,
    "categories": ["a"],
    "pane": "1h",
    "window": "2h",
    "pattern": "5m",
    "max_mean": 0.5,
    "min_mean": 0.5,
    "low": 0.4,
    "high": 0.6,
    **dict.fromkeys(("mae", "interval_miss_rate", "zero_results", "ndcg", "mrr")),
}
"""Values for fields that a model compares with one another, or that a binary task lacks."""


def instance(schema: dict[str, Any], root: dict[str, Any], *, full: bool) -> Any:
    """A simple value that fits a schema; ``full`` gives optional fields, too."""
    if "$ref" in schema:
        return instance(root["$defs"][schema["$ref"].split("/")[-1]], root, full=full)
    if "anyOf" in schema:
        return instance(schema["anyOf"][0], root, full=full)
    if "enum" in schema:
        return schema["enum"][-1]
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "object" if "properties" in schema:
            wanted = schema["properties"] if full else schema.get("required", [])
            return {name: member(name, schema, root, full=full) for name in wanted}
        case "object":
            inner = schema.get("additionalProperties")
            anything = not isinstance(inner, dict)
            return {"key": instance(inner, root, full=full)} if full and not anything else {}
        case "array":
            return [instance(schema["items"], root, full=full)] * schema.get("minItems", full)
        case "string" if "pattern" in schema:
            kinds = {"brier": "brier", "{64}": "0" * 64}
            return next((text for part, text in kinds.items() if part in schema["pattern"]), "5m")
        case "string":
            return "x" * schema.get("minLength", 1)
        case "integer" | "number":
            low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
            return low + (0.5 if "exclusiveMinimum" in schema else 0)
        case "boolean":
            return True
    return None


def member(name: str, schema: dict[str, Any], root: dict[str, Any], *, full: bool) -> Any:
    """The value of one field of an object."""
    if name in SPECIAL and name in schema["properties"]:
        special = SPECIAL[name]
        kind = schema["properties"][name]
        if name != "policy" or "$ref" in kind:
            return special
    return instance(schema["properties"][name], root, full=full)


def test_files_equal_models(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m schemas.json_schema --check` passes in a checkout."""
    assert generated.main(files(), ["--check"], module="schemas.json_schema") == 0
    assert capsys.readouterr().err == ""
    assert {path.stem for path in files()} == {model.__name__ for model in MODELS}


def test_every_event_of_the_topic_table_has_a_schema() -> None:
    """No topic carries something that is not described."""
    said = {
        name.strip()
        for spec in topics.table()
        if not spec.internal
        for name in spec.event.split(",")
    }
    assert said <= set(schemas())


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("full", [False, True], ids=["required", "all"])
def test_schema_and_model_accept_the_same_examples(model: type[BaseModel], full: bool) -> None:
    """An example made from the schema is an event; what the model writes fits the schema."""
    schema = schemas()[model.__name__]
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    example = instance(schema, schema, full=full)
    if model is Policy:
        # Which budgets a task can have is a rule between fields, which JSON Schema does not state.
        example |= {"task": "binary"}
    validator.validate(example)
    event = model.model_validate_json(json.dumps(example))
    validator.validate(event.model_dump(mode="json"))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_schema_and_model_refuse_the_same_examples(model: type[BaseModel]) -> None:
    """A required field that is absent, or a list in place of any field, is refused by both."""
    schema: dict[str, Any] = schemas()[model.__name__]
    validator = Draft202012Validator(schema)
    good = instance(schema, schema, full=True)
    without = [{k: v for k, v in good.items() if k != name} for name in schema["required"]]
    wrong = [good | {name: [[]]} for name in schema["properties"]]
    for bad in without + wrong:
        assert not validator.is_valid(bad)
        with pytest.raises(ValidationError):
            model.model_validate_json(json.dumps(bad))


def test_durations_have_a_pattern_for_editors() -> None:
    """An editor flags what `policy check` would refuse."""
    validator = Draft202012Validator(schemas()["Policy"])
    policy = {"model": "m", "task": "binary"}
    assert validator.is_valid(policy | {"pane": "5m"})
    assert not validator.is_valid(policy | {"pane": "5 minutes"})
    assert not validator.is_valid(policy | {"labels": {"horizn": "5m"}})


def test_check_and_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A stale, absent or left-over file is named; writing mends all three."""
    wanted = files(tmp_path / "schemas")
    assert generated.main(wanted, ["--check"], module="m") == 1
    assert generated.main(wanted, ["--write"], module="m") == 0
    assert generated.main(wanted, ["--check"], module="m") == 0
    first, second, *_ = wanted
    first.write_text("{}")
    second.unlink()
    (tmp_path / "schemas" / "Gone.json").write_text("{}")
    capsys.readouterr()
    assert generated.main(wanted, ["--check"], module="m") == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert all("stale; run python -m m --write" in line for line in said)
    assert generated.main(wanted, ["--write"], module="m") == 0
    assert generated.stale(wanted) == []
    assert generated.main(wanted, [], module="m") == 2

"""Say in one line why bytes are not the event they should be."""

from __future__ import annotations

from functools import cache
from types import GenericAlias, NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from schemas.dead_letters import Reason
from schemas.errors import BadRecord

SHOWN = 80
"""Most characters of a refused value that a message repeats."""


def explain(model: type[BaseModel], value: bytes) -> tuple[str, str]:
    """Where and why the bytes are not one event of the model.

    Parameters
    ----------
    model
        The event they should be.
    value
        The bytes of one event, as they came.

    Returns
    -------
    tuple[str, str]
        The path of the first bad field, such as ``output.score`` (empty for the whole record),
        and a message: what is wrong, the value, and what to do. Both empty if nothing is wrong.

    Examples
    --------
    >>> from schemas.feedback import FeedbackEvent
    >>> explain(FeedbackEvent, b'{"prediction_id": "p1", "model": 7, "time": 0}')
    ('model', 'model: Input should be a valid string; found 7; send a JSON string')
    >>> explain(FeedbackEvent, b'{"prediction_id": "p1", "model": "m", "time": 0}')
    ('', '')
    """
    try:
        adapter(model).validate_json(value)
    except ValidationError as error:
        bad = bad_record(error, model, value)
        return bad.field, str(bad)
    return "", ""


class Undecodable(BadRecord, msgspec.DecodeError):
    """Bytes that are not the event they should be.

    It is msgspec's error, too: who reads with a bare msgspec decoder catches the same thing.
    """


@cache
def adapter(model: type[BaseModel], *, many: bool = False) -> TypeAdapter[Any]:
    """Pydantic's reader of one event, or of a JSON array of them."""
    return TypeAdapter(_root(model, many=many))


def _root(model: type[BaseModel], *, many: bool) -> Any:
    return GenericAlias(list, (model,)) if many else model


def bad_record(
    error: ValidationError, model: type[BaseModel], value: bytes, *, many: bool = False
) -> Undecodable:
    """The refusal of pydantic as one of ours: the first bad field, and how many more there are."""
    details = error.errors(include_url=False)
    if details[0]["type"] == "json_invalid":
        return _not_json(details[0], value)
    root = _root(model, many=many)
    by_field: dict[str, list[ErrorDetails]] = {}
    for detail in details:
        by_field.setdefault(field_path(root, detail["loc"]), []).append(detail)
    field, first = next(iter(by_field.items()))
    more = len(by_field) - 1
    message = f"{field or 'record'}: {_what(first)}" + (f" ({more} more bad)" if more else "")
    return Undecodable(Reason.BAD_SHAPE.value, message, field=field)


def field_path(root: object, location: tuple[int | str, ...]) -> str:
    """Path of a field without the names that pydantic gives to the branches of a union.

    Examples
    --------
    >>> from schemas.predictions import PredictionEvent
    >>> field_path(PredictionEvent, ("features", "a.b", "bool"))
    "features['a.b']"
    """
    path = ""
    for step in field_steps(root, location):
        if isinstance(step, int) or not step.isidentifier():
            path += f"[{step!r}]"
        else:
            path += f".{step}" if path else step
    return path


def field_steps(root: object, location: tuple[int | str, ...]) -> list[int | str]:
    """The same, step by step."""
    steps: list[int | str] = []
    inner: object | None = root
    for step in location:
        branch = _branch(inner, step)
        if branch is not None:
            inner = branch
            continue
        inner = _inside(inner, step)
        if inner is None:
            break
        steps.append(step)
    return steps


def model_at(root: object, location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that lies at the location, None where there is none."""
    inner: object | None = root
    for step in location:
        inner = _branch(inner, step) or _inside(inner, step)
    kind = _bare(inner)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _branch(kind: object, step: int | str) -> type[BaseModel] | None:
    """The model of a union that a tag chooses; None where the step is no tag."""
    kind = _bare(kind)
    if get_origin(kind) not in (Union, UnionType):
        return None
    for model in get_args(kind):
        if isinstance(model, type) and issubclass(model, BaseModel):
            fields = model.model_fields.values()
            if any((step,) == get_args(field.annotation) for field in fields):
                return model
    return None


def _inside(kind: object, step: int | str) -> object | None:
    """Type of what lies at the step, None where the step is not a place."""
    kind = _bare(kind)
    if step == "[key]":  # pydantic's word for: the key, not the value
        return None
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(str(step))
        return object if field is None else field.annotation
    arguments = get_args(kind)
    if get_origin(kind) is list and isinstance(step, int):
        return arguments[0] if arguments else object
    if get_origin(kind) is dict:
        return arguments[1] if arguments else object
    return None


def _bare(kind: object) -> object:
    """The type without constraints and without None."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        some = [part for part in get_args(kind) if part is not NoneType]
        return _bare(some[0]) if len(some) == 1 else kind
    return kind


def _what(details: list[ErrorDetails]) -> str:
    messages = list(dict.fromkeys(detail["msg"] for detail in details))
    kinds = [detail["type"] for detail in details]
    if kinds == ["missing"]:
        return "missing; add it"
    advice = " or ".join(dict.fromkeys(_advice(kind) for kind in kinds))
    return f"{', or: '.join(messages)}; found {shown(details[0]['input'])}; {advice}"


def _advice(kind: str) -> str:
    for start, advice in _ADVICE.items():
        if kind.startswith(start):
            return advice
    return "send what the schema says"


_ADVICE = {
    "extra": "leave it out or mend its name",
    "finite": "send null for no value",
    "string_too": "change its length",
    "string_pattern": "use that form",
    "string": "send a JSON string",
    "int_from_float": "send a whole number",
    "int": "send a whole number",
    "float": "send a number",
    "bool": "send true or false",
    "enum": "choose one of these",
    "greater": "send a value in range",
    "less": "send a value in range",
    "too": "change how many there are",
    "model": "send a JSON object",
    "dict": "send a JSON object",
    "list": "send a JSON array",
}


def shown(value: object) -> str:
    """What a message repeats of a value."""
    text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _not_json(detail: ErrorDetails, value: bytes) -> Undecodable:
    why = detail.get("ctx", {}).get("error", detail["msg"])
    text = value.decode("utf-8", "backslashreplace")
    return Undecodable(
        Reason.NOT_JSON.value,
        f"record: not JSON: {why}; found {shown(text)}; send one JSON object in UTF-8",
    )

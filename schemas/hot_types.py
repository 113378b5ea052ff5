"""msgspec types derived from the pydantic models."""

from __future__ import annotations

import copy
import operator
import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache, reduce
from types import GenericAlias, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin

import msgspec
from annotated_types import BaseMetadata, Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined


@cache
def hot_type(model: type[BaseModel]) -> type[msgspec.Struct]:
    """The msgspec type with the fields, constraints and defaults of a pydantic model.

    Raises
    ------
    TypeError
        If the model says something that both cannot say alike, such as a validator.

    Examples
    --------
    >>> from schemas.feedback import FeedbackEvent
    >>> hot_type(FeedbackEvent).__struct_fields__[:3]
    ('prediction_id', 'model', 'time')
    """
    return struct(model, loose=False)


@cache
def struct(model: type[BaseModel], *, loose: bool) -> type[msgspec.Struct]:
    """The same; ``loose`` gives the subclass that jumps over what the model ignores."""
    _refuse_unlike(model)
    skips = loose and model.model_config.get("extra") != "forbid"
    fields = [
        (name, _field_type(field, loose=loose), _default(field))
        for name, field in model.model_fields.items()
    ]
    return msgspec.defstruct(
        model.__name__,
        [
            (name, kind) if default is None else (name, kind, default)
            for name, kind, default in fields
        ],
        bases=(struct(model, loose=False),) if loose else None,
        module=__name__,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=not skips,
    )


def _refuse_unlike(model: type[BaseModel]) -> None:
    config, decorators = model.model_config, model.__pydantic_decorators__
    if not config.get("strict") or config.get("allow_inf_nan") is not False:
        raise TypeError(f"{model.__name__} is not strict with finite numbers; use schemas.base")
    if decorators.field_validators or decorators.model_validators or decorators.validators:
        raise TypeError(f"{model.__name__} has validators; msgspec would not run them")
    for name, field in model.model_fields.items():
        if field.alias or field.validation_alias:
            raise TypeError(f"{model.__name__}.{name} has an alias; msgspec would not know it")


def _field_type(field: FieldInfo, *, loose: bool) -> object:
    return _constrained(_type(field.annotation, loose=loose), field.metadata)


def _type(kind: Any, *, loose: bool) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        metadata = [
            part
            for extra in arguments[1:]
            for part in (extra.metadata if isinstance(extra, FieldInfo) else [extra])
        ]
        return _constrained(_type(arguments[0], loose=loose), metadata)
    if origin in (Union, UnionType):
        return reduce(operator.or_, (_type(part, loose=loose) for part in arguments))
    if origin in (list, dict):
        return GenericAlias(origin, tuple(_type(part, loose=loose) for part in arguments))
    if kind in (bool, int, float, str, type(None)):
        return kind
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return struct(kind, loose=loose)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    raise TypeError(f"{kind!r} has no hot type; use plain JSON types, enums and models")


def _constrained(kind: Any, metadata: list[Any]) -> Any:
    options: dict[str, Any] = {}
    for part in metadata:
        options |= _options(part)
    if not options:
        return kind
    meta = msgspec.Meta(**options)
    if get_origin(kind) not in (Union, UnionType):
        return Annotated[kind, meta]
    some = [part for part in get_args(kind) if part is not type(None)]
    if len(some) > 1:
        raise TypeError(f"a constraint on {kind} is ambiguous; put it on one member")
    return Annotated[some[0], meta] | None


def _options(part: object) -> dict[str, Any]:
    match part:
        case Ge(ge=limit):
            return {"ge": limit}
        case Gt(gt=limit):
            return {"gt": limit}
        case Le(le=limit):
            return {"le": limit}
        case Lt(lt=limit):
            return {"lt": limit}
        case MinLen(min_length=length):
            return {"min_length": length}
        case MaxLen(max_length=length):
            return {"max_length": length}
    said: Mapping[str, object] = vars(part) if isinstance(part, BaseMetadata) else {}
    if set(said) == {"pattern"} and isinstance(said["pattern"], str):
        return {"pattern": _pattern(said["pattern"])}
    raise TypeError(f"{part!r} has no counterpart in msgspec")


def _pattern(pattern: str) -> str:
    r"""The pattern as Python's `re` must read it to find what Rust's regex finds.

    Python's ``$`` also stands before a last newline, and ``\d`` and its like know another
    edition of Unicode.

    Examples
    --------
    >>> _pattern("^[0-9]+$")
    '^[0-9]+\\Z'
    """
    if re.search(r"\\[dwsbDWSB]", pattern) or "$" in pattern[:-1]:
        raise TypeError(f"{pattern!r} means different things to Rust and Python; use [0-9] and ^…$")
    return pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern


def _default(field: FieldInfo) -> Any:
    """What stands for an absent field, None where the field is required."""
    if field.default_factory is not None:
        return msgspec.field(default_factory=cast(Callable[[], object], field.default_factory))
    if field.default is PydanticUndefined:
        return None
    default = hot(field.default)
    if default == {} or default == []:
        return msgspec.field(default=default)
    if isinstance(default, dict | list):
        return msgspec.field(default_factory=lambda: copy.deepcopy(default))
    return msgspec.field(default=default)


def hot(value: object) -> object:
    """A validated value with structs in place of models."""
    if isinstance(value, BaseModel):
        fields = {name: hot(getattr(value, name)) for name in type(value).model_fields}
        return hot_type(type(value))(**fields)
    if isinstance(value, list):
        return [hot(item) for item in value]
    if isinstance(value, dict):
        return {key: hot(item) for key, item in value.items()}
    return value

"""YAML files read with positions, so that each error names its place and its fix."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from schemas.errors import PlacedError
from schemas.explain import field_path, field_steps, model_at, shown

Step = int | str
Place = tuple[int, int]
Mistake = tuple[Place, tuple[Step, ...], str]
M = TypeVar("M", bound=BaseModel)

_MAX_DEPTH = 20
_MAX_VALUES = 100_000


def _nothing(model: object) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True)
class YamlFile(Generic[M]):
    """How to read a model from YAML.

    Parameters
    ----------
    model
        What the file should hold.
    refused
        The error to raise.
    needs, first
        What such a file has, and how it may begin, for messages.
    contradictions
        What else is wrong with a model that is one: the key, step by step, and the message.
    """

    model: type[M]
    refused: type[PlacedError]
    needs: str
    first: str
    contradictions: Callable[[M], Iterable[tuple[tuple[Step, ...], str]]] = _nothing

    def load(self, path: Path | str) -> M:
        """The model of a file.

        Raises
        ------
        PlacedError
            ``refused``, if the file cannot be read, or `loads` refuses its text.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise self.refused("no such file; check the path", file=str(path)) from None
        except UnicodeDecodeError as error:
            raise self.refused(
                f"byte {error.start} is not UTF-8; save the file as UTF-8", file=str(path)
            ) from None
        except OSError as error:
            raise self.refused(f"cannot be read: {error.strerror}", file=str(path)) from None
        return self.loads(text, str(path))

    def loads(self, text: str, file: str) -> M:
        """The model of YAML text; ``file`` is its name for messages.

        Raises
        ------
        PlacedError
            ``refused``, if the text is not YAML or not the model; names the first place and lists
            the others.
        """
        tree = self._tree(text, file)
        value = json.dumps(_Plain(file, self.refused).of(tree, (1, 1), 0))
        try:
            model = self.model.model_validate_json(value)
        except ValidationError as error:
            details = error.errors(include_url=False)
            raise self._refusal([self._placed(detail, tree) for detail in details], file) from None
        found = [(_nearest(tree, keys), keys, text) for keys, text in self.contradictions(model)]
        if found:
            raise self._refusal(found, file)
        return model

    def _tree(self, text: str, file: str) -> CommentedMap:
        try:
            tree: object = YAML(typ="rt", pure=True).load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = (mark.line + 1, mark.column + 1) if mark else (0, 0)
            problem = _problem(error)
            fix = "remove one of them" if "duplicate key" in problem else "mend the YAML here"
            raise self.refused(
                f"{problem}; {fix}", file=file, line=place[0], column=place[1]
            ) from None
        except (YAMLError, ValueError) as error:
            problem = str(error).strip().splitlines()[0]
            raise self.refused(
                f"not YAML: {problem}; mend it", file=file, line=1, column=1
            ) from None
        if tree is None:
            raise self.refused(f"empty; give {self.needs}", file=file, line=1, column=1)
        if not isinstance(tree, CommentedMap):
            raise self.refused(
                f"not a mapping; start with {self.first}", file=file, line=1, column=1
            )
        return tree

    def _placed(self, detail: ErrorDetails, tree: CommentedMap) -> Mistake:
        steps = field_steps(self.model, detail["loc"])
        return _find(tree, steps, detail), tuple(steps), _message(self.model, detail)

    def _refusal(self, mistakes: Iterable[Mistake], file: str) -> PlacedError:
        by_place: dict[tuple[Place, tuple[Step, ...]], str] = {}
        for place, steps, text in mistakes:
            by_place.setdefault((place, steps), text)
        found = sorted(by_place.items(), key=lambda entry: entry[0][0])
        errors = [
            self.refused(text, file=file, line=place[0], column=place[1])
            for (place, _), text in found
        ]
        rest = "".join(f"\n{other}" for other in errors[1:])
        ((line, column), _), text = found[0]
        return self.refused(text + rest, file=file, line=line, column=column)


def _problem(error: MarkedYAMLError) -> str:
    problem = str(error.problem).strip().splitlines()[0]
    return f"{error.context}, {problem}" if problem.startswith("but ") else problem


class _Plain:
    """Turns what ruamel read into what JSON can say; refuses what it cannot."""

    def __init__(self, file: str, refused: type[PlacedError]) -> None:
        self._file = file
        self._refused = refused
        self._values = 0

    def of(self, value: object, place: Place, depth: int) -> object:
        self._values += 1
        if depth > _MAX_DEPTH or self._values > _MAX_VALUES:
            raise self._error("nested too deep or too large; do not nest aliases", place)
        if isinstance(value, Mapping):
            keys = [(self._key(key, value), key) for key in value]
            return {name: self.of(value[key], _place(value, key), depth + 1) for name, key in keys}
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [self.of(item, _place(value, at), depth + 1) for at, item in enumerate(value)]
        if isinstance(value, bool | ScalarBoolean):
            return bool(value)
        if isinstance(value, float) and not math.isfinite(value):
            raise self._error(f"{value} is not a finite number; leave the key out", place)
        if value is None or isinstance(value, int | float | str):
            return value
        raise self._error(f"{str(value)!r} is read as {type(value).__name__}; quote it", place)

    def _key(self, key: object, parent: Mapping[object, object]) -> str:
        if isinstance(key, str):
            return str(key)
        raise self._error(f"key {key!r} is not text; quote it", _place(parent, key, of_key=True))

    def _error(self, message: str, place: Place) -> PlacedError:
        return self._refused(message, file=self._file, line=place[0], column=place[1])


def _find(tree: CommentedMap, steps: list[Step], detail: ErrorDetails) -> Place:
    """Line and column, from 1, of what an error speaks of."""
    kind, place, node = detail["type"], (1, 1), tree
    at_key = (
        kind == "extra_forbidden" or detail["input"] is None or detail["loc"][-1:] == ("[key]",)
    )
    wanted = [*steps, detail["msg"].removeprefix("Value error, ").split()[0]]
    for at, step in enumerate(wanted):
        if not _has(node, step):
            break
        last = at == len(steps) - 1
        place = _place(node, step, of_key=last and at_key)
        node = node[step]
        if last and kind != "value_error":
            break
    return place


def _nearest(tree: CommentedMap, steps: Iterable[Step]) -> Place:
    """Line and column, from 1, of the value at the steps, or of the last there is on the way."""
    place: Place = (1, 1)
    node: object = tree
    for step in steps:
        if not (_has(node, step) and isinstance(node, CommentedMap | CommentedSeq)):
            break
        place, node = _place(node, step), node[step]
    return place


def _has(node: object, step: Step) -> bool:
    if isinstance(node, CommentedMap):
        return step in node
    return isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node)


def _place(parent: object, step: object, *, of_key: bool = False) -> Place:
    if not isinstance(parent, CommentedMap | CommentedSeq):
        return 1, 1
    position = parent.lc.data.get(step) if parent.lc.data else None
    if position is None:  # merged in from elsewhere
        return (parent.lc.line or 0) + 1, (parent.lc.col or 0) + 1
    line, column = position[:2] if of_key or len(position) == 2 else position[2:]
    return line + 1, column + 1


def _message(model: type[BaseModel], detail: ErrorDetails) -> str:
    path, value = field_path(model, detail["loc"]), detail["input"]
    message = detail["msg"].removeprefix("Value error, ")
    match detail["type"]:
        case "extra_forbidden":
            return _unknown_key(model, detail["loc"])
        case "missing":
            return f"{path} is missing; add it"
        case "union_tag_not_found":
            return f"{path}.{_tag(detail)} is missing; add it"
        case "value_error":
            return f"{path}: {message}" if path else message
        case "string_type" if isinstance(value, int | float):
            return f"{path} is the number {value}; quote it, or give a duration its unit"
    if value is None:
        return f"{path} is empty; give it a value or leave it out"
    choices = _choices(detail)
    if detail["type"] == "union_tag_invalid":
        path, value = f"{path}.{_tag(detail)}", detail["ctx"]["tag"]
    if choices:
        near = get_close_matches(str(value), choices, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(choices)}"
        return f"{path} is {shown(value)}; {fix}"
    return f"{path} is {shown(value)}; {message[0].lower()}{message[1:]}"


def _tag(detail: ErrorDetails) -> str:
    """The key that says which of several shapes a mapping has."""
    return str(detail["ctx"]["discriminator"]).strip("'")


def _choices(detail: ErrorDetails) -> list[str]:
    """What the value may be, where that is a list of words."""
    if detail["type"] == "enum":
        return re.findall(r"'(\w+)'", detail["ctx"]["expected"])
    if detail["type"] == "union_tag_invalid":
        return re.findall(r"'(\w+)'", detail["ctx"]["expected_tags"])
    words = re.fullmatch(r"\^\(([\w|]+)\)\$", detail.get("ctx", {}).get("pattern", ""))
    return words[1].split("|") if words else []


def _unknown_key(root: type[BaseModel], location: tuple[Step, ...]) -> str:
    model = model_at(root, location[:-1])
    known = list(model.model_fields) if model else []
    near = get_close_matches(str(location[-1]), known, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
    return f"unknown key {shown(location[-1])}; {fix}"

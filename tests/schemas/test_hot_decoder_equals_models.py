"""The hot decoders and the pydantic models accept the same bytes and read the same values."""

from __future__ import annotations

import json
from types import GenericAlias, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas.deployments import DeploymentEvent
from schemas.errors import BadRecord
from schemas.feedback import FeedbackEvent
from schemas.heartbeats import Heartbeat
from schemas.hot import (
    Decoder,
    HotDeployment,
    HotFeedback,
    HotHeartbeat,
    HotOutput,
    HotPrediction,
    ListDecoder,
    deployment_decoder,
    feedback_decoder,
    feedback_list_decoder,
    heartbeat_decoder,
    hot_type,
    prediction_decoder,
    prediction_list_decoder,
    rows,
)
from schemas.policy import FeatureContract
from schemas.predictions import Output, PredictionEvent

NUMBERS = [
    *("0", "-0", "-0.0", "1", "1.0", "-1", "-1.5", "1e3", "1E400", "1e999", "-1e999", "1e-999"),
    *("5e-324", "1.7976931348623159e308", "0.1", "01", "1.", ".5", "+1", "1e", "-", "0x1", "1_0"),
    *("18446744073709551615", "18446744073709551616", "-9223372036854775809", "4102444800001"),
    *("4102444800000.0", "1" * 30, "9" * 400, "1" * 4_300, "1" * 4_301, "-" + "1" * 4_301),
    *("NaN", "Infinity", "-Infinity", "nan", "-NaN"),
]
TEXTS = [
    *('""', '"a"', '"canary"', '"Canary"', '"truth"', '"deployed"', '"a\\u0000"', '"\\u00e9"'),
    *('"\\ud83d\\ude00"', '"\\ud800"', '"\\udc00x"', '"\\ud800\\u0041"', '"\\x"', '"\\u12"'),
    *('"a\nb"', '"\x7f"', '"\\/"', f'"{"😀" * 200}"', f'"{"😀" * 201}"', f'"{"é" * 256}"'),
    *(f'"{"x" * 257}"', '"2026-03-01T00:00:00Z"', '"2026-03-01T00:00:00Z\\n"', '"1"', '"true"'),
    *('"2026-03-01T00:00:00"', '"2026-03-01 00:00:00Z"', '"٢026-03-01T00:00:00Z"', '"\ufeff"'),
    *('"2026-03-01T00:00:00.1234567891Z"', '"2026-03-01T00:00:00.123+01:00"', '"', "'a'"),
]
OTHERS = [
    *("true", "false", "null", "tru", "True", "[]", "{}", "[1]", "[1,2]", "[1,2,3]", '["a"]'),
    *("[1,]", "[null]", '{"a":1}', '{"a":"x","a":2}', '{"a":2,"a":"x"}', '{"":0}', '{"a":NaN}'),
    *('{"score":"x"}', '{"score":0.5}', '{"a":1,}', "[1 2]", '{"a" 1}', "{1:2}", ""),
    *("[" * depth + "]" * depth for depth in (100, 196, 199, 201, 400, 3_000)),
    *('{"a":' * depth + "1" + "}" * depth for depth in (100, 198, 200, 1_500)),
]
BROKEN_TEXTS = [b'"\xff"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xc0\x80"', b'"\xc3"']

tokens = st.one_of(
    st.sampled_from(NUMBERS).map(str.encode),
    st.sampled_from(TEXTS).map(str.encode),
    st.sampled_from(OTHERS).map(str.encode),
    st.sampled_from(BROKEN_TEXTS),
    st.integers().map(lambda number: str(number).encode()),
    st.floats().map(lambda number: json.dumps(number).encode()),
    st.text(max_size=20).map(lambda text: json.dumps(text, ensure_ascii=False).encode()),
)
"""One JSON value, or what somebody took for one."""

keys = st.one_of(
    st.sampled_from([b'"unknown"', b'"\\u006dodel"', b'""', b'"n\xff"', b'"u\\ud800"', b"bare"]),
    st.text(max_size=4).map(lambda text: json.dumps(text).encode()),
)

Members = list[tuple[bytes, bytes]]


def members(event: dict[str, object]) -> Members:
    """An object as pairs of raw key and raw value."""
    return [(json.dumps(key).encode(), json.dumps(item).encode()) for key, item in event.items()]


def joined(pairs: Members) -> bytes:
    """The bytes of an object."""
    return b"{" + b",".join(key + b":" + item for key, item in pairs) + b"}"


@st.composite
def mutated(draw: st.DrawFn, event: dict[str, object]) -> Members:
    """Members of an event of which up to three were dropped, replaced, doubled or added."""
    pairs = members(event)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(pairs)))
        known = draw(st.sampled_from(list(event)))
        match draw(st.sampled_from(["drop", "replace", "double", "add"])):
            case "drop":
                pairs = pairs[:at] + pairs[at + 1 :]
            case "replace":
                pairs = [pair for pair in pairs if pair[0] != json.dumps(known).encode()]
                pairs.insert(at, (json.dumps(known).encode(), draw(tokens)))
            case "double":
                pairs.insert(at, (json.dumps(known).encode(), draw(tokens)))
            case "add":
                pairs.insert(at, (draw(keys), draw(tokens)))
    return pairs


@st.composite
def torn(draw: st.DrawFn, value: bytes) -> bytes:
    """The bytes whole, cut off, with a byte changed, or with something around them."""
    at = draw(st.integers(0, len(value)))
    match draw(st.sampled_from(["whole"] * 6 + ["cut", "change", "after", "before"])):
        case "cut":
            return value[:at]
        case "change":
            return value[:at] + draw(st.binary(min_size=1, max_size=2)) + value[at + 1 :]
        case "after":
            return value + draw(st.sampled_from([b" \n", b"x", b",", b"\x00", b"\xff", b"{}"]))
        case "before":
            return draw(st.sampled_from([b"\xef\xbb\xbf", b" \t\r\n", b"\x00", b"\x0c"])) + value
    return value


PREDICTION: dict[str, object] = {
    "prediction_id": "p1",
    "model": "fraud",
    "version": "v12",
    "time": 1_772_319_600_250,
    "output": {
        "score": 0.25,
        "label": True,
        "scores": {"a": 1},
        "interval": [0, 1.5],
        "quantiles": {"0.1": 0, "0.9": 1.5},
    },
    "features": {"amount": 12.5, "count": 3, "country": "DE", "new": True, "age": None},
    "arm": "canary",
    "unit_id": None,
    "segments": {"country": "DE"},
    "embeddings": {"text": [0.5, 1]},
    "latency_ms": 12,
    "trace": {"data": "2026-03"},
}
FEEDBACK: dict[str, object] = {
    "prediction_id": "p1",
    "model": "fraud",
    "time": "2026-03-01T00:00:00.250+01:00",
    "kind": "correction",
    "label": 1,
    "value": 2,
    "signals": {"clicked": 1, "comment": "ok"},
    "propensity": 0.5,
    "source": "desk",
}
DEPLOYMENT: dict[str, object] = {
    "model": "fraud",
    "version": "v12",
    "time": 5,
    "action": "deployed",
    "role": "baseline",
    "share": 1,
    "generation": 3,
    "deployment_id": "d1",
}
Pair = tuple[type[BaseModel], Decoder[Any], dict[str, object]]
PAIRS: list[Pair] = [
    (PredictionEvent, prediction_decoder, PREDICTION),
    (FeedbackEvent, feedback_decoder, FEEDBACK),
    (DeploymentEvent, deployment_decoder, DEPLOYMENT),
    (Heartbeat, heartbeat_decoder, {"time": 5}),
]
LISTS: list[tuple[type[BaseModel], ListDecoder[Any], dict[str, object]]] = [
    (PredictionEvent, prediction_list_decoder, PREDICTION),
    (FeedbackEvent, feedback_list_decoder, FEEDBACK),
]
THOROUGH = settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def plain(value: object) -> object:
    """Fields and values alone, whichever type holds them."""
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def by_pydantic(kind: Any, value: bytes) -> str:
    """What pydantic reads, with types: 1, 1.0 and True differ."""
    try:
        return repr(plain(TypeAdapter(kind).validate_json(value)))
    except ValidationError:
        return "refused"


def by_hot(decoder: Decoder[Any] | ListDecoder[Any], value: bytes) -> str:
    """What the hot decoder reads."""
    try:
        return repr(plain(decoder.decode(value)))
    except BadRecord as error:
        assert error.reason in ("not_json", "bad_shape")
        assert str(error).startswith(error.field or "record")
        return "refused"


def by_msgspec(kind: Any, value: bytes) -> str:
    """What the derived type alone reads, before pydantic is asked."""
    try:
        return repr(plain(msgspec.json.decode(value, type=kind)))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return "refused"


@st.composite
def cases(draw: st.DrawFn) -> tuple[Pair, bytes]:
    """A decoder and bytes that are, or nearly are, its event."""
    pair = draw(st.sampled_from(PAIRS))
    event = draw(mutated(pair[2]))
    output = PREDICTION["output"]
    assert isinstance(output, dict)
    if pair[0] is PredictionEvent and draw(st.booleans()):
        event = [*event, (b'"output"', joined(draw(mutated(output))))]
    return pair, draw(torn(joined(event)))


@THOROUGH
@given(case=cases())
def test_both_accept_the_same_bytes_and_read_the_same_values(case: tuple[Pair, bytes]) -> None:
    """Whatever the bytes, the hot decoder answers as the model does."""
    (model, decoder, _), value = case
    assert by_hot(decoder, value) == by_pydantic(model, value)


@THOROUGH
@given(case=cases())
def test_the_derived_type_alone_never_accepts_more_than_the_model(
    case: tuple[Pair, bytes],
) -> None:
    """A yes of msgspec needs no second reading."""
    (model, _, _), value = case
    found = by_msgspec(hot_type(model), value)
    assert found in ("refused", by_pydantic(model, value))


@settings(max_examples=200, deadline=None)
@given(data=st.data(), pair=st.sampled_from(LISTS), count=st.integers(0, 3))
def test_lists_are_read_alike(
    data: st.DataObject,
    pair: tuple[type[BaseModel], ListDecoder[Any], dict[str, object]],
    count: int,
) -> None:
    """A JSON array of events, too."""
    model, decoder, event = pair
    parts = [joined(data.draw(mutated(event))) for _ in range(count)]
    value = data.draw(torn(b"[" + b",".join(parts) + b"]"))
    assert by_hot(decoder, value) == by_pydantic(GenericAlias(list, (model,)), value)


@settings(max_examples=200, deadline=None)
@given(value=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode), tokens))
def test_noise_is_refused_alike(value: bytes) -> None:
    """Bytes that never were an event."""
    for model, decoder, _ in PAIRS:
        assert by_hot(decoder, value) == by_pydantic(model, value)


@pytest.mark.parametrize(("model", "decoder", "event"), PAIRS, ids=lambda part: str(part)[:20])
def test_every_token_in_every_field(
    model: type[BaseModel], decoder: Decoder[Any], event: dict[str, object]
) -> None:
    """No edge of the grammar is left to chance: each one stands once in each field."""
    edges = [token.encode() for token in (*NUMBERS, *TEXTS, *OTHERS)] + BROKEN_TEXTS
    for field in [*event, "unknown"]:
        others = [pair for pair in members(event) if pair[0] != f'"{field}"'.encode()]
        for edge in edges:
            value = joined([*others, (f'"{field}"'.encode(), edge)])
            assert by_hot(decoder, value) == by_pydantic(model, value), value[:200]


@pytest.mark.parametrize(("model", "decoder", "event"), PAIRS, ids=lambda part: str(part)[:20])
def test_what_well_behaved_writers_write_is_read_once(
    model: type[BaseModel], decoder: Decoder[Any], event: dict[str, object]
) -> None:
    """Valid events, with unknown fields or without, never need the slow reader."""
    value = json.dumps(event).encode()
    assert by_msgspec(hot_type(model), value) == by_pydantic(model, value) != "refused"
    wider = json.dumps(event | {"unknown": {"a": [1, "ü"]}}, ensure_ascii=False).encode()
    assert repr(plain(decoder.skipping(wider))) == by_pydantic(model, wider) != "refused"
    assert isinstance(decoder.skipping(wider), hot_type(model))


@pytest.mark.parametrize(
    ("protocol", "model"),
    [
        (HotOutput, Output),
        (HotPrediction, PredictionEvent),
        (HotFeedback, FeedbackEvent),
        (HotDeployment, DeploymentEvent),
        (HotHeartbeat, Heartbeat),
    ],
)
def test_protocols_list_the_fields_of_the_models(protocol: type, model: type[BaseModel]) -> None:
    """What mypy knows of a decoded event is what the model says."""
    said = {name: kinds(kind) for name, kind in get_type_hints(protocol).items()}
    assert said == {
        name: kinds(kind) for name, kind in get_type_hints(model).items() if name in said
    }
    assert set(said) == set(model.model_fields)


def kinds(kind: Any) -> object:
    """A type as something that compares: unions flat, without constraints, Output by its name."""
    if kind in (HotOutput, Output):
        return "output"
    if get_origin(kind) in (Union, UnionType):
        return frozenset(inner for part in get_args(kind) for inner in flat(kinds(part)))
    if get_origin(kind) in (list, dict):
        return get_origin(kind), tuple(kinds(part) for part in get_args(kind))
    return kind


def flat(kind: object) -> frozenset[object]:
    """The members of a union, or the one type there is."""
    return kind if isinstance(kind, frozenset) else frozenset({kind})


def test_models_that_cannot_be_said_alike_are_refused() -> None:
    """A validator, an alias or a lax model fails at import, not in production."""

    class Lax(BaseModel):
        colour: str

    for model in (FeatureContract, Lax):
        with pytest.raises(TypeError, match=model.__name__):
            hot_type(model)


def test_rows_of_a_batch_can_be_read_one_by_one() -> None:
    """One bad row costs one row."""
    batch = b'[{"model": 1}, ' + json.dumps(FEEDBACK).encode() + b"]"
    bad, good = rows(batch)
    with pytest.raises(BadRecord) as refusal:
        feedback_decoder.decode(bad)
    assert refusal.value.field == "prediction_id"
    assert feedback_decoder.decode(good).prediction_id == "p1"
    with pytest.raises(BadRecord) as whole:
        feedback_list_decoder.decode(batch)
    assert whole.value.field == "[0].prediction_id"
    with pytest.raises(BadRecord, match="array") as refusal:
        rows(b"{}")
    assert refusal.value.reason == "bad_shape"

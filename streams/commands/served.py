"""``audit who``: which version served a prediction, under which policy, and what became of it."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from schemas.base import iso
from schemas.errors import ConfigurationError
from schemas.served import Decided, Deployed, Place, Served
from streams.commands.options import Bootstrap, Prefix, console, kafka, settings_of
from streams.runtime.served import read_served

IN_PROSE = ("trace", "output", "unit_id", "pair_id", "segments", "groups", "latency_ms", "error")
"""What of a prediction is shown to people, in this order."""


def who(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    prediction_id: Annotated[str, typer.Argument(help="Id of the prediction.")],
    pair: Annotated[
        str, typer.Option(help="For a shadow: the prediction that it shadows.", show_default=False)
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Say which version served a prediction, under which policy, and what became of it."""
    settings = settings_of(bootstrap=bootstrap, prefix=prefix)
    transport = kafka(settings)
    try:
        served = read_served(
            transport, settings, model=model, prediction_id=prediction_id, pair_id=pair
        )
    finally:
        transport.close()
    if served is None:
        near = f"beside {pair!r}" if pair else "where its id belongs"
        raise ConfigurationError(
            f"no prediction {prediction_id!r} of model {model!r} in the log {near}; check both, "
            "say --pair for a shadow, or it was deleted by the topic's retention"
        )
    if as_json:
        console.print_json(served.model_dump_json())
        return
    console.print(_story(served))
    if served.decisions:
        console.print(_decisions(served.decisions))
    state = f"[red]broken[/]: {escape(served.chain)}" if served.chain else "[green]whole[/]"
    console.print(f"the audit chain of {escape(model)} is {state}", soft_wrap=True)


def _story(served: Served) -> Table:
    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    rows = [
        ("prediction", f"{served.prediction_id} of {served.model}"),
        ("version", f"{served.version} as {served.arm.value}"),
        ("event time", iso(served.time_ms)),
        ("in the log", _place(served.place)),
        *(("again", _place(place)) for place in served.repeats),
        *_rules(served),
        *((name, _shown(served.content[name])) for name in IN_PROSE if name in served.content),
        *(("shadow", f"{name} by {version}") for name, version in served.shadows.items()),
        *(
            (f"feedback {iso(told.time_ms)}", f"{_told(told.content)} ({_place(told.place)})")
            for told in served.feedback
        ),
    ]
    for name, value in rows:
        table.add_row(f"[dim]{name}[/]", escape(value))
    return table


def _rules(served: Served) -> list[tuple[str, str]]:
    if served.rules is None:
        rules = "none in force at its event time"
    else:
        known = served.rules
        since = "the start" if known.effective_at_ms == 0 else iso(known.effective_at_ms)
        later = "; published after the prediction" if known.later else ""
        rules = f"{known.policy}, in force from {since}{later}"
    rows = [("policy", rules)]
    if served.rules is not None:
        rows.append(("reference", served.rules.reference or "none"))
    if served.deployed is not None:
        rows.append(("deployment", _deployed(served.deployed)))
    if served.advice is not None:
        rows.append(("advice", served.advice.summary))
    return rows


def _deployed(event: Deployed) -> str:
    share = "" if event.share is None else f" with {event.share:.0%}"
    since = f"{iso(event.time_ms)}, generation {event.generation}"
    return f"{event.action} as {event.role.value}{share} at {since}"


def _place(place: Place) -> str:
    row = f" row {place.row}" if place.row else ""
    return f"{place.topic}[{place.partition}]@{place.offset}{row}, {iso(place.logged_at_ms)}"


def _told(content: dict[str, object]) -> str:
    kind = str(content.get("kind", ""))
    rest = {k: v for k, v in content.items() if k in ("label", "value", "signals", "source")}
    return f"{kind} {_shown(rest)}" if rest else kind


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _decisions(decisions: list[Decided]) -> Table:
    table = Table("record", "at", "kind", "what", title="Decisions", title_justify="left")
    for each in decisions:
        table.add_row(
            str(each.sequence), iso(each.at_ms), each.kind, escape(each.summary or each.event_id)
        )
    return table

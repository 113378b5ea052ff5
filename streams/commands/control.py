"""``topics``, ``policy`` and ``profile``: what is set up before events flow."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Table

from schemas import topics
from schemas.base import iso
from schemas.errors import ConfigurationError
from schemas.explain import field_path
from schemas.policy import Policy
from schemas.policy_file import load
from schemas.profiling import build, read_rows
from schemas.reference import ReferenceProfile
from streams import files as event_files
from streams.commands.options import (
    Bootstrap,
    Models,
    Prefix,
    Shards,
    console,
    kafka,
    settings_of,
)
from streams.learn import labelled, learn
from streams.runtime.announce import FROM_THE_START, activate
from streams.runtime.clock import SystemClock
from streams.runtime.control_reader import ControlReader
from streams.runtime.settings import Settings
from streams.runtime.transport import Transport, check_topics

topics_app = typer.Typer(help="Create or check the topics.", no_args_is_help=True)
policy_app = typer.Typer(help="Check a policy, or put it in force.", no_args_is_help=True)

PolicyFile = Annotated[Path, typer.Argument(help="The policy, YAML.", dir_okay=False)]


@topics_app.command("create")
def create(
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
    shards: Shards = None,
    models: Models = None,
) -> None:
    """Create every topic that does not exist; refuse if one exists with other partitions."""
    settings = settings_of(bootstrap=bootstrap, prefix=prefix, shards=shards, models=models)
    transport = kafka(settings)
    table = settings.topics()
    transport.ensure_topics(table)
    transport.close()
    console.print(f"{len(table)} topics stand on {settings.bootstrap}")


@topics_app.command("check")
def check(
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
    shards: Shards = None,
    models: Models = None,
) -> None:
    """Compare the topics with the table; ends with code 1 if one is missing or differs."""
    settings = settings_of(bootstrap=bootstrap, prefix=prefix, shards=shards, models=models)
    transport = kafka(settings)
    table = Table("topic", "partitions", "found", "key", "event", "kept")
    wrong = 0
    for spec in settings.topics():
        found = transport.partition_count(spec.name)
        good = found == spec.partitions
        wrong += not good
        days = "for ever" if spec.retention_ms is None else f"{spec.retention_ms / 86.4e6:g} d"
        kept = "last of each key" if spec.compacted else days
        shown = "missing" if found is None else str(found)
        colour = "green" if good else "red"
        table.add_row(
            spec.name,
            str(spec.partitions),
            f"[{colour}]{shown}[/]",
            spec.key,
            spec.event,
            kept,
        )
    transport.close()
    console.print(table)
    if wrong:
        raise ConfigurationError(
            f"{wrong} topics are missing or have other partitions; "
            "create the missing ones with `kittiwake topics create`"
        )


@policy_app.command("check")
def check_policy(file: PolicyFile) -> None:
    """Read a policy and say what it watches; errors name line, column and the fix."""
    policy = load(file)
    console.print(f"[green]{escape(str(file))} is good[/]  hash {policy.hash}", soft_wrap=True)
    console.print(_describe(policy))


@policy_app.command("apply")
def apply(
    file: PolicyFile,
    reference: Annotated[
        Path | None, typer.Option(help="A reference made by `kittiwake profile`.", dir_okay=False)
    ] = None,
    at_ms: Annotated[
        int | None,
        typer.Option(
            help="Event time from which it holds, ms since 1970. By default a model's first "
            "policy holds from the start, a later one from a window that begins in two panes.",
            min=0,
        ),
    ] = None,
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Put a policy in force."""
    settings = settings_of(bootstrap=bootstrap, prefix=prefix)
    policy = load(file)
    profile_ = None if reference is None else read_reference(reference)
    transport = kafka(settings)
    counts = {name: transport.partition_count(name) for name in map(settings.topic, topics.CONTROL)}
    check_topics(counts, co_partitioned=False)
    if at_ms is None:
        at_ms = _begins_ms(transport, settings, policy)
    sender = transport.sender()
    activate(sender, settings, policy, profile_, effective_at_ms=at_ms)
    sender.close()
    transport.close()
    since = "the start" if at_ms == FROM_THE_START else iso(at_ms)
    console.print(f"policy {policy.hash} of {policy.model} holds from {since} on")


def _begins_ms(transport: Transport, settings: Settings, policy: Policy) -> int:
    """From the start for a model's first policy, else the next window at least two panes away.

    Windows that have begun keep their policy: rows of one window are never read by two.
    """
    reader = ControlReader(transport, settings)
    known = policy.model in reader.control.models()
    reader.close()
    if not known:
        return FROM_THE_START
    return next_window_ms(policy, SystemClock().wall_ms())


def next_window_ms(policy: Policy, now_ms: int) -> int:
    """Start of the first window at least two panes after a time.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> policy = Policy(model="m", task=Task.BINARY, pane="1m", window="5m")
    >>> next_window_ms(policy, 1), next_window_ms(policy, 200_000)
    (300000, 600000)
    """
    return -(-(now_ms + 2 * policy.pane_ms) // policy.window_ms) * policy.window_ms


def profile(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="CSV, JSONL or Parquet; or use --live.", dir_okay=False),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="Read the files as events of this policy's model, as `replay` does; truths among "
            "them become the levels that metrics are judged by.",
            dir_okay=False,
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="Name of the model.")] = "model",
    score: Annotated[str, typer.Option(help="Column of the score, if there is one.")] = "score",
    live: Annotated[
        int | None, typer.Option(help="Learn from so many live predictions instead.", min=1)
    ] = None,
    out: Annotated[Path, typer.Option(help="Where to write the reference.")] = Path(
        "reference.json"
    ),
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Describe what normal looks like, from files or from the first live predictions."""
    if bool(files) == (live is not None):
        raise ConfigurationError("name a file, or say --live N to learn from live predictions")
    if files and len(files) > 1 and policy is None:
        raise ConfigurationError("rows come from one file; with several, say --policy")
    if live is not None:
        settings = settings_of(bootstrap=bootstrap, prefix=prefix)
        transport = kafka(settings)
        found = learn(transport, settings, model=model, count=live)
        transport.close()
    elif policy is not None:
        rules = load(policy)
        names = ", ".join(map(str, files or []))
        found = labelled(rules, event_files.read(files or [], model=rules.model), source=names)
    else:
        (file,) = files or []
        columns = dict(read_rows(file, score=score))
        scores = columns.pop(score, None)
        found = build(model, columns, score=scores, source=str(file))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(found.model_dump_json(indent=2) + "\n")
    kinds = itertools.chain(
        (f"{name} (numeric)" for name in found.numeric),
        (f"{name} (categorical)" for name in found.categorical),
    )
    console.print(f"{out}: {found.n:,} rows, hash {found.hash}", markup=False, soft_wrap=True)
    console.print("  " + ", ".join(kinds), markup=False)
    for metric, known in found.outcomes.items():
        console.print(f"  {metric} {known.sum / known.n:.4g} of {known.n:,}", markup=False)


def read_reference(path: Path) -> ReferenceProfile:
    """A reference from its file."""
    try:
        return ReferenceProfile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        why = "no such file; check the path, or make one with `kittiwake profile`"
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = field_path(ReferenceProfile, first["loc"])
        what = "it is not JSON" if first["type"] == "json_invalid" else first["msg"]
        at = f"{place}: " if place else ""
        why = f"no usable reference: {at}{what}; make one with `kittiwake profile`"
    raise ConfigurationError(f"{path}: {why}")


def _describe(policy: Policy) -> Table:
    table = Table(show_header=False, box=None)
    stated = policy.model_fields_set
    budgets = policy.budgets.model_dump(exclude_none=True)
    for name, value in (
        ("model", f"{policy.model} ({policy.task})"),
        ("windows", f"{policy.window or policy.pane} of panes of {policy.pane}"),
        ("labels", f"judged {policy.labels.maturity} after a window, {policy.labels.coverage:.0%}"),
        *([("joined", f"{policy.join.sample:.4g} of predictions")] if "join" in stated else []),
        *([("repeats", f"known for {policy.dedupe.horizon}")] if "dedupe" in stated else []),
        ("budgets", ", ".join(f"{k} {v}" for k, v in budgets.items()) or "none: nothing pages"),
        ("features", ", ".join(policy.features) or "those of the reference"),
        ("segments", ", ".join(policy.segments) or "none"),
        ("groups", ", ".join(policy.fairness.groups) or "none"),
        ("false pages", f"{policy.false_alarms.pages:g} expected per {policy.false_alarms.per}"),
    ):
        table.add_row(f"[dim]{name}[/]", value)
    return table

"""``kittiwake command``: what people tell Kittiwake; every command is one record in the log."""

from __future__ import annotations

import getpass
import json
import uuid
from typing import Annotated

import typer
from pydantic import ValidationError

from schemas import topics
from schemas.commands import read_command
from schemas.errors import ConfigurationError
from streams.commands.options import Bootstrap, Prefix, console, kafka, settings_of
from streams.runtime.clock import SystemClock
from streams.runtime.envelope import command_message
from streams.runtime.transport import check_topics

command_app = typer.Typer(
    help="Acknowledge, silence, approve, pin: commands to DECIDE.", no_args_is_help=True
)

Model = Annotated[str, typer.Argument(help="Name of the model.")]
By = Annotated[str | None, typer.Option("--by", help="Who says so; your login name unless given.")]
Comment = Annotated[str, typer.Option("--comment", help="Why; it stands in the audit log.")]


@command_app.command("acknowledge")
def acknowledge(
    model: Model,
    incident: Annotated[str, typer.Argument(help="incident_id of an alert.")],
    by: By = None,
    comment: Comment = "",
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Look after an incident; it lapses when the evidence changes."""
    _send("acknowledge", model, by, comment, bootstrap, prefix, incident_id=incident)


@command_app.command("silence")
def silence(
    model: Model,
    duration: Annotated[str, typer.Option("--for", help="How long, such as 2h.")],
    metric: Annotated[str | None, typer.Option(help="Only this metric.")] = None,
    feature: Annotated[str | None, typer.Option(help="Only this feature.")] = None,
    version: Annotated[str | None, typer.Option(help="Only this version.")] = None,
    segment: Annotated[str | None, typer.Option(help="Only this segment.")] = None,
    severity: Annotated[str | None, typer.Option(help="Only page, ticket or watch.")] = None,
    by: By = None,
    comment: Comment = "",
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Deliver no alerts like these for a while; they are still published."""
    match = {
        "metric": metric,
        "feature": feature,
        "version": version,
        "segment": segment,
        "severity": severity,
    }
    _send("silence", model, by, comment, bootstrap, prefix, match=match, duration=duration)


@command_app.command("unsilence")
def unsilence(
    model: Model,
    silence_id: Annotated[str, typer.Argument(help="Id that the silence was given.")],
    by: By = None,
    comment: Comment = "",
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """End a silence early."""
    _send("unsilence", model, by, comment, bootstrap, prefix, silence_id=silence_id)


Rollback = Annotated[str, typer.Argument(help="rollback_id of a rollout event.")]


@command_app.command("approve")
def approve(
    model: Model,
    rollback: Rollback,
    by: By = None,
    comment: Comment = "",
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Consent to a rollback; each person counts once."""
    _send("approve", model, by, comment, bootstrap, prefix, rollback_id=rollback)


@command_app.command("reject")
def reject(
    model: Model,
    rollback: Rollback,
    by: By = None,
    comment: Comment = "",
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Refuse a rollback."""
    _send("reject", model, by, comment, bootstrap, prefix, rollback_id=rollback)


@command_app.command("pin")
def pin(
    model: Model,
    duration: Annotated[
        str | None, typer.Option("--for", help="How long, such as 8h; until unpin if left out.")
    ] = None,
    by: By = None,
    comment: Comment = "",
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Keep the versions of a model as they are: no rollback is requested."""
    _send("pin", model, by, comment, bootstrap, prefix, duration=duration)


@command_app.command("unpin")
def unpin(
    model: Model,
    by: By = None,
    comment: Comment = "",
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Let rollbacks be requested again."""
    _send("unpin", model, by, comment, bootstrap, prefix)


@command_app.command("retrain")
def retrain(
    model: Model,
    by: By = None,
    comment: Comment = "",
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Ask for a retraining."""
    _send("retrain", model, by, comment, bootstrap, prefix, reason="person")


@command_app.command("trained")
def trained(
    model: Model,
    version: Annotated[str | None, typer.Option(help="The version that came of it.")] = None,
    by: By = None,
    comment: Comment = "",
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Say that a retraining is done; new labels count from here."""
    _send("trained", model, by, comment, bootstrap, prefix, version=version)


def _send(
    kind: str,
    model: str,
    by: str | None,
    comment: str,
    bootstrap: str | None,
    prefix: str | None,
    **fields: object,
) -> None:
    settings = settings_of(bootstrap=bootstrap, prefix=prefix)
    body = {
        "kind": kind,
        "id": uuid.uuid4().hex,
        "model": model,
        "time": SystemClock().wall_ms(),
        "by": by or getpass.getuser(),
        "comment": comment,
        **fields,
    }
    try:
        command = read_command(json.dumps(body).encode())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigurationError(
            f"{first['loc'][-1]} is {first['input']!r}: {first['msg']}; give another"
        ) from None
    transport = kafka(settings)
    topic = settings.topic(topics.COMMANDS)
    check_topics({topic: transport.partition_count(topic)}, co_partitioned=False)
    sender = transport.sender()
    sender.send(command_message(command, settings, source="people"))
    sender.close()
    transport.close()
    console.print(f"{kind} {command.id} by {command.by} stands in {topic}", markup=False)

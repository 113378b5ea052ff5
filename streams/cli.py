"""The ``kittiwake`` command."""

from __future__ import annotations

import logging
import sys

import typer
from rich.console import Console
from rich.markup import escape

from schemas.errors import KittiwakeError
from streams.commands import (
    act,
    audit,
    budget,
    control,
    demo,
    follow,
    people,
    processes,
    replays,
)

app = typer.Typer(
    name="kittiwake",
    help="Streaming monitor for deployed models: drift, calibration, errors and safe rollbacks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(processes.up)
app.command()(processes.ingest)
app.command()(processes.decide)
app.command()(act.act)
app.add_typer(control.topics_app, name="topics")
app.add_typer(control.policy_app, name="policy")
app.command()(control.profile)
app.command()(replays.replay)
app.command()(follow.tail)
app.command()(budget.budget)
app.command()(demo.demo)
app.add_typer(audit.audit_app, name="audit")
app.add_typer(people.command_app, name="command")


def main() -> None:
    """Run the command; an error of ours ends it with one line and code 1."""
    # librdkafka warns of every retry; what does not mend itself comes as an error of ours.
    logging.getLogger("kittiwake.kafka").setLevel(logging.ERROR)
    try:
        app()
    except KittiwakeError as error:
        stderr = Console(stderr=True, highlight=False, soft_wrap=True)
        stderr.print(f"[red]error[/] {escape(str(error))}")
        sys.exit(1)


if __name__ == "__main__":
    main()

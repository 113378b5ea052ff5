"""``budget``: what a model's tests may spend on false alarms, and what they have spent."""

from __future__ import annotations

from typing import Annotated

import typer

from schemas.errors import ConfigurationError
from streams.commands.options import Bootstrap, Prefix, console, kafka, settings_of
from streams.runtime.ledgers import read_ledgers
from streams.story import ledger_lines, ledger_table


def budget(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    every: Annotated[
        bool, typer.Option("--all", help="Every test, not only those that spent most.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ledger as JSON.")] = False,
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Show the ledger of a model's false-alarm budget, as of the latest checkpoint."""
    settings = settings_of(bootstrap=bootstrap, prefix=prefix)
    transport = kafka(settings)
    try:
        ledgers = {ledger.model: ledger for ledger in read_ledgers(transport, settings)}
    finally:
        transport.close()
    if model not in ledgers:
        known = ", ".join(ledgers) or "none yet"
        raise ConfigurationError(
            f"no test of model {model!r} has seen a window; models with a ledger: {known}"
        )
    ledger = ledgers[model]
    if as_json:
        console.print(ledger.model_dump_json(indent=2), markup=False, soft_wrap=True)
        return
    for line in ledger_lines(ledger):
        console.print(line, soft_wrap=True)
    console.print(ledger_table(ledger, most=None if every else 20))

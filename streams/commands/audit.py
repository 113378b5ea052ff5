"""``audit``: verify the chains of decisions and commands, prove what is in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.markup import escape

from schemas.audit import PROOFS, AuditRecord, ConsistencyProof, InclusionProof
from schemas.errors import ConfigurationError
from streams.audit.proofs import faults_of, prove_consistency, prove_inclusion
from streams.audit.verify import Chain
from streams.commands.chains import Heads, is_of, read_chains
from streams.commands.options import Bootstrap, Prefix, console, kafka, settings_of
from streams.commands.served import who
from streams.runtime.audit_log import read_audit

audit_app = typer.Typer(
    help="Verify the record of decisions and commands; say who served a prediction.",
    no_args_is_help=True,
)
audit_app.command("who")(who)

Model = Annotated[str, typer.Argument(help="Name of the model.")]
File = Annotated[
    Path | None,
    typer.Option(help="Records as JSON lines, instead of the log.", exists=True, dir_okay=False),
]
Head = Annotated[
    str | None,
    typer.Option(help="A head known from elsewhere.", metavar="SEQUENCE:HASH"),
]
Out = Annotated[Path | None, typer.Option(help="Write here instead of to the terminal.")]


@audit_app.command("verify")
def verify_chains(
    model: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    file: File = None,
    head: Head = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Find the first record that was changed, removed, added or moved; code 1 if there is one."""
    known: Heads = {}
    if head is not None:
        if model is None:
            raise ConfigurationError(f"head {head} is of one model; name the model")
        sequence, hash_ = head_of(head)
        known = {model: {sequence: hash_}}
    chains = read_chains(file, model, bootstrap, prefix, known)
    if as_json:
        console.print_json(json.dumps([_told(chain) for chain in chains]))
    else:
        for chain in chains:
            console.print(_line(chain), soft_wrap=True)
        if not chains:
            console.print("no audit records yet")
    if any(chain.fault for chain in chains):
        raise typer.Exit(1)


@audit_app.command("export")
def export(
    model: Model, out: Out = None, bootstrap: Bootstrap = None, prefix: Prefix = None
) -> None:
    """Write a model's records as JSON lines, as they stand in the log."""
    settings = settings_of(bootstrap=bootstrap, prefix=prefix)
    transport = kafka(settings)
    try:
        found = [v for _, v in read_audit(transport, settings, model) if is_of(v, model)]
    finally:
        transport.close()
    _write(b"".join(value + b"\n" for value in found).decode("utf-8", "replace"), out)


@audit_app.command("prove")
def prove(
    model: Model,
    sequence: Annotated[int, typer.Argument(help="Number of the record.", min=0)],
    head: Annotated[
        int | None, typer.Option(help="Number of the head; the newest record if left out.", min=0)
    ] = None,
    consistency: Annotated[
        bool, typer.Option("--consistency", help="Also that nothing before it has changed.")
    ] = False,
    file: File = None,
    out: Out = None,
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Write a proof that a record stands in the chain that ends with a head."""
    kept: dict[int, AuditRecord] = {}
    chains = read_chains(file, model, bootstrap, prefix, {}, kept=kept, wanted={sequence, head})
    (chain,) = chains
    if chain.fault is not None:
        raise ConfigurationError(f"{_fault(chain)}; a broken chain proves nothing")
    if chain.begins:
        raise ConfigurationError(f"{model}: the records before {chain.begins} are needed as well")
    last = chain.ends - 1 if head is None else head
    for number in (sequence, last):
        if number not in kept:
            raise ConfigurationError(
                f"{model} has no record {number}; its records are 0 to {chain.ends - 1}"
            )
    if sequence > last:
        raise ConfigurationError(f"record {sequence} comes after head {last}; take a newer head")
    proving = prove_consistency if consistency else prove_inclusion
    proof = proving(kept[sequence], kept[last], chain.hashes)
    _write(proof.model_dump_json(indent=2) + "\n", out)


@audit_app.command("check-proof")
def check_proof(
    file: Annotated[Path, typer.Argument(help="The proof.", exists=True, dir_okay=False)],
    head: Head = None,
) -> None:
    """Check a proof without the log; code 1 if it does not hold."""
    try:
        proof = PROOFS.validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigurationError(
            f"{file}: {place}: {first['msg']}; make a proof with `kittiwake audit prove`"
        ) from None
    known = None if head is None else head_of(head)[1]
    faults = faults_of(proof, head=known)
    for fault in faults:
        console.print(f"[red]does not hold[/]  {escape(fault)}", soft_wrap=True)
    if faults:
        raise typer.Exit(1)
    console.print(_holds(proof, known), soft_wrap=True)


def head_of(text: str) -> tuple[int, str]:
    """Sequence and hash of a head.

    Raises
    ------
    ConfigurationError
        If it is none.

    Examples
    --------
    >>> head_of("12:" + "0f" * 32)[0]
    12
    """
    match = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text.strip().lower())
    if match is None:
        raise ConfigurationError(
            f"{text!r} is no head; write SEQUENCE:HASH as `kittiwake audit verify` shows it"
        )
    return int(match[1]), match[2]


def _write(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    console.print(f"written to {out}", markup=False, soft_wrap=True)


def _told(chain: Chain) -> dict[str, object]:
    fault = chain.fault
    return {
        "model": chain.model,
        "begins": chain.begins,
        "records": len(chain.hashes),
        "repeated": chain.repeated,
        "head": chain.head,
        "fault": None
        if fault is None
        else {
            "kind": fault.kind.value,
            "place": fault.place,
            "sequence": fault.sequence,
            "message": fault.message,
        },
    }


def _line(chain: Chain) -> str:
    if chain.fault is not None:
        return f"[red]broken[/]  {escape(_fault(chain))}"
    again = f", {chain.repeated:,} of them repeated" if chain.repeated else ""
    since = f" from {chain.begins} on" if chain.begins else ""
    count = f"{len(chain.hashes) + chain.repeated:,} records{since}{again}"
    return f"[green]whole[/]   {escape(chain.model)}: {count}, head {chain.head}"


def _fault(chain: Chain) -> str:
    fault = chain.fault
    if fault is None:
        return ""
    return f"{chain.model or 'of no model'}: {fault.kind.value}: {fault.place}: {fault.message}"


def _holds(proof: InclusionProof | ConsistencyProof, head: str | None) -> str:
    newest = proof.head
    if isinstance(proof, InclusionProof):
        said = f"record {proof.record.sequence} ({proof.record.kind} {proof.record.event_id})"
    else:
        said = f"record {proof.old.sequence}, with all records before it unchanged,"
    known = "" if head else "; compare the head with one that you know: --head"
    return (
        f"[green]holds[/]  {escape(newest.model)}: {escape(said)} stands in the chain with head "
        f"{newest.sequence}:{newest.hash}{known}"
    )

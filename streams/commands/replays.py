"""``replay``: files through the pipeline of production."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from schemas import topics
from schemas.errors import ConfigurationError, ProfileError
from schemas.hot import HotPrediction
from schemas.policy import Policy
from schemas.policy_file import load
from schemas.reference import ReferenceProfile
from streams import files as event_files
from streams.backtest import check_same_panes, decide_again
from streams.commands.control import read_reference
from streams.commands.options import console
from streams.ingest.decode.one_by_one import Decoded, decode_predictions
from streams.learn import profile_of
from streams.records import Record
from streams.refusals import by_reason, dead_letter_lines, place_of, told
from streams.replay import Start, replayed
from streams.results import News, Results, check_directory
from streams.story import (
    advice_line,
    alert_line,
    alerts_table,
    ledger_lines,
    policies_table,
    retrain_line,
    rollout_line,
    rollouts_table,
    windows_table,
)


def replay(
    files: Annotated[list[Path], typer.Argument(help="Events: .jsonl(.gz), .csv or .parquet.")],
    policy: Annotated[Path, typer.Option(help="The policy, YAML.", dir_okay=False)],
    reference: Annotated[
        Path | None, typer.Option(help="A reference made by `kittiwake profile`.", dir_okay=False)
    ] = None,
    learn: Annotated[
        int,
        typer.Option(help="Else learn it from so many first predictions; 0 goes without.", min=0),
    ] = 1_000,
    out: Annotated[
        Path, typer.Option(help="Where windows, alerts, rollouts and the ledger go.")
    ] = Path("out/replay"),
    also: Annotated[
        list[Path] | None,
        typer.Option(
            help="Another policy, decided on the same panes without reading the events again; "
            "repeat for more. Its results go to a folder of its name under --out.",
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Run events from files through the same pipeline as in production, and show the results.

    With --also, policies that differ in what is decided, not in how events are summed up, are
    compared on the same events.
    """
    rules = load(policy)
    others = _others(also or [], policy)
    for directory in (out, *(out / name for name in others)):
        check_directory(directory)
    lines = event_files.read(files, model=rules.model)
    start, lines = _start(rules, lines, reference, learn, files)
    for path, other in zip(also or [], others.values(), strict=True):
        try:
            check_same_panes(start, other)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from None
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("bytes read", total=_size(files))

        def seen(line: event_files.Line, news: News | None) -> None:
            progress.advance(task, len(line.value) + 1)
            for text in _texts(news):
                progress.console.print(text)

        with replayed(lines, [start], step_ms=rules.pane_ms, seen=seen) as run:
            progress.update(task, completed=_size(files))
            results = run.results
            steps = run.steps() if others else []
    show(results, out, files, model=rules.model)
    compared = {policy.stem: results}
    for name, other in others.items():
        compared[name] = decide_again(steps, start, other)
        compared[name].write(out / name)
    if others:
        console.print(policies_table(compared))
        console.print(f"files: a folder for each of {', '.join(others)} in {out}", markup=False)


def _others(paths: list[Path], first: Path) -> dict[str, Policy]:
    """Policies by the names of their files, which must tell them apart."""
    names = [path.stem for path in [first, *paths]]
    twice = sorted(name for name, n in Counter(names).items() if n > 1)
    if twice:
        raise ConfigurationError(
            f"two policies are named {twice[0]}; results are told apart by the names of the files: "
            "rename one"
        )
    return {path.stem: load(path) for path in paths}


def show(results: Results, out: Path, files: list[Path], *, model: str) -> None:
    """Tables of everything, and where the files are."""
    paths = results.write(out)
    console.print(windows_table(results, width=console.width))
    console.print(alerts_table(results, width=console.width))
    if results.rollouts:
        console.print(rollouts_table(results))
    for ledger in results.ledgers:
        console.print("\n".join(ledger_lines(ledger)), soft_wrap=True)
    console.print(f"{results.dead_letters:,} dead letters")
    refused = by_reason(results.letters)
    places = event_files.find(files, {one.value for one in refused}, model=model) if refused else {}
    for line in dead_letter_lines(refused, places):
        console.print(line, soft_wrap=True)
    written = ", ".join(map(str, paths))
    console.print(f"files: {written}", markup=False, soft_wrap=True)


def _texts(news: News | None) -> Iterator[str]:
    if news is None:
        return
    yield from map(alert_line, news.turns())
    yield from filter(None, map(rollout_line, news.rollouts))
    yield from map(retrain_line, news.retraining)
    yield from map(advice_line, news.advice)


def _start(
    policy: Policy,
    lines: Iterator[event_files.Line],
    reference: Path | None,
    count: int,
    files: list[Path],
) -> tuple[Start, Iterator[event_files.Line]]:
    """The policy with its reference, learnt from the first lines unless given."""
    if reference is not None:
        return Start(policy, read_reference(reference)), lines
    if count == 0:
        return Start(policy), lines
    read: list[event_files.Line] = []
    first: list[Record] = []
    for line in lines:
        read.append(line)
        if line.topic == topics.PREDICTIONS:
            first.append(Record(line.topic, 0, len(first), line.time_ms, None, line.value, ()))
        if len(first) == count:
            break
    return Start(policy, _profile(policy, first, files)), chain(read, lines)


def _profile(policy: Policy, records: list[Record], files: list[Path]) -> ReferenceProfile:
    found = decode_predictions(records)
    events = [row.event for row in found.rows if row.event.model == policy.model]
    if not events:
        raise ConfigurationError(
            f"no usable prediction of model {policy.model!r} among the first {len(records)} to "
            f"learn a reference from{_why_none(found, files, policy.model)}, or say --learn 0"
        )
    try:
        return profile_of(events, model=policy.model, source=f"first {len(events)} predictions")
    except ProfileError as error:
        raise ConfigurationError(f"no reference can be learnt: {error}; say --learn 0") from None


def _why_none(found: Decoded[HotPrediction], files: list[Path], model: str) -> str:
    """What there is instead of predictions of a model, and what to do about it."""
    said = ""
    if found.dead:
        first = found.dead[0]
        value = base64.b64decode(first.value_base64)
        where = event_files.find(files, {value}, model=model).get(value) or place_of(first)
        what = told(first.field, first.message)
        said = f"; {len(found.dead)} cannot be read, first {where}: {first.reason}, {what}"
    if found.rows:
        models = Counter(row.event.model for row in found.rows).most_common(5)
        names = ", ".join(f"{name} {n}" for name, n in models)
        said += f"; {len(found.rows)} of other models ({names}): check `model` of the policy"
    return said or "; name files that hold some"


def _size(files: list[Path]) -> int:
    return event_files.count([path for path in files if path.is_file()])

"""``tail``: what comes out, as it happens."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape

from schemas import topics
from schemas.alerts import Alert
from schemas.fallback import Advice
from schemas.retraining import RetrainRequest
from schemas.review import ReviewRequest
from schemas.rollouts import RolloutEvent
from schemas.windows import WindowResult
from streams.commands.options import Bootstrap, Prefix, console, kafka, settings_of
from streams.story import advice_line, alert_line, date, retrain_line, rollout_line


class Output(StrEnum):
    """What can be followed."""

    ALERTS = "alerts"
    ROLLOUTS = "rollouts"
    RETRAINING = "retraining"
    ADVICE = "advice"
    REVIEW = "review"
    WINDOWS = "windows"


def tail(
    output: Annotated[Output, typer.Argument(help="Which topic.")],
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Start with what is in the log.")
    ] = False,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Stop at the end of the log.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the events as they are.")] = False,
    bootstrap: Bootstrap = None,
    prefix: Prefix = None,
) -> None:
    """Follow alerts, rollouts, requests to retrain, advice, review requests or windows."""
    settings = settings_of(bootstrap=bootstrap, prefix=prefix)
    transport = kafka(settings)
    name = {
        Output.ALERTS: topics.ALERTS,
        Output.ROLLOUTS: topics.ROLLOUTS,
        Output.RETRAINING: topics.RETRAINING,
        Output.ADVICE: topics.ADVICE,
        Output.REVIEW: topics.REVIEW,
        Output.WINDOWS: topics.WINDOWS,
    }
    follower = transport.tail(
        [settings.topic(name[output])], from_beginning=from_beginning or until_end
    )
    try:
        while True:
            for record in follower.poll(max_records=500, timeout_ms=200):
                value = record.value or b""
                line = value.decode() if as_json else _line(output, value)
                if line is not None:
                    console.print(line, markup=not as_json, soft_wrap=True)
            if until_end and follower.at_end():
                return
    except KeyboardInterrupt:
        return
    finally:
        follower.close()
        transport.close()


def _line(output: Output, value: bytes) -> str | None:
    match output:
        case Output.ALERTS:
            return alert_line(Alert.model_validate_json(value))
        case Output.ROLLOUTS:
            event = RolloutEvent.model_validate_json(value)
            return (
                rollout_line(event)
                or f"[dim]{date(event.decided_at_ms)}  {escape(event.summary)}[/]"
            )
        case Output.RETRAINING:
            return retrain_line(RetrainRequest.model_validate_json(value))
        case Output.ADVICE:
            return advice_line(Advice.model_validate_json(value))
        case Output.REVIEW:
            asked = ReviewRequest.model_validate_json(value)
            return f"{date(asked.time_ms)}  {escape(_asked(asked))}"
        case Output.WINDOWS:
            window = WindowResult.model_validate_json(value)
            stream = " ".join(
                x for x in (window.model, window.version, window.arm, window.segment) if x
            )
            return (
                f"{date(window.start_ms)}  {escape(stream)}  {window.predictions:,} predictions, "
                f"{window.coverage.share:.0%} labelled, {window.verdict.value}"
            )


def _asked(asked: ReviewRequest) -> str:
    score = "" if asked.score is None else f", score {asked.score:.3g}"
    return (
        f"{asked.model} {asked.version}  review {asked.prediction_id}: {asked.reason.value}"
        f"{score}, stands for {asked.weight:.4g} of {asked.stratum}"
    )

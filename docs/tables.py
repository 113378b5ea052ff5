"""The tables in these pages that say what the code says: policy keys, topics, settings, metrics.

``python -m docs.tables --write`` puts them between their marks; ``--check`` compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

from docs import panes
from schemas import arrow, generated, topics
from schemas.policy import Policy
from streams.runtime.catalogue import CATALOGUE
from streams.runtime.settings import Settings

FOLDER = Path(__file__).parent
Json: TypeAlias = Mapping[str, object]


class Key(NamedTuple):
    """A key of a policy, such as ``labels.horizon``."""

    name: str
    kind: str
    default: str


POLICY_KEYS = {
    "model": "Name of the model, as in its events.",
    "task": "Kind of answer.",
    "pane": "Resolution in event time, at least `1s`.",
    "window": "What results and tests speak of; a multiple of `pane`. Left out: one pane.",
    "lateness": "How far a prediction may be behind its partition's latest and be on time.",
    "labels.horizon": "How long a prediction waits for its label.",
    "labels.maturity": "Age at which a window is judged, from its end; at most `labels.horizon`.",
    "labels.coverage": "Share of labels a cohort needs then; else the verdict is `cannot_tell`.",
    "labels.lateness": "How far feedback may be behind its partition's latest and be on time.",
    "labels.positive": "Label that counts as 1 in a binary task. Left out: `1`, `true` or `yes`.",
    "labels.scale": "Size of a large error in regression; errors are divided by it.",
    "labels.sources": "Sources of feedback whose reversals of labels are counted apart.",
    "labels.propensity": "`true` weighs labels by the inverse of their `propensity`.",
    "join.sample": "Share of predictions that wait for a label, by a hash of the id; above 0.",
    "dedupe.horizon": "How long a repeated id is known of predictions that do not wait.",
    "features.NAME.type": "How values are compared.",
    "features.NAME.min": "Lowest value in range; numeric only.",
    "features.NAME.max": "Highest value in range; numeric only.",
    "features.NAME.categories": "Values in range; categorical only.",
    "features.NAME.missing": "Highest acceptable rate of missing values.",
    "features.NAME.out_of_range": "Highest acceptable rate of values out of range.",
    "features.NAME.drift": "`false` leaves it out of drift tests, as for a clock or an id.",
    "features.NAME.max_mean": "Highest acceptable mean; needs `min` and `max`.",
    "features.NAME.min_mean": "Lowest acceptable mean; needs `min` and `max`.",
    "segments": "Keys of a prediction's `segments` to slice by, one at a time.",
    "max_segments": "How many segments share half of the false-alarm budget; more share one.",
    "max_combinations": "New combinations of version, arm and segments kept apart in 30 days.",
    "max_versions": "New versions in 30 days; rows of more are refused. Deployed ones always fit.",
    "budgets.error_rate": "Highest acceptable error rate.",
    "budgets.brier": "Highest acceptable Brier score.",
    "budgets.mae": "Highest acceptable mean absolute error, in units of `labels.scale`.",
    "budgets.interval_miss_rate": "Highest acceptable rate of intervals that miss the truth.",
    "budgets.service_errors": "Highest acceptable rate of predictions with `error`.",
    "budgets.latency.limit_ms": "A prediction that takes longer is slow, in ms.",
    "budgets.latency.rate": "Highest acceptable rate of slow predictions.",
    "budgets.positive_rate": "Highest acceptable share of positive answers.",
    "budgets.zero_results": "Highest acceptable rate of empty lists; ranking only.",
    "budgets.out_of_domain": "Highest acceptable share of rows beyond all the reference knows.",
    "budgets.disagreements": "Highest acceptable share of reviewed labels that the review changes.",
    "budgets.flips": "Highest acceptable share of labels that are reversed later.",
    "budgets.from_reference.absolute": "Where no budget is stated: tolerated beyond the reference,",
    "budgets.from_reference.relative": "or this part of its level, if that is more.",
    "budgets.from_reference.off": "`true` sets no budget from the reference.",
    "floors.ndcg": "Lowest acceptable NDCG.",
    "floors.mrr": "Lowest acceptable mean reciprocal rank.",
    "floors.recall": "Lowest acceptable recall.",
    "floors.precision": "Lowest acceptable precision.",
    "floors.positive_rate": "Lowest acceptable share of positive answers.",
    "floors.label_rate": "Lowest acceptable share of labels at maturity.",
    "floors.f1": "Lowest acceptable F1; the test is asymptotic.",
    "floors.auc": "Lowest acceptable AUC; the test is asymptotic.",
    "seasonal": "Metrics whose budget follows the hour of the week, as in the reference.",
    "drift.features": "Smallest total variation distance of a feature that matters.",
    "drift.score": "The same for the score.",
    "drift.decay": "Weight of the past in the drift test after one more window.",
    "calibration.tolerance": "Largest acceptable gap between score and outcome.",
    "fairness.groups": "Keys of a prediction's `groups` to compare with the largest group.",
    "fairness.selection_ratio": "Lowest acceptable ratio of selection rates.",
    "fairness.tpr_gap": "Largest acceptable gap of true positive rates.",
    "fairness.fpr_gap": "Largest acceptable gap of false positive rates.",
    "patterns.constant": "Part of all other answers that may become the most common one.",
    "patterns.repeats": "`true` counts repeated inputs.",
    "opinions": "Detectors of river that may give a second opinion.",
    "dependence.rows_per_unit": "Most rows of one user in a window; evidence is divided by it.",
    "dependence.estimated": "`true` divides it by the reference's dispersion, if that is larger.",
    "false_alarms.pages": "False alarms expected, at most, over all tests of the model.",
    "false_alarms.per": "The period for which `pages` is stated.",
    "false_alarms.weights.NAME": "Weight of a metric in the budget; 0 leaves it untested.",
    "canary.guardrails[].metric": "What the canary may not make worse.",
    "canary.guardrails[].margin": "By how much it may.",
    "canary.alpha_rollback": "Most chance to roll back a canary within all margins.",
    "canary.alpha_promote": "Most chance to advise the promotion of one outside of a margin.",
    "canary.alpha_share": "Most chance to find fault with a traffic split that is as planned.",
    "canary.min_events": "Events of the canary before a promotion is advised.",
    "canary.min_duration": "Age of the rollout before a promotion is advised.",
    "canary.watch_for": "Deadline; an undecided rollout then expires as inconclusive.",
    "plan.kind": "`staged` goes from share to share; `ab` promotes only what is better.",
    "plan.shadow": "`true` begins with a shadow, which must have passed.",
    "plan.shares": "Shares of the traffic, rising; one for `ab`. Left out: one canary, then all.",
    "plan.preconditions": "What must hold before a step is advised.",
    "plan.hyper_care.duration": "How long a version that took over is in hyper-care.",
    "plan.hyper_care.tighten": "Levels are drawn in by this share of themselves meanwhile.",
    "plan.hyper_care.reserve": "Share of the false-alarm budget that is kept for it.",
    "plan.watch_after": "How long a promoted version is compared with its predecessor.",
    "rollback.risk": "Who approves a rollback: nobody, one person or two.",
    "rollback.quorum": "So many people instead.",
    "rollback.approve_within": "How long an advice waits for approval, and for what forbids it.",
    "rollback.expiry": "How long a request may be acted on.",
    "rollback.cool_down": "Time from a rollback until the next may be requested.",
    "rollback.max_per_day": "Most rollbacks in 24 hours.",
    "rollback.healthy_within": "The target must have served well so recently.",
    "rollback.verify_within": "The metric must come back so soon after its windows are due.",
    "review.uncertain": "Share of uncertain answers that people review; needs a score.",
    "review.low": "An answer is uncertain from this score on (multiclass: from 0 on),",
    "review.high": "to this one.",
    "review.flagged": "Share of flagged answers that people review; needs a score.",
    "review.flag": "An answer is flagged from this score on.",
    "review.audit": "Share of all other answers that people review.",
    "review.disputed": "Share of reversed labels that people review.",
    "alerting.pending": "Windows that an alarm waits for before it fires.",
    "alerting.clear": "How much better than its level a metric must be for an alert to end.",
    "alerting.flap": "An alert that comes again so soon is the same incident.",
    "alerting.recurring": "An alert that opened so often",
    "alerting.memory": "in this time is recurring.",
    "alerting.persistent_after": "An alert that is open for so long is persistent.",
    "alerting.no_traffic": "Time without a prediction that is an alert. Left out: three windows.",
    "alerting.no_labels": "Matured windows without enough labels that are an alert; 0 never.",
    "alerting.repeat": "What nobody confirmed is said again after this time,",
    "alerting.give_up": "until this one.",
    "retraining.on_drift": "`false` asks for no retraining on drift that does harm.",
    "retraining.every": "A retraining is asked for so often,",
    "retraining.labels": "and once so many labels are new,",
    "retraining.debounce": "but not again within this time, unless by a person.",
    "retraining.history": "Age of the oldest data that a request names.",
    "fallback.use": "What services are told to use while a page of these is open:",
    "fallback.metrics": "metrics, of all predictions of the baseline.",
    "overload.lag": "INGEST may shed when so far behind; above `0s`. Left out: it never does.",
    "owner": "Who acts; copied into every alert.",
    "runbook": "Where to read on; copied into every alert.",
    "dashboard": "Where to look; copied into every alert.",
}
"""What each key means, in the order of the table."""

SETTINGS = {
    "bootstrap": "Kafka's `host:port`, several separated by commas.",
    "prefix": "In front of every topic, group and transactional id.",
    "shards": "Partitions of `predictions` and `feedback`, so the most INGEST workers.",
    "models": "Partitions of the topics keyed by model, so the most DECIDE workers.",
    "data": "Where the join stores live.",
    "worker": "Name of this process among its kind; unique, and kept over restarts.",
    "metrics_host": "Address that serves `/metrics`.",
    "metrics_port": "Its port; 0 picks a free one.",
    "checkpoint_ms": "INGEST commits when this has passed and there is something to commit,",
    "checkpoint_records": "or when it has read so many records.",
    "checkpoint_bytes": "or so many bytes of them,",
    "held_bytes": "or once what the rows add up to takes so many bytes of memory.",
    "store_cache_bytes": "What the join stores of a process keep in memory of what they read,",
    "store_buffer_bytes": "and of what they have not written to disk yet.",
    "poll_records": "Most records taken at once,",
    "poll_bytes": "and most bytes, as far as records are like those before.",
    "poll_ms": "Longest wait for them.",
    "idle_ms": "A shard read to its end for so long is idle and holds up no window.",
    "skew_ms": "How far an event's time may lie after the broker's.",
}
"""What each setting means, in the order of the table."""


def policy_keys() -> Iterator[Key]:
    """Every key that a policy can have, from its JSON Schema."""
    root: Json = Policy.model_json_schema()
    yield from _keys(root, root, "")


def _keys(root: Json, node: Json, prefix: str) -> Iterator[Key]:
    required = cast(list[str], node.get("required", []))
    for name, given in cast(Mapping[str, Json], node["properties"]).items():
        shape = _shape(root, given)
        place = prefix + name
        if "properties" in shape:
            yield from _keys(root, shape, f"{place}.")
        elif isinstance(values := shape.get("additionalProperties"), Mapping):
            value = _shape(root, values)
            if "properties" in value:
                yield from _keys(root, value, f"{place}.NAME.")
            else:
                yield Key(f"{place}.NAME", _kind(root, value), "")
        elif "properties" in (item := _shape(root, cast(Json, shape.get("items", {})))):
            yield from _keys(root, item, f"{place}[].")
        else:
            default = "required" if name in required else _default(given.get("default"))
            yield Key(place, _kind(root, shape), default)


def _shape(root: Json, node: Json) -> Json:
    """A schema without references and without its null."""
    if "anyOf" in node:
        choices = [n for n in cast(list[Json], node["anyOf"]) if n.get("type") != "null"]
        return _shape(root, choices[0]) if len(choices) == 1 else {"type": "scalar"}
    if "$ref" in node:
        name = str(node["$ref"]).rpartition("/")[2]
        return cast(Mapping[str, Json], root["$defs"])[name]
    return node


def _kind(root: Json, shape: Json) -> str:
    if "enum" in shape:
        return " \\| ".join(f"`{value}`" for value in cast(list[str], shape["enum"]))
    pattern = str(shape.get("pattern", ""))
    if "ms|s|m|h|d" in pattern:
        return "duration"
    if pattern.startswith("^(") and pattern.endswith(")$"):
        return " \\| ".join(f"`{value}`" for value in pattern[2:-2].split("|"))
    if shape.get("type") == "array":
        return f"list of {_kind(root, _shape(root, cast(Json, shape['items'])))}"
    if shape.get("exclusiveMinimum") == 0 and shape.get("exclusiveMaximum") == 1:
        return "rate"
    return {"string": "text", "boolean": "true or false"}.get(
        str(shape["type"]), str(shape["type"])
    )


def _default(value: object) -> str:
    return (
        "" if value in (None, "", []) else f"`{value if isinstance(value, str) else _yaml(value)}`"
    )


def _yaml(value: object) -> str:
    return json.dumps(value)


def policy_table() -> str:
    """Keys, kinds and defaults of a policy."""
    return table(
        ("key", "kind", "default", "meaning"),
        [
            (f"`{key.name}`", key.kind, key.default, POLICY_KEYS[key.name])
            for key in sorted(policy_keys(), key=lambda key: list(POLICY_KEYS).index(key.name))
        ],
    )


def topic_table() -> str:
    """Every topic with its key, its events and how long it keeps them."""
    rows = []
    for spec in topics.table():
        days = "for ever" if spec.retention_ms is None else f"{spec.retention_ms / 86.4e6:g} days"
        kept = "last of each key" if spec.compacted else days
        rows.append((f"`{spec.name}`", str(spec.partitions), spec.key, spec.event, kept))
    return table(("topic", "partitions", "key", "event", "kept"), rows)


def settings_table() -> str:
    """Every setting with its environment variable and default."""
    rows = []
    for name in SETTINGS:
        default = str(Settings.model_fields[name].default)
        rows.append((f"`KITTIWAKE_{name.upper()}`", f"`{default}`" * bool(default), SETTINGS[name]))
    return table(("variable", "default", "meaning"), rows)


def metrics_table() -> str:
    """Every metric of the catalogue."""
    rows = [
        (f"`{metric.name}`", metric.kind.value, ", ".join(metric.labels), metric.help)
        for metric in CATALOGUE
    ]
    return table(("metric", "kind", "labels", "meaning"), rows)


def column_table() -> str:
    """Every column of predictions in Arrow."""
    rows = [
        (
            f"`{name}`" if name in arrow.COLUMNS else f"`{name}.KEY`",
            f"`{'.'.join(column.path)}`",
            column.kind.value + (" (needed)" if column.needed else ""),
        )
        for name, column in (arrow.COLUMNS | arrow.FAMILIES).items()
    ]
    return table(("column", "field", "holds"), rows)


def pane_table() -> str:
    """What a pane takes."""
    return table(("entries for", "number", "in segments"), list(panes.rows()))


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def between(text: str, name: str, table: str) -> str:
    """The text with a table between the marks of that name.

    Raises
    ------
    ValueError
        If a mark is not there exactly once.
    """
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->\n"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"the marks of {name!r} must stand in the page once each")
    before, _, rest = text.partition(begin)
    return before + begin + table + end + rest.partition(end)[2]


def files() -> dict[Path, str]:
    """Text of each page with tables, by its path."""
    policy, operations = FOLDER / "policy.md", FOLDER / "operations.md"
    columns = FOLDER / "arrow.md"
    text = operations.read_text(encoding="utf-8")
    tables = {
        "topics": topic_table(),
        "settings": settings_table(),
        "metrics": metrics_table(),
        "panes": pane_table(),
    }
    for name, table in tables.items():
        text = between(text, name, table)
    return {
        policy: between(policy.read_text(encoding="utf-8"), "policy", policy_table()),
        operations: text,
        columns: between(columns.read_text(encoding="utf-8"), "columns", column_table()),
    }


if __name__ == "__main__":
    sys.exit(generated.main(files(), sys.argv[1:], module="docs.tables"))

"""A stream of panes, told as a timeline: ``at(10).push(n=200, errors=9)``, ``clock(20)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from detectors.inputs import add_features
from detectors.outcomes import calibration
from detectors.summary import CellBuilder, Ints, scatter, sparse
from schemas.alerts import Alert, AlertAction
from schemas.deployments import DeploymentAction, DeploymentEvent
from schemas.policy import Activation, Policy, PolicyRecord, Task
from schemas.reference import NumericReference, ReferenceProfile
from schemas.summaries import Mark, PaneDelta, Part, SummaryBatch
from streams.control import Control
from streams.decide.outputs import Outputs
from streams.decide.pipeline import Decide
from streams.decide.subject import Subject, subject_of

MINUTE = 60_000


def reference() -> ReferenceProfile:
    """One numeric feature, uniform on [0, 1), with ten bins of 1,000."""
    uniform = NumericReference(
        n=10_000,
        missing=0,
        mean=0.5,
        sd=0.29,
        min=0.0,
        max=1.0,
        edges=[i / 10 for i in range(1, 10)],
        counts=[1_000] * 10,
    )
    return ReferenceProfile(model="m", n=10_000, numeric={"x": uniform})


@dataclass
class World:
    """Control records and a source of batches, of one model ``m`` with panes of one minute."""

    policy: Policy
    profile: ReferenceProfile | None = None
    shards: int = 1
    control: Control = field(default_factory=Control)
    sequence: int = 0

    def __post_init__(self) -> None:
        self.whole = self.subject("")
        self.segment = self.subject("k=v")
        record = PolicyRecord(hash=self.policy.hash, policy=self.policy)
        hash_ = self.profile.hash if self.profile else None
        start = Activation(
            model="m", policy=self.policy.hash, reference=hash_, effective_at_ms=-10 * MINUTE
        )
        self.control.apply("policies", record.model_dump_json().encode())
        self.control.apply("policies", start.model_dump_json().encode())
        if self.profile:
            self.control.apply("references", self.profile.model_dump_json().encode())

    def subject(self, segment: str) -> Subject:
        """What the policy means for a stream."""
        hash_ = self.profile.hash if self.profile else ""
        return subject_of(self.policy, self.profile, whole=segment == "", reference_hash=hash_)

    def deploy(self, minute: float, version: str, action: DeploymentAction, **more: object) -> None:
        """A deployment event."""
        event = DeploymentEvent.model_validate(
            {
                "model": "m",
                "version": version,
                "time": int(minute * MINUTE),
                "action": action,
                **more,
            },
            strict=False,
        )
        self.control.apply("deployments", event.model_dump_json().encode())

    def deltas(
        self,
        minute: int,
        *,
        n: int = 0,
        errors: int = 0,
        labelled: int | None = None,
        slow: int = 0,
        failed: int = 0,
        missing: int = 0,
        strays: int = 0,
        values: Sequence[float] = (),
        version: str = "v1",
        arm: str = "baseline",
        segment: str = "",
        late: bool = False,
    ) -> list[PaneDelta]:
        """What a pane with ``n`` predictions says; ``labelled`` of them (all) have their label.

        Scores are 0.9 for a positive answer; ``errors`` labels say otherwise.
        """
        labelled = n if labelled is None else labelled
        subject = self.segment if segment else self.whole
        vectors = {
            Part.LATE_INPUT if late else Part.INPUT: inputs(
                subject, n, slow=slow, failed=failed, missing=missing, strays=strays, values=values
            ),
            Part.LATE_LABEL if late else Part.LABEL: labels(subject, labelled, errors),
        }
        return [
            self.delta(minute, part, vector, version=version, arm=arm, segment=segment)
            for part, vector in vectors.items()
            if vector.any()
        ]

    def delta(
        self,
        minute: int,
        part: Part,
        vector: Ints,
        *,
        version: str = "v1",
        arm: str = "baseline",
        segment: str = "",
    ) -> PaneDelta:
        """One delta."""
        index, amounts = sparse(vector)
        return PaneDelta(
            model="m",
            version=version,
            arm=arm,
            segment=segment,
            policy=self.policy.hash,
            reference=self.profile.hash if self.profile else "",
            start_ms=minute * MINUTE,
            part=part,
            index=index,
            values=amounts,
        )

    def batch(
        self,
        panes: Sequence[PaneDelta] = (),
        *,
        predictions: float | None = None,
        labels: float | None = None,
        shard: int = 0,
        idle: bool = False,
        sequence: int | None = None,
    ) -> SummaryBatch:
        """A batch whose mark stands at some minutes."""
        self.sequence += 1
        number = self.sequence if sequence is None else sequence
        mark = Mark(
            shard=shard,
            shards=self.shards,
            predictions_ms=None if predictions is None else int(predictions * MINUTE),
            labels_ms=None if labels is None else int(labels * MINUTE),
            idle=idle,
        )
        return SummaryBatch(
            shard=shard,
            epoch=0,
            sequence=number,
            panes=list(panes),
            mark=mark,
            offsets={"predictions": number},
        )

    def decide(self) -> Decide:
        """A fresh DECIDE."""
        return Decide(self.control, partition=0)

    def story(self) -> Story:
        """A fresh DECIDE with a timeline."""
        return Story(self, self.decide())


@dataclass
class Story:
    """Panes pushed at a minute, and clocks moved; what is said adds up in ``said``."""

    world: World
    decide: Decide
    said: Outputs = field(default_factory=Outputs)
    minute: int = 0
    marks: Mapping[str, float] = field(default_factory=dict)

    @property
    def turns(self) -> list[Alert]:
        """What tests said: alerts that opened, changed with their evidence, or ended."""
        return [one for one in self.said.alerts if one.action is not AlertAction.UPDATED]

    def at(self, minute: int) -> Story:
        """The minute of what is pushed next."""
        self.minute = minute
        return self

    def push(self, **rows: object) -> Story:
        """A pane; the options are those of `World.deltas`."""
        panes = self.world.deltas(self.minute, **rows)
        self.decide.apply(self.world.batch(panes, **self.marks))
        return self

    def clock(self, predictions: float, labels: float | None = None) -> Outputs:
        """Move the watermarks (labels with predictions, if not told) and see what is said."""
        self.marks = {
            "predictions": predictions,
            "labels": predictions if labels is None else labels,
        }
        self.decide.apply(self.world.batch(**self.marks))
        return self.advance()

    def advance(self) -> Outputs:
        """What is said now."""
        out = self.decide.advance()
        self.said.windows.extend(out.windows)
        self.said.alerts.extend(out.alerts)
        self.said.rollouts.extend(out.rollouts)
        self.said.retraining.extend(out.retraining)
        self.said.advice.extend(out.advice)
        self.said.audit.extend(out.audit)
        self.said.again.extend(out.again)
        return out


def inputs(
    subject: Subject,
    n: int,
    *,
    slow: int = 0,
    failed: int = 0,
    missing: int = 0,
    strays: int = 0,
    values: Sequence[float] = (),
) -> Ints:
    """Vector of an input pane."""
    layout = subject.inputs
    build = CellBuilder(layout)
    if subject.whole and values:
        column = [None] * missing + list(values)
        add_features(build, layout, subject.features, [column for _ in subject.features])
    vector = total(build, n + len(values) + missing, layout.size)
    for name, value in (
        ("n", n),
        ("n_error", failed),
        ("n_stray", strays),
        ("latency_n", n),
        ("latency_over", slow),
    ):
        vector[layout.slices[name]] += value
    return vector


def labels(subject: Subject, n: int, errors: int) -> Ints:
    """Vector of a label pane of a binary task: all scores 0.9, ``errors`` labels of 0."""
    layout = subject.labels
    truth = np.ones(n)
    truth[:errors] = 0.0
    return label_vector(subject, np.full(n, 0.9), truth) if n else layout.zeros()


def label_vector(subject: Subject, scores: np.ndarray, truth: np.ndarray) -> Ints:
    """Vector of a label pane of a binary task, decisions at 0.5."""
    layout = subject.labels
    build = CellBuilder(layout)
    rows = np.arange(scores.size)
    decision = scores >= 0.5
    build.ones("n", rows)
    build.ones("err", rows[decision != (truth > 0.5)])
    calibration.add(build, rows, scores, truth)
    return total(build, scores.size, layout.size)


def total(build: CellBuilder, n_rows: int, size: int) -> Ints:
    """Sum of all rows."""
    everything, plus = np.zeros(n_rows, np.int64), np.ones(n_rows, np.int64)
    return scatter(build.build(), everything, plus, 1, size)[0]


def make_policy(**changes: object) -> Policy:
    """Panes of a minute, labels mature after ten, budgets of ten per cent."""
    content: dict[str, object] = {
        "model": "m",
        "task": Task.BINARY,
        "pane": "1m",
        "lateness": "1m",
        "labels": {"horizon": "1h", "maturity": "10m", "coverage": 0.8, "lateness": "1m"},
        "budgets": {"error_rate": 0.1},
        "calibration": {"tolerance": 0.5},
        "false_alarms": {"pages": 1.0, "per": "1d"},
        **changes,
    }
    return Policy.model_validate(content, strict=False)


@pytest.fixture
def world():
    """Builds worlds from changes of the policy."""

    def build(
        *, profile: bool | ReferenceProfile = False, shards: int = 1, **changes: object
    ) -> World:
        known = (reference() if profile else None) if isinstance(profile, bool) else profile
        return World(make_policy(**changes), known, shards)

    return build


def input_vector(
    subject: Subject,
    n: int,
    columns: Mapping[str, Sequence[object]] | None = None,
    counts: Mapping[str, Sequence[int] | np.ndarray] | None = None,
) -> Ints:
    """Vector of an input pane of ``n`` rows: columns of features, and fields as they are."""
    layout = subject.inputs
    build = CellBuilder(layout)
    build.ones("n", np.arange(n))
    if columns:
        named = [columns[one.name] for one in subject.features]
        add_features(build, layout, subject.features, named)
    vector = total(build, n, layout.size)
    for name, values in (counts or {}).items():
        vector[layout.slices[name]] += np.asarray(values, np.int64)
    return vector


@pytest.fixture
def input_sums():
    """Builds input vectors from columns of features and from counts."""
    return input_vector


@pytest.fixture
def label_sums():
    """Builds label vectors from scores and truths."""
    return label_vector

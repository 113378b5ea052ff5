"""What a policy and a reference mean for a pane: its layouts, looked up by hash once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from detectors.estimation.score_map import ScoreMap
from detectors.inputs import Feature, features_of, input_layout
from detectors.outcomes import layout, outcome_of
from detectors.summary import Layout
from schemas.errors import Retriable
from schemas.policy import Policy
from schemas.reference import ReferenceProfile
from schemas.summaries import Part
from streams.control import Control
from streams.decide.keys import slice_of
from streams.decide.levels import Level, levels_of
from streams.durations import Durations

SEGMENTS = 1 << 16
"""So many segments, each under its policy and reference, have their subject remembered."""


@dataclass(frozen=True, eq=False)
class Subject(Durations):
    """A policy and a reference with all that follows from them.

    ``inputs`` and ``labels`` are the layouts of a pane; ``features`` is empty in a segment,
    whose panes keep none. ``levels`` are what its metrics may not cross. ``group`` is the key of a
    segment that is compared with the largest group, "" in any other stream.
    """

    policy: Policy
    policy_hash: str
    reference: ReferenceProfile | None
    reference_hash: str
    whole: bool
    inputs: Layout
    labels: Layout
    features: tuple[Feature, ...]
    levels: tuple[Level, ...]
    group: str = ""

    def layout(self, part: Part) -> Layout:
        """Layout of a part of a pane."""
        return self.labels if part in (Part.LABEL, Part.LATE_LABEL) else self.inputs

    @cached_property
    def decision_map(self) -> ScoreMap | None:
        """Share of positives by decision and tenth of the score; None where windows cannot be
        estimated by it. A segment has none: its share may always have been another."""
        known = None if self.reference is None else self.reference.labelled
        if known is None or "prob_n" not in self.inputs or "cal_n1" not in self.labels:
            return None
        n, pos, n1, tp = known.prob_n, known.prob_pos, known.decided, known.hits
        if n is None or pos is None or n1 is None or tp is None:
            return None
        return ScoreMap.learn(n, pos, n1=n1, tp=tp)

    @cached_property
    def rank_map(self) -> ScoreMap | None:
        """Share of positives by score bin of the reference, in the streams of `decision_map`."""
        known = None if self.reference is None else self.reference.labelled
        if self.decision_map is None or known is None:
            return None
        same = len(known.n) == len(self.inputs.counts(self.inputs.zeros(), "score"))
        return ScoreMap.learn(known.n, known.positives) if same else None

    @property
    def work(self) -> int:
        """How much work the result of a window is: a feature takes half as long as all the rest."""
        return 2 + len(self.features)

    @cached_property
    def held_ms(self) -> int:
        """How long after its end a window is kept: while labels are waited for, and one window
        more for what is on its way."""
        return self.kept_ms + self.window_ms

    @cached_property
    def input_delay_ms(self) -> int:
        """How long after its end a window's predictions are complete."""
        return self.lateness_ms

    @cached_property
    def label_delay_ms(self) -> int:
        """How long after its end a window's labels are mature and complete."""
        return self.maturity_ms + max(self.lateness_ms, self.label_lateness_ms)


def subject_of(
    policy: Policy,
    reference: ReferenceProfile | None,
    *,
    whole: bool,
    reference_hash: str = "",
    key: str = "",
) -> Subject:
    """The subject of a policy and a reference; ``key`` is that of a segment's ``key=value``.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> "rated" in subject_of(Policy(model="m", task=Task.CHAT), None, whole=True).labels
    True
    """
    return Subject(
        policy=policy,
        policy_hash=policy.hash,
        reference=reference,
        reference_hash=reference_hash,
        whole=whole,
        inputs=input_layout(policy, reference, whole=whole),
        labels=layout(outcome_of(policy, reference), policy),
        features=features_of(policy, reference) if whole else (),
        levels=tuple(levels_of(policy, reference, whole=whole)),
        group=key if key in policy.fairness.groups else "",
    )


class Subjects:
    """Subjects by the hashes that panes carry."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._known: dict[tuple[str, str, bool, str], Subject] = {}
        self._segments: dict[tuple[str, str, str], Subject] = {}

    def of(self, policy: str, reference: str, *, whole: bool, key: str = "") -> Subject:
        """The subject of two hashes; the reference "" stands for none, ``key`` is a segment's.

        Raises
        ------
        Retriable
            A hash that the control topics have not named yet.
        """
        kind = (policy, reference, whole, key)
        if kind not in self._known:
            self._known[kind] = self._build(*kind)
        return self._known[kind]

    def of_segment(self, segment: str, policy: str, reference: str) -> Subject:
        """The same of a segment ``key=value``, or of the stream of all (segment "").

        Raises
        ------
        Retriable
            As `of`.
        """
        kind = (segment, policy, reference)
        known = self._segments.get(kind)
        if known is None:
            known = self.of(policy, reference, whole=segment == "", key=slice_of(segment))
            if len(self._segments) >= SEGMENTS:
                self._segments.clear()
            self._segments[kind] = known
        return known

    def _build(self, policy: str, reference: str, whole: bool, key: str) -> Subject:
        rules = self._control.policy(policy)
        profile = self._control.reference(reference) if reference else None
        if rules is None or (reference and profile is None):
            missing = f"policy {policy}" if rules is None else f"reference {reference}"
            raise Retriable(
                f"{missing} is named by a pane but was not read yet; "
                "read the control topics to their end and apply the batch again"
            )
        return subject_of(rules, profile, whole=whole, reference_hash=reference, key=key)

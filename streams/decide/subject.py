"""What a policy and a reference mean for a pane: its layouts, looked up by hash once."""

from __future__ import annotations

from dataclasses import dataclass

from detectors.inputs import Feature, features_of, input_layout
from detectors.outcomes import layout, outcome_of
from detectors.summary import Layout
from schemas.errors import Retriable
from schemas.policy import Policy
from schemas.reference import ReferenceProfile
from schemas.summaries import Part
from streams.control import Control
from streams.decide.levels import Level, levels_of


@dataclass(frozen=True, eq=False)
class Subject:
    """A policy and a reference with all that follows from them.

    ``inputs`` and ``labels`` are the layouts of a pane; ``features`` is empty in a segment,
    whose panes keep none. ``levels`` are what its metrics may not cross.
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

    def layout(self, part: Part) -> Layout:
        """Layout of a part of a pane."""
        return self.labels if part in (Part.LABEL, Part.LATE_LABEL) else self.inputs

    @property
    def input_delay_ms(self) -> int:
        """How long after its end a window's predictions are complete."""
        return self.policy.lateness_ms

    @property
    def label_delay_ms(self) -> int:
        """How long after its end a window's labels are mature and complete."""
        policy = self.policy
        return policy.maturity_ms + max(policy.lateness_ms, policy.label_lateness_ms)


def subject_of(
    policy: Policy, reference: ReferenceProfile | None, *, whole: bool, reference_hash: str = ""
) -> Subject:
    """The subject of a policy and a reference.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> subject_of(Policy(model="m", task=Task.CHAT), None, whole=True).labels.size
    15
    """
    return Subject(
        policy=policy,
        policy_hash=policy.hash,
        reference=reference,
        reference_hash=reference_hash,
        whole=whole,
        inputs=input_layout(policy, reference, whole=whole),
        labels=layout(outcome_of(policy)),
        features=features_of(policy, reference) if whole else (),
        levels=tuple(levels_of(policy, reference, whole=whole)),
    )


class Subjects:
    """Subjects by the hashes that panes carry."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._known: dict[tuple[str, str, bool], Subject] = {}

    def of(self, policy: str, reference: str, *, whole: bool) -> Subject:
        """The subject of two hashes; the reference "" stands for none.

        Raises
        ------
        Retriable
            A hash that the control topics have not named yet.
        """
        key = (policy, reference, whole)
        if key not in self._known:
            self._known[key] = self._build(policy, reference, whole)
        return self._known[key]

    def _build(self, policy: str, reference: str, whole: bool) -> Subject:
        rules = self._control.policy(policy)
        profile = self._control.reference(reference) if reference else None
        if rules is None or (reference and profile is None):
            missing = f"policy {policy}" if rules is None else f"reference {reference}"
            raise Retriable(
                f"{missing} is named by a pane but was not read yet; "
                "read the control topics to their end and apply the batch again"
            )
        return subject_of(rules, profile, whole=whole, reference_hash=reference)

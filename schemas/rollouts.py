"""RolloutEvent: what the evidence says about a canary or a shadow."""

from __future__ import annotations

from enum import StrEnum

from schemas.base import Message
from schemas.predictions import Arm


class RolloutAction(StrEnum):
    """What is said of the rollout.

    A rollout is blocked, which is told once, when harm shows but inputs or labels are broken: it
    holds until they are mended. A shadow serves nobody: it may go on as a canary, or stop, and both
    are advice. A rollback is advised by the evidence, approved by the policy or people, requested
    of executors, applied or failed by one, and verified once the metric came back, or escalated to
    people if it did not.
    Instead of being requested it may be refused by an interlock, rejected by a person, expire, or
    be withdrawn with its evidence.
    """

    HOLD = "hold"
    BLOCKED = "blocked"
    STEP_ADVISED = "step.advised"
    PROMOTION_ADVISED = "promotion.advised"
    CANARY_ADVISED = "canary.advised"
    STOP_ADVISED = "stop.advised"
    EXPIRED = "expired"
    REVIEWED = "reviewed"
    ROLLBACK_ADVISED = "rollback.advised"
    ROLLBACK_APPROVED = "rollback.approved"
    ROLLBACK_REQUESTED = "rollback.requested"
    ROLLBACK_REFUSED = "rollback.refused"
    ROLLBACK_REJECTED = "rollback.rejected"
    ROLLBACK_EXPIRED = "rollback.expired"
    ROLLBACK_APPLIED = "rollback.applied"
    ROLLBACK_FAILED = "rollback.failed"
    ROLLBACK_VERIFIED = "rollback.verified"
    ROLLBACK_ESCALATED = "rollback.escalated"
    ROLLBACK_WITHDRAWN = "rollback.withdrawn"


FOR_MACHINES = frozenset({RolloutAction.HOLD, RolloutAction.ROLLBACK_APPROVED})
"""What nobody is told of, and nobody confirms."""


class Blame(StrEnum):
    """What the evidence says is at fault; only a version is rolled back."""

    VERSION = "version"
    INPUTS = "inputs"
    LABELS = "labels"
    UNKNOWN = "unknown"


class Benefit(Message):
    """By how much a metric is expected to fall if the version is rolled back, with its 95 %
    interval, valid at any time."""

    metric: str
    value: float | None
    low: float | None
    high: float | None


class ReleaseReview(Message):
    """What was expected of a rollout, what happened, what was decided and how long it took.

    ``expected`` and ``happened`` are sentences; ``decisions`` name each event in order with its
    time. Delays are from the start of the rollout to the first decision, and from a request to
    its acknowledgement, in milliseconds.
    """

    outcome: str
    started_at_ms: int
    ended_at_ms: int
    expected: list[str]
    happened: list[str]
    decisions: list[str]
    decision_delay_ms: int | None
    execution_delay_ms: int | None


class GuardrailEvidence(Message):
    """What is known of one guardrail.

    Of a shadow, ``n_canary`` and ``n_baseline`` are the pairs, and ``mean_canary`` is its own.
    ``difference`` is canary minus baseline, with an anytime-valid interval ``low`` to ``high``.
    ``log_e_harm`` is evidence that it exceeds ``margin``, ``log_e_benefit`` that it does not.
    """

    metric: str
    margin: float
    n_canary: int
    n_baseline: int
    mean_canary: float | None
    mean_baseline: float | None
    difference: float | None
    low: float | None
    high: float | None
    log_e_harm: float
    log_e_benefit: float
    threshold_harm: float
    threshold_benefit: float


class RolloutEvent(Message):
    """A decision, or a non-decision, about a canary, or about a shadow, which ``arm`` says.

    ``idempotency_key`` is the same for every repetition of one request; an executor acts on a
    key once, before ``expires_at_ms``, and only while the deployment's generation is
    ``generation``. ``assumption`` says what
    the guarantee rests on.

    ``rollback_id`` is the same for all that is said of one rollback; ``target_version`` is what it
    goes back to, ``benefit`` what that is expected to bring, ``blame`` what the evidence holds
    responsible. ``approvals`` are the people who consented, ``blocked_by`` the interlocks or
    preconditions that forbid, ``evidence`` the ids of windows' alerts and events that it rests on.
    ``next_share`` is the share of the next step of the plan.
    """

    id: str
    rollout_id: str
    action: RolloutAction
    model: str
    canary: str
    baseline: str
    target_version: str | None
    generation: int
    reason: str
    summary: str
    assumption: str
    guardrails: list[GuardrailEvidence]
    log_e_share: float
    share_ok: bool
    window_start_ms: int
    window_end_ms: int
    decided_at_ms: int
    expires_at_ms: int | None
    idempotency_key: str
    policy: str
    cut: dict[str, int]
    arm: Arm = Arm.CANARY
    rollback_id: str = ""
    blame: Blame = Blame.VERSION
    benefit: list[Benefit] = []
    approvals: list[str] = []
    blocked_by: list[str] = []
    evidence: list[str] = []
    next_share: float | None = None
    review: ReleaseReview | None = None

"""RolloutEvent: what the evidence says about a canary or a shadow."""

from __future__ import annotations

from enum import StrEnum

from schemas.base import Message
from schemas.predictions import Arm


class RolloutAction(StrEnum):
    """What is said of the rollout.

    A shadow serves nobody: it may go on as a canary, or stop, and both are advice.
    """

    HOLD = "hold"
    PROMOTION_ADVISED = "promotion.advised"
    ROLLBACK_ADVISED = "rollback.advised"
    ROLLBACK_REQUESTED = "rollback.requested"
    CANARY_ADVISED = "canary.advised"
    STOP_ADVISED = "stop.advised"
    EXPIRED = "expired"


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

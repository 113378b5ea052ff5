"""Promote, hold or roll back a canary, at any look, with both error rates stated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self, TypedDict

from detectors.arrays import ArrayLike, FloatArray
from detectors.sequential.e_process import EProcess, log_threshold
from schemas.errors import ConfigurationError


class Verdict(StrEnum):
    """What to do with the canary. Hold means that it cannot be told yet."""

    PROMOTE = "promote"
    HOLD = "hold"
    ROLLBACK = "rollback"


class Reason(StrEnum):
    """Why."""

    HARM = "harm"
    NOT_INFERIOR = "not_inferior"
    INCONCLUSIVE = "inconclusive"
    SAMPLE_RATIO = "sample_ratio_mismatch"
    TOO_FEW = "too_few_events"
    TOO_EARLY = "too_early"


class GuardrailState(TypedDict):
    """What a guardrail remembers between windows."""

    harm: list[float]
    benefit: list[float]


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with its reason.

    Parameters
    ----------
    verdict, reason
        What and why.
    guardrails
        Names that caused it: those with proven harm for a rollback, those not yet proven for
        "inconclusive", all of them for a promotion.
    """

    verdict: Verdict
    reason: Reason
    guardrails: tuple[str, ...] = ()


class Guardrail:
    """One metric of a rollout: evidence of harm, and evidence of no harm, beyond a margin.

    Both e-processes share one margin, but where a version has to be better to be promoted: there
    the margin of benefit is 0. Feed them the increments of `detectors.bets.two_sample`
    or `detectors.bets.paired`, sides "harm" and "benefit". Evidence that once crossed its
    threshold stays.

    Parameters
    ----------
    name
        Name of the metric.
    weights
        Of the bets in both mixtures, as in `EProcess`.

    Examples
    --------
    >>> from detectors.bets.two_sample import increments_binary
    >>> rail = Guardrail("error_rate")
    >>> sums = {"n_c": 500, "k_c": 60, "n_b": 2_000, "k_b": 100, "b0": 0.05, "d": 0.01}
    >>> rail.update(
    ...     harm=increments_binary(**sums, side="harm"),
    ...     benefit=increments_binary(**sums, side="benefit"),
    ... )
    >>> rail.harm.crossed(0.05), rail.benefit.crossed(0.05)
    (True, False)
    """

    def __init__(self, name: str, weights: FloatArray | None = None) -> None:
        self.name = name
        self.harm = EProcess(weights=weights)
        self.benefit = EProcess(weights=weights)

    def update(self, *, harm: ArrayLike, benefit: ArrayLike) -> None:
        """Add the increments of one window, each of shape (K,)."""
        self.harm.update(harm)
        self.benefit.update(benefit)

    def state(self) -> GuardrailState:
        """Everything `restore` needs beside the name."""
        return {"harm": self.harm.state(), "benefit": self.benefit.state()}

    @classmethod
    def restore(cls, name: str, state: GuardrailState, weights: FloatArray | None = None) -> Self:
        """Continue from a `state`, with the weights of before."""
        rail = cls(name)
        rail.harm = EProcess.restore(state["harm"], weights)
        rail.benefit = EProcess.restore(state["benefit"], weights)
        return rail


def decide(
    guardrails: Sequence[Guardrail],
    *,
    alpha_rollback: float,
    alpha_promote: float,
    weights: Mapping[str, float] | None = None,
    srm_ok: bool,
    n_canary: int,
    n_min: int,
    elapsed_ms: int,
    min_elapsed_ms: int,
    previous: Decision | None = None,
) -> Decision:
    """Decide from the evidence so far; the first promote or rollback stays.

    While every guardrail is within its margin, a rollback ever happens with chance at most
    `alpha_rollback`. While some guardrail is at or beyond its margin, a promotion ever happens
    with chance at most `alpha_promote`. At a tie the rollback wins. Time alone never decides.

    Parameters
    ----------
    guardrails
        At least one.
    alpha_rollback, alpha_promote
        Levels of the two errors.
    weights
        Each guardrail's share of `alpha_rollback`, by name, sum at most 1; None for equal shares.
    srm_ok
        Whether the split of the traffic is as planned; if not, nothing is promoted.
    n_canary, n_min
        Events of the canary, and how many are wanted before a promotion.
    elapsed_ms, min_elapsed_ms
        Age of the rollout in event time, and how old it should be before a promotion.
    previous
        The decision of the look before, None at the first look.

    Raises
    ------
    ConfigurationError
        No guardrails, or weights that do not fit them.

    Examples
    --------
    >>> decide(
    ...     [Guardrail("error_rate")], alpha_rollback=0.05, alpha_promote=0.05, srm_ok=True,
    ...     n_canary=500, n_min=200, elapsed_ms=3_600_000, min_elapsed_ms=0,
    ... )
    Decision(verdict=<Verdict.HOLD: 'hold'>, reason=<Reason.INCONCLUSIVE: 'inconclusive'>, \
guardrails=('error_rate',))
    """
    shares = _shares(guardrails, weights)
    if previous is not None and previous.verdict is not Verdict.HOLD:
        return previous
    harmed = tuple(
        rail.name
        for rail in guardrails
        if rail.harm.highest_log_e >= log_threshold(alpha_rollback) - math.log(shares[rail.name])
    )
    if harmed:
        return Decision(Verdict.ROLLBACK, Reason.HARM, harmed)
    unproven = tuple(rail.name for rail in guardrails if not rail.benefit.crossed(alpha_promote))
    if unproven:
        return Decision(Verdict.HOLD, Reason.INCONCLUSIVE, unproven)
    names = tuple(rail.name for rail in guardrails)
    if not srm_ok:
        return Decision(Verdict.HOLD, Reason.SAMPLE_RATIO, names)
    if n_canary < n_min:
        return Decision(Verdict.HOLD, Reason.TOO_FEW, names)
    if elapsed_ms < min_elapsed_ms:
        return Decision(Verdict.HOLD, Reason.TOO_EARLY, names)
    return Decision(Verdict.PROMOTE, Reason.NOT_INFERIOR, names)


def _shares(
    guardrails: Sequence[Guardrail], weights: Mapping[str, float] | None
) -> dict[str, float]:
    """Each guardrail's share of the rollback error, found sound."""
    names = [rail.name for rail in guardrails]
    if not names or len(set(names)) < len(names):
        raise ConfigurationError(
            f"guardrails are {names}; a rollout needs at least one, each with its own name"
        )
    if weights is None:
        return dict.fromkeys(names, 1.0 / len(names))
    sound = set(weights) == set(names) and all(share > 0.0 for share in weights.values())
    if not sound or math.fsum(weights.values()) > 1.0 + 1e-9:
        raise ConfigurationError(
            f"weights are {dict(weights)} for guardrails {names}; give each a share above 0, "
            "with a sum of at most 1"
        )
    return dict(weights)

"""Have embeddings moved further from the reference than tolerated? TV-witness on projections."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec
import numpy as np

from detectors.drift.closeness import closeness
from detectors.drift.witness import WitnessState, WitnessTest, reference_slack
from detectors.sequential.e_sr import BudgetedESR
from schemas.alerts import Severity
from schemas.ids import content_id
from schemas.reference import EmbeddingProfile
from schemas.summaries import Part
from streams.decide.detect.contract import ALPHA_RECOVERY, Evidence, Reading, Recovery, Step
from streams.decide.detect.recovery import clear_of
from streams.decide.measure.embeddings import DRIFT, embeddings, metric, pairs_of
from streams.decide.subject import Subject

_memory = msgspec.msgpack.Decoder(list[WitnessState])


@dataclass(frozen=True)
class EmbeddingTest:
    """Alarm when a projection or the length is further than ``eps`` from its reference.

    Sixteen projections and the length share one bet in equal parts: the wealth is the mean of
    theirs, so one share of the budget covers all of them. The alert is over once each of them is
    shown to be within what a bet tolerates: ``eps``, and the sampling error of the reference.

    Parameters
    ----------
    feature
        Name of the embedding.
    eps
        Smallest distance of one of them that matters.
    decay
        Weight of the past after one more window.
    """

    feature: str
    eps: float
    decay: float
    detector: str = "tv-witness"
    metric: str = DRIFT
    part: Part = Part.INPUT
    severity: Severity = Severity.TICKET

    def question(self, subject: Subject) -> str:
        """The distance, what it is measured from, and what evidence is divided by."""
        known = _known(subject, self.feature)
        reference = None if known is None else known.model_dump(mode="json")
        rows = subject.policy.dependence.rows_per_unit
        return content_id(self.metric, self.feature, self.eps, self.decay, rows, reference)

    def read(self, seen: Evidence) -> Reading:
        """The largest of the distances in this window, with its interval."""
        shown = metric(seen.subject, seen.vector, self.feature)
        if shown is None:
            return Reading(0, None, None, None, self.eps)
        return Reading(shown.n, shown.value, shown.low, shown.high, self.eps)

    def bet(self, memory: bytes, seen: Evidence, *, share: float) -> Step | None:
        """Bet on each histogram that the bins that grew before hold more than they may."""
        pairs = pairs_of(seen.subject, seen.vector, self.feature)
        if not pairs:
            return None
        tests = [WitnessTest(reference, self.eps, self.decay) for _, reference in pairs]
        if memory:
            states = _memory.decode(memory)
            tests = [test.resume(state) for test, state in zip(tests, states, strict=True)]
        for test, (counts, _) in zip(tests, pairs, strict=True):
            test.update(counts, share=share)
        made = any(not math.isnan(test.bound) for test in tests)
        after = msgspec.msgpack.encode([test.state() for test in tests])
        log_m = _mean([test.log_m for test in tests])
        log_e = log_m if math.isfinite(log_m) else 0.0
        return Step(after, made and log_m >= 0.0, log_e, share if made else 0.0)

    def recover(self, memory: bytes, recovery: list[float], seen: Evidence) -> Recovery | None:
        """Pool windows until all histograms are shown to be near; proof of distance starts anew."""
        pairs = pairs_of(seen.subject, seen.vector, self.feature)
        if not pairs:
            return None
        look = int(recovery[0]) + 1 if recovery else 1
        flat = np.concatenate([counts for counts, _ in pairs]) + np.array(recovery[1:] or [0.0])
        pools = np.split(flat, np.cumsum([counts.size for counts, _ in pairs])[:-1])
        eps = clear_of(self.eps, seen.subject.policy.alerting.clear, worse="above")
        found = [
            closeness(
                pool,
                reference,
                eps=eps + reference_slack(reference),
                look=look,
                alpha=ALPHA_RECOVERY,
            )
            for pool, (_, reference) in zip(pools, pairs, strict=True)
            if float(pool.sum()) > 0.0
        ]
        anew = any(one.far for one in found)
        return Recovery(
            memory=[float(look)] if anew else [float(look), *flat.tolist()],
            over=len(found) == len(pairs) and all(one.near for one in found),
            log_e=min(one.log_e for one in found),
        )

    def log_wealth(self, memory: bytes) -> float:
        """Logarithm of the evidence in a memory; minus infinity of none."""
        states = _memory.decode(memory) if memory else []
        return _mean([BudgetedESR.restore(state["wealth"]).log_m for state in states])


def _mean(log_m: list[float]) -> float:
    """Logarithm of the mean of wealths; minus infinity of none."""
    if not log_m:
        return -math.inf
    return float(np.logaddexp.reduce(log_m)) - math.log(len(log_m))


def _known(subject: Subject, name: str) -> EmbeddingProfile | None:
    return None if subject.reference is None else subject.reference.embeddings.get(name)


def embedding_tests(subject: Subject) -> list[EmbeddingTest]:
    """The tests of a stream on the embeddings that its reference knows."""
    drift = subject.policy.drift
    return [EmbeddingTest(name, drift.features, drift.decay) for name in embeddings(subject)]

"""Shadows: answers that did not serve, kept beside the answer that did until its label is known.

A shadow names that answer in ``pair_id``. Its label is that of the answer, and counts in the
shadow's stream, in the pane of the answer: then both have the same cohort and the same maturity.
"""

from __future__ import annotations

import msgspec

from schemas.summaries import Part
from streams.ingest.join.label_changes import LabelChange, Labels, changes_of
from streams.ingest.join.label_state import NO_LABEL, LabelState
from streams.ingest.plan import Plan
from streams.ingest.store.pending import Pending

MOST = 64
"""Most shadows of one answer."""


class Shadow(msgspec.Struct, array_like=True, gc=False):
    """One answer of a shadow, as packed as a pending prediction.

    ``until_ms`` is when it lapses; ``met_ms`` is the time of the answer it has met, None before.
    """

    id: str
    on_time: bool
    route: int
    time_ms: int
    until_ms: int
    tail: bytes
    met_ms: int | None = None


class Shadows(msgspec.Struct, array_like=True):
    """All shadows of one answer, kept until the watermarks pass ``until_ms``."""

    until_ms: int
    entries: list[Shadow]


_decoder = msgspec.msgpack.Decoder(Shadows)


def pack_shadows(shadows: Shadows) -> bytes:
    """Bytes of the shadows of one answer."""
    return msgspec.msgpack.encode(shadows)


def unpack_shadows(value: bytes) -> Shadows:
    """The shadows of their bytes.

    Examples
    --------
    >>> known = Shadows(9, [Shadow("s1", True, 0, 5, 9, b"t")])
    >>> unpack_shadows(pack_shadows(known)) == known
    True
    """
    return _decoder.decode(value)


def shadow_changes(
    shadow: Shadow,
    served: Pending,
    plan: Plan,
    before: Labels,
    after: Labels,
    *,
    paired: bool,
) -> list[LabelChange]:
    """What the label panes of a shadow gain and lose when the served answer's label changes.

    Tests see the label if the shadow was there by the time the cohort is judged. ``paired`` says
    whether both answers are to be compared.
    """
    if not plan.shares_truth:
        return []
    matures = shadow.on_time and (
        shadow.time_ms <= plan.window_end(served.time_ms) + plan.maturity_ms
    )
    like = Pending(shadow.on_time, shadow.route, served.time_ms, shadow.tail)
    old, new = (_seen(labels, matures=matures) for labels in (before, after))
    return changes_of(like, plan, old, new, served=served.tail if paired and plan.pairs else b"")


def _seen(labels: Labels, *, matures: bool) -> Labels:
    """Labels as a shadow has them: without a history, for that is told of the answer."""
    mature, final = (_plain(label) for label in labels)
    return Labels(mature if matures else NO_LABEL, final)


def _plain(label: LabelState) -> LabelState:
    return LabelState(label.truth, label.time_ms, chance=label.chance)


def met_part(shadow: Shadow, served: Pending, plan: Plan) -> Part:
    """Which part of the shadow's input pane counts that its answer has come."""
    on_time = shadow.on_time and served.on_time
    inside = served.time_ms < plan.window_end(shadow.time_ms)
    return Part.INPUT if on_time and inside else Part.LATE_INPUT

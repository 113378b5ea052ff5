"""Budgets and floors: the highest and the lowest acceptable level of each metric."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from schemas.base import Message, Rate

Positive = Annotated[float, Field(gt=0)]


class LatencyBudget(Message):
    """At most ``rate`` of the predictions may take longer than ``limit_ms``."""

    limit_ms: Positive
    rate: Rate = 0.01


class FromReference(Message):
    """Budgets of metrics that the policy leaves out, where the reference has their outcomes.

    The budget is the upper 99 % bound of the reference's level, and the larger of ``absolute``
    and ``relative`` of that level more; a floor is the mirror image. ``off`` leaves them out.
    """

    absolute: Annotated[float, Field(ge=0, lt=1)] = 0.01
    relative: Annotated[float, Field(ge=0, lt=10)] = 0.1
    off: bool = False


class Budgets(Message):
    """Highest acceptable level of each metric.

    A metric without one is judged against the reference, or shown and not tested where the
    reference does not know it. ``mae`` is in units of ``labels.scale``. ``disagreements`` is
    the share of reviewed labels that the reviewer changed, ``flips`` that of all labels that were
    reversed later.
    """

    error_rate: Rate | None = None
    brier: Rate | None = None
    mae: Annotated[float, Field(gt=0, lt=3)] | None = None
    interval_miss_rate: Rate | None = None
    service_errors: Rate | None = None
    latency: LatencyBudget | None = None
    positive_rate: Rate | None = None
    zero_results: Rate | None = None
    out_of_domain: Rate | None = None
    disagreements: Rate | None = None
    flips: Rate | None = None
    from_reference: FromReference = FromReference()


class Floors(Message):
    """Lowest acceptable level of each metric.

    ``label_rate`` is the share of predictions that have their label at maturity. ``f1`` and
    ``auc`` are tested with an asymptotic confidence sequence, and their alerts say so.
    """

    ndcg: Rate | None = None
    mrr: Rate | None = None
    recall: Rate | None = None
    precision: Rate | None = None
    positive_rate: Rate | None = None
    label_rate: Rate | None = None
    f1: Rate | None = None
    auc: Rate | None = None

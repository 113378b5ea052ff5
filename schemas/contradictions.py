"""What a policy may not say, though each of its values is one that a policy may have.

Asked where a policy comes in, not by `Policy` itself: one that is in the log already still holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.policy import Policy

Contradiction = tuple[tuple[str, ...], str]
"""The key to change, step by step, and what is wrong with it and how to mend it."""


def contradictions(policy: Policy) -> Iterator[Contradiction]:
    """Everything in a policy that cannot be meant.

    Examples
    --------
    >>> from schemas.policy import Labels, Task
    >>> policy = Policy(model="m", task=Task.BINARY, labels=Labels(horizon="2d"))
    >>> for key, message in contradictions(policy):
    ...     print(key, message)
    ('labels', 'horizon') labels.maturity is 7d (the default), longer than labels.horizon, 2d: no \
label is taken after the horizon; set labels.maturity to at most 2d
    """
    labels = policy.labels
    if policy.maturity_ms > policy.horizon_ms:
        stated = "maturity" in labels.model_fields_set
        told = labels.maturity + ("" if stated else " (the default)")
        message = (
            f"labels.maturity is {told}, longer than labels.horizon, {labels.horizon}: no label is "
            f"taken after the horizon; set labels.maturity to at most {labels.horizon}"
        )
        yield ("labels", "maturity" if stated else "horizon"), message
    if policy.overload.lag_ms == 0:
        message = (
            f"overload.lag is {policy.overload.lag}: INGEST would always shed; set it above 0, "
            "such as 10m, or leave it out and nothing is shed"
        )
        yield ("overload", "lag"), message

"""How many rows may be unlike any in the reference, where the policy does not say."""

from __future__ import annotations

from detectors.inputs import features_of, row_fields
from detectors.patterns.out_of_domain import unseen_share
from schemas.policy import Policy
from schemas.reference import ReferenceProfile

DOMAIN = "out_of_domain"


def domain_limit(policy: Policy, reference: ReferenceProfile | None) -> float | None:
    """As many as the size of the reference leaves open (Good and Turing), and what is tolerated.

    None where there is no feature to compare, or where a reference of so few rows and so many
    features leaves everything open.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> from schemas.profiling import build
    >>> policy = Policy(model="m", task=Task.BINARY)
    >>> domain_limit(policy, build("m", {"amount": range(1_000)}))
    0.016
    """
    if reference is None or not compares(policy, reference):
        return None
    expected = unseen_share(reference, domain_dispersion(policy, reference))
    rule = policy.budgets.from_reference
    limit = expected + max(rule.absolute, rule.relative * expected)
    return limit if limit < 1.0 else None


def domain_dispersion(policy: Policy, reference: ReferenceProfile | None) -> float:
    """So many rows are worth one independent row: as for the most dependent feature."""
    rows = float(policy.dependence.rows_per_unit)
    if reference is None or not policy.dependence.estimated:
        return rows
    numeric = [feature.dispersion for feature in reference.numeric.values()]
    return max([rows, *numeric, *(known.dispersion for known in reference.categorical.values())])


def compares(policy: Policy, reference: ReferenceProfile | None) -> bool:
    """Whether panes count rows outside of the reference.

    Examples
    --------
    >>> from schemas.policy import Task
    >>> compares(Policy(model="m", task=Task.BINARY), None)
    False
    """
    fields = row_fields(policy, features_of(policy, reference))
    return "n_outside" in {field.name for field in fields}

"""Label mix: have the labels themselves changed, beyond what the reference explains?"""

from __future__ import annotations

from detectors.arrays import ArrayLike
from detectors.patterns.class_mix import class_share_test
from detectors.sequential.band import BandTest, around


def positive_rate_test(positives: int, labels: int, *, tolerance: float = 0.02) -> BandTest:
    """Two-sided test of the share of positive labels of a yes/no task.

    Feed it one rate: positives among the labels of a matured cohort. Labels by hour of arrival
    would not do: slow labels are not a random sample, and a backlog of them would alarm.

    An alarm says that truth or labelling changed, not which; `detectors.feedback.flips` and the
    score's own drift tell them apart.

    Parameters
    ----------
    positives, labels
        Of the reference, matured alike.
    tolerance
        Change of the share that does not matter, in [0, 1).

    Raises
    ------
    ConfigurationError
        No labels in the reference, or `tolerance` outside [0, 1).

    Examples
    --------
    >>> from detectors.arrays import as_floats
    >>> from detectors.sequential.band import Rates
    >>> test = positive_rate_test(1_000, 20_000)
    >>> cohorts = [Rates(n=as_floats([500]), s=as_floats([s])) for s in (27, 90)]
    >>> [test.update(cohort, share=0.001) for cohort in cohorts]
    [False, True]
    >>> test.leading
    (0, 'above')
    """
    return BandTest(around([positives], [labels], tolerance=tolerance))


def label_share_test(reference: ArrayLike, *, tolerance: float = 0.05) -> BandTest:
    """Two-sided test of the share of every class among the labels; feed it `class_rates`.

    Parameters
    ----------
    reference
        Labels of each class in the reference, matured alike, shape (C,).
    tolerance
        Change of a share that does not matter, in [0, 1).

    Raises
    ------
    ConfigurationError
        Fewer than 2 classes, an empty reference, or `tolerance` outside [0, 1).

    Examples
    --------
    >>> from detectors.patterns.class_mix import class_rates
    >>> test = label_share_test([5_000, 3_000, 2_000])
    >>> [test.update(class_rates(c), share=0.001) for c in ([98, 62, 40], [20, 140, 40])]
    [False, True]
    """
    return class_share_test(reference, tolerance=tolerance)

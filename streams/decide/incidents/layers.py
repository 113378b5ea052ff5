"""Where in the chain of causes a metric lies.

Data is served, keeps its contract, gets its labels, drifts; then the model's scores lose their
meaning, and its answers are wrong. What comes first can explain what follows, never the reverse.
"""

from __future__ import annotations

from schemas.alerts import Layer

ORDER = tuple(Layer)
"""Layers from first cause to last effect."""

_OF = {
    Layer.SERVICE: ("no_traffic", "probe", "strays", "shedding", "service_errors", "latency"),
    Layer.CONTRACT: (
        *("missing_rate", "out_of_range_rate", "out_of_domain", "violation_rate", "unusable_rate"),
        *("mean", "repeats", "capped_segments", "long_segments"),
    ),
    Layer.LABELS: ("no_labels", "label_rate", "flips", "disagreements"),
    Layer.DRIFT: (
        *("tv", "embedding_drift", "drift_list", "positive_rate", "constant_output"),
        *("zero_results",),
    ),
    Layer.MODEL: (
        *("calibration", "class_calibration", "pit", "estimate_gap", "estimated_error_rate"),
        *("opinion", "calibration_gap"),
    ),
}
LAYERS = {metric: layer for layer, metrics in _OF.items() for metric in metrics}
"""Layer of each metric that is no outcome."""


def layer_of(metric: str) -> Layer:
    """Layer of a metric; what is not named is an outcome.

    Examples
    --------
    >>> layer_of("missing_rate").value, layer_of("error_rate").value
    ('contract', 'outcome')
    """
    return LAYERS.get(metric, Layer.OUTCOME)


def rank(layer: Layer) -> int:
    """How early in the chain a layer lies, 0 first.

    Examples
    --------
    >>> rank(Layer.CONTRACT) < rank(Layer.DRIFT) < rank(Layer.OUTCOME)
    True
    """
    return ORDER.index(layer)


FAMILIES = ("service", "quality")
"""Kinds of stories that a model can have at one time."""


def family_of(layer: Layer) -> str:
    """Alerts of one family are one story: whether the service answers, or how well.

    Examples
    --------
    >>> family_of(Layer.SERVICE), family_of(Layer.DRIFT)
    ('service', 'quality')
    """
    return "service" if layer is Layer.SERVICE else "quality"

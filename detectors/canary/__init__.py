"""Canary against baseline: promote, hold or roll back, at any look.

`three_way` decides, `difference` says how large the effect is, `srm` whether the split of the
traffic can be trusted.
"""

from detectors.canary.difference import DifferenceSequence
from detectors.canary.srm import SampleRatio
from detectors.canary.three_way import Decision, Guardrail, Reason, Verdict, decide

__all__ = [
    "Decision",
    "DifferenceSequence",
    "Guardrail",
    "Reason",
    "SampleRatio",
    "Verdict",
    "decide",
]

"""Micro-benchmarks: one stage at a time, as a ratio to a floor in the same run."""

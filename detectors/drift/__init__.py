"""Drift between a window's histogram and a reference histogram.

Every measure takes counts with the bins on the last axis and broadcasts over the axes before
it. Where either side is empty the answer is NaN: it cannot be told.
"""

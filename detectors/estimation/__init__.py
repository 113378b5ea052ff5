"""What can be said before the truth is there, or when only part of it ever comes.

Estimates without labels, how complete late labels are, and weights for labels that were chosen.
"""

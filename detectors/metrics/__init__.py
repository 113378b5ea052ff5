"""Metrics that are no mean of rows: from score-binned or confusion counts, with intervals.

Counts add, so a metric of any span is that of the added counts; a metric of a long span is never
the mean of the metrics of its windows.
"""

"""Incidents: alerts of one story together, graded, silenced, inhibited, acknowledged, repeated."""

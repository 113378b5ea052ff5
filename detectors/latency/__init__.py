"""Latency quantiles from sketches that merge by adding counts."""

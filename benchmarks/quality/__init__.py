"""How well the monitor detects, on real streams with known truth, beside the tools of its field."""

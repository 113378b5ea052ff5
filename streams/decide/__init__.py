"""DECIDE: merges panes, tests, alerts and judges rollouts; `pipeline` has the order."""

"""Rollbacks: `protocol` decides by `interlocks` and a `book`, `run` gives it what is known."""

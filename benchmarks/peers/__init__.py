"""How fast other tools answer the same question about the same events, in one run."""

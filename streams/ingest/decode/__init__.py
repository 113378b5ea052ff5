"""Records to rows: one event, a batch, or columns, and what is none."""

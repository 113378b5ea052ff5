"""What a window shows: one file for each family of metrics, `window` puts them together."""

"""One file for each family of commands; what they do lives elsewhere."""

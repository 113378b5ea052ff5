"""What rows add up to between two checkpoints, and what is shed."""

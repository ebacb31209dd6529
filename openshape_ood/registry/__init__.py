"""The registry of checkpoints: rows, where their files come from, and how their weights are read."""

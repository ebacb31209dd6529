"""The registry of checkpoints: rows, where their files come from, and how their weights are read."""

from openshape_ood.registry.rows import find_checkpoint, list_checkpoints

__all__ = ["find_checkpoint", "list_checkpoints"]

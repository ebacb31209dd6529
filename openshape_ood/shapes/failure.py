"""Shapes that cannot be used; apart from their reading, so that importing it costs nothing."""

from __future__ import annotations

from typing import NamedTuple


class Failure(NamedTuple):
    """A shape that cannot be used, and why."""

    source: str
    error: str

    def __str__(self) -> str:
        return self.error if self.source in self.error else f"{self.source}: {self.error}"

"""Failures of shapes, in a module of its own so that importing it is cheap."""

from __future__ import annotations

from typing import NamedTuple


class Failure(NamedTuple):
    """Shape that cannot be used, with the reason."""

    source: str
    error: str

    def __str__(self) -> str:
        return self.error if self.source in self.error else f"{self.source}: {self.error}"

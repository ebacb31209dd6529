"""Failure: a shape that cannot be used. This module is separate because it is fast to import."""

from __future__ import annotations

from typing import NamedTuple


class Failure(NamedTuple):
    """Shape that cannot be used, with the reason."""

    source: str
    error: str

    def __str__(self) -> str:
        return self.error if self.source in self.error else f"{self.source}: {self.error}"

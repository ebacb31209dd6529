"""CloudSpec, apart from what prepares clouds: the registry reads it without numpy."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CloudSpec:
    """What clouds an encoder was trained on: number of points, gravity axis, gray of uncolored ones."""

    count: int
    up: str
    color: float = field(metadata={"zero": True})

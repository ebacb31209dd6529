"""Form of the clouds that an encoder was trained on."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CloudSpec:
    """Form of the clouds of an encoder's training: point count, gravity axis, gray in [0, 1] of uncolored points.

    fewer: treatment of smaller clouds, "repeat" (points repeat) or "keep" (clouds stay as they are).
    """

    count: int
    up: str
    color: float = field(metadata={"zero": True})
    fewer: str = "repeat"

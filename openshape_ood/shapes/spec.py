"""Form of the clouds that an encoder was trained on."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CloudSpec:
    """Clouds that an encoder was trained on: number of points, gravity axis, gray in [0, 1] of uncolored points.

    fewer: treatment of clouds of fewer points, "repeat" (some points come again) or "keep" (clouds stay as they are).
    """

    count: int
    up: str
    color: float = field(metadata={"zero": True})
    fewer: str = "repeat"

"""CloudSpec: form of the clouds that an encoder takes."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CloudSpec:
    """Form of the clouds that an encoder takes, as in its training.

    Attributes
    ----------
    count : int
        Number of points.
    up : str
        Gravity axis.
    color : float
        Gray value, 0 to 1, for clouds without color.
    fewer : {"repeat", "keep"}
        Clouds with fewer points than `count`: repeat points, or keep the cloud as it is.
    """

    count: int
    up: str
    color: float = field(metadata={"zero": True})
    fewer: str = "repeat"

"""Explanation: a novelty and a class a point, as colors, a region, a file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.localization.colors import class_colors, hex_to_rgb, ramp
from openshape_ood.storage import save_whole


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where a shape of n points and p patches is novel against k known classes.

    points (n, 3|6) float64, in the shape's own frame and units; novelty (n,), 0 to 2, grows with novelty; nearest
    (n,) str: the class each point speaks for; classes (k,) str; usual and limit: what half and 95 % of the patches of
    known shapes stay below, NaN where known by names; patch_centers (p, 3), points of the shape; patch_novelty (p,) and
    patch_nearest (p,) str before they were spread; shape: its name; up: the gravity axis it was read with; by:
    "local", "tokens" or "text"; encoder and checkpoint_hash: what produced it.
    """

    points: np.ndarray
    novelty: np.ndarray
    nearest: np.ndarray
    classes: np.ndarray
    usual: float
    limit: float
    patch_centers: np.ndarray
    patch_novelty: np.ndarray
    patch_nearest: np.ndarray
    shape: str
    up: str
    by: str
    encoder: str
    checkpoint_hash: str

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return f"Explanation({self.shape!r}, {len(self)} points, by {self.by!r} against {', '.join(self.classes)})"

    def bounds(self) -> tuple[float, float]:
        """Where the colors begin and end: what is usual is gray, twice as far beyond it as the limit is dark red.

        The same for all shapes of one bank, so that pictures can be compared. By names there is nothing usual: from
        the least to the most novel point of this shape.
        """
        if np.isfinite(self.limit):
            return self.usual, self.usual + 2 * (self.limit - self.usual)
        return float(self.novelty.min()), float(self.novelty.max())

    def colors(self, by: str = "novelty") -> np.ndarray:
        """A color a point (n, 3) in [0, 1], by "novelty" or by "class"."""
        if by == "novelty":
            return ramp(self.novelty, *self.bounds())
        if by != "class":
            raise InputError(f"by is {by!r}; expected 'novelty' or 'class'")
        palette = class_colors(list(self.classes))
        return np.stack([hex_to_rgb(palette[name]) for name in self.classes])[self._class_index()]

    def region(self, share: float = 0.2) -> np.ndarray:
        """The most novel region (n,) bool: a ball about the most novel point with that share of the points.

        Raises `InputError` for a share outside (0, 1].
        """
        if not isinstance(share, int | float) or not 0 < share <= 1:
            raise InputError(f"share is {share!r}; expected a part of the points, above 0 and at most 1")
        return around(self.points[:, :3], int(self.novelty.argmax()), share)

    def shares(self) -> dict[str, float]:
        """The share of the points that each class is nearest to."""
        return {str(name): float((self.nearest == name).mean()) for name in self.classes}

    def save(self, path: str | os.PathLike[str], by: str = "novelty") -> Path:
        """Write a binary PLY, whole or not at all: x y z, red green blue, novelty, class.

        The class is a number; the header's comments say which. Raises `InputError` for another suffix and `FileError`
        where it cannot be written.
        """
        if Path(path).suffix.lower() != ".ply":
            raise InputError(f"an explanation is saved as a .ply file; given was {os.fspath(path)}")
        rows = np.empty(len(self), dtype=PLY)
        for axis, name in enumerate("xyz"):
            rows[name] = self.points[:, axis]
        for channel, name in enumerate(("red", "green", "blue")):
            rows[name] = np.rint(self.colors(by)[:, channel] * 255)
        rows["novelty"], rows["class"] = self.novelty, self._class_index()
        return save_whole(path, self._header().encode("ascii") + rows.tobytes(), "the explanation")

    def _class_index(self) -> np.ndarray:
        return np.argmax(self.nearest[:, None] == self.classes[None], axis=1)

    def _header(self) -> str:
        # JSON keeps a name on its line, whatever is in it
        words = [f"comment class {i} {json.dumps(str(name))}" for i, name in enumerate(self.classes)]
        low, high = self.bounds()
        words.append(f"comment novelty by {self.by} with {json.dumps(self.encoder)}, colored {low:.6g} to {high:.6g}")
        properties = [f"property {TYPES[PLY[name].str]} {name}" for name in PLY.names or ()]
        lines = ["ply", "format binary_little_endian 1.0", *words, f"element vertex {len(self)}", *properties]
        return "\n".join([*lines, "end_header", ""])


# doubles, for a scan may lie millions of meters from its origin
PLY = np.dtype(
    [(axis, "<f8") for axis in "xyz"]
    + [(channel, "u1") for channel in ("red", "green", "blue")]
    + [("novelty", "<f4"), ("class", "<i4")]
)
TYPES = {"<f8": "double", "<f4": "float", "|u1": "uchar", "<i4": "int"}


def around(points: np.ndarray, place: int, share: float) -> np.ndarray:
    """The share of points (n, 3) that lies nearest the point of index `place`: (n,) bool, at least one."""
    distance = np.linalg.norm(points - points[place], axis=1)
    region = np.zeros(len(points), dtype=bool)
    region[np.argsort(distance, kind="stable")[: max(1, round(share * len(points)))]] = True
    return region

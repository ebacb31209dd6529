"""Defects: connected regions beyond the threshold of a surface's map, with box and area."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.novelty_map.places import in_words
from openshape_ood.surfaces.data import spacing

TOUCHING = np.ones((3, 3))  # diagonal neighbors are connected


@dataclass(frozen=True)
class Defect:
    """One damaged place of a surface.

    Attributes
    ----------
    box : tuple of float
        For pixels (left, top, right, bottom), the last two exclusive; for points minimum and maximum of x, y and z.
    area : float
        In pixels, or in squared units of the cloud, from the density of its points.
    novelty : float
        Mean over the region.
    where : str
        Position of its center in words, such as "top left".
    p_value : float, optional
        P-value among the highest regions of good surfaces, see `novelty_map.Region`.
    """

    box: tuple[float, ...]
    area: float
    novelty: float
    where: str
    p_value: float | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        """Box, area and p-value in one line."""
        p = "" if self.p_value is None else f", p {self.p_value:.2g}"
        if len(self.box) == 4:
            left, top, right, bottom = self.box
            return f"x {left}-{right}, y {top}-{bottom}, {self.area} px{p}"
        spans = (f"{axis} {a:.4g} to {b:.4g}" for axis, a, b in zip("xyz", self.box[:3], self.box[3:], strict=True))
        return f"{', '.join(spans)}, area {self.area:.3g}{p}"


def defects_of(found: NoveltyMap, least: int) -> list[Defect]:
    """Regions beyond the threshold with at least so many pixels or points, largest first."""
    if found.elements.kind == "pixels":
        return _of_pixels(found, least)
    regions = found.regions(least)
    if not regions:
        return []
    area, places = spacing(found.points) ** 2 / 4, found.elements.places  # a square as long holds 4 points
    made = []
    for one in regions:
        low, high = places[one.indices].min(axis=0), places[one.indices].max(axis=0)
        made.append(Defect((*low.tolist(), *high.tolist()), area * len(one), one.novelty, one.where, one.p_value))
    return made


def _of_pixels(found: NoveltyMap, least: int) -> list[Defect]:
    from scipy.ndimage import find_objects, label

    shape = found.elements.shape
    labels, _ = label(found.is_novel.reshape(shape), TOUCHING)
    novelty, made = found.novelty.reshape(shape), []
    for number, box in enumerate(find_objects(labels), 1):
        piece = labels[box] == number
        if (area := int(piece.sum())) < least:
            continue
        (top, bottom), (left, right) = ((side.start, side.stop) for side in box)
        row, column = np.argwhere(piece).mean(axis=0) + [top, left]
        middle = np.array([[(column + 0.5) / shape[1], 1 - (row + 0.5) / shape[0]]])
        places = np.argwhere(piece) + [top, left]
        p_value = found.p_value_of(np.ravel_multi_index(tuple(places.T), shape))
        own = float(novelty[box][piece].mean()), in_words(middle), p_value
        made.append(Defect((left, top, right, bottom), area, *own))
    return sorted(made, key=lambda one: -one.area)

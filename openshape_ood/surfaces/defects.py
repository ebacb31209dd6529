"""Defects: connected regions beyond the threshold of a surface's map, with box and area."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.novelty_map.places import coordinate, in_words
from openshape_ood.surfaces.data import spacing

TOUCHING = np.ones((3, 3))  # diagonal neighbors are connected


@dataclass(frozen=True)
class Defect:
    """One damaged region of a surface.

    Attributes
    ----------
    box : tuple of float
        Pixels: left, top, right, bottom, with right and bottom exclusive. Points: minimum of x, y, z, then maximum.
    area : float
        Images: in pixels. Clouds: in squared units of the cloud, estimated from the density of its points.
    novelty : float
        Mean over the region.
    where : str
        Position of the region's center in words, such as "top left".
    p_value : float, optional
        P-value of the region's novelty, relative to the highest regions of good surfaces. See `novelty_map.Region`.
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
        ends = zip("xyz", map(coordinate, self.box[:3]), map(coordinate, self.box[3:]), strict=True)
        spans = (f"{axis} {low} to {high}" for axis, low, high in ends)
        return f"{', '.join(spans)}, area {self.area:.3g}{p}"


def defects_of(scored: NoveltyMap, least: int) -> list[Defect]:
    """Regions beyond the threshold with at least `least` pixels or points, largest first."""
    if scored.elements.kind == "pixels":
        return _of_pixels(scored, least)
    regions = scored.regions(least)
    if not regions:
        return []
    area = spacing(scored.points) ** 2 / 4  # a square with the side `spacing` holds 4 points
    places = scored.elements.places
    made = []
    for one in regions:
        low, high = places[one.indices].min(axis=0), places[one.indices].max(axis=0)
        made.append(Defect((*low.tolist(), *high.tolist()), area * len(one), one.novelty, one.where, one.p_value))
    return made


def _of_pixels(scored: NoveltyMap, least: int) -> list[Defect]:
    from scipy.ndimage import find_objects, label

    shape = scored.elements.shape
    labels, _ = label(scored.is_novel.reshape(shape), TOUCHING)
    novelty, made = scored.novelty.reshape(shape), []
    for number, box in enumerate(find_objects(labels), 1):
        piece = labels[box] == number
        if (area := int(piece.sum())) < least:
            continue
        (top, bottom), (left, right) = ((side.start, side.stop) for side in box)
        row, column = np.argwhere(piece).mean(axis=0) + [top, left]
        middle = np.array([[(column + 0.5) / shape[1], 1 - (row + 0.5) / shape[0]]])
        places = np.argwhere(piece) + [top, left]
        p_value = scored.p_value_of(np.ravel_multi_index(tuple(places.T), shape))
        details = float(novelty[box][piece].mean()), in_words(middle), p_value
        made.append(Defect((left, top, right, bottom), area, *details))
    return sorted(made, key=lambda one: -one.area)

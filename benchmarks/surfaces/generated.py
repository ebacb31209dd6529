"""Generated roads: from clouds to rasters, novelty maps, and figures of pixels and points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.surfaces.measure import Places, image_figures, place_figures
from openshape_ood.decisions.metrics import image_regions
from openshape_ood.encoders.protocols import Patches
from openshape_ood.encoders.shape_encoder import ShapeEncoder
from openshape_ood.shapes.points import in_frame
from openshape_ood.surfaces import Raster, Rasterizer, Reconstructor
from openshape_ood.surfaces.tokens import Tokens
from openshape_ood.synthetic.roads import CELL, DAMAGES, RELIEF, RoadScan, road_scan

CHANNELS = ("height", "intensity", "normal")
RASTERIZER = Rasterizer(cell=CELL, tile=32, channels=CHANNELS, height=RELIEF)
STREAM = 10_000  # road seeds per data seed


@dataclass(frozen=True, eq=False)
class Roads:
    """Scans and rasters of s roads; all their t tiles.

    tiles: (t, c, h, w); mask: (t, h, w); owner: index of the scan of each tile (t,).
    """

    scans: list[RoadScan]
    rasters: list[Raster]

    @property
    def tiles(self) -> np.ndarray:
        return np.concatenate([raster.tiles for raster in self.rasters])

    @property
    def mask(self) -> np.ndarray:
        return np.concatenate([raster.mask for raster in self.rasters])

    @property
    def owner(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.rasters)), [len(raster) for raster in self.rasters])


@dataclass(frozen=True, eq=False)
class Judged:
    """Results of one reconstructor on test scans.

    score: (s,); maps: (t, h, w), empty for a reconstructor of clouds; points: novelty of the points of each scan.
    """

    score: np.ndarray
    maps: np.ndarray
    points: list[np.ndarray]


def sound_roads(count: int, seed: int, *, tested: bool = False, uneven: bool = False) -> Roads:
    """Roads without damage; training and test roads have different seeds."""
    first = STREAM * seed + (STREAM // 4 if tested else 0)
    return rasters([road_scan(first + i, uneven=uneven) for i in range(count)])


def damaged_roads(count: int, seed: int, severity: float, *, uneven: bool = False) -> Roads:
    """Roads with one damage each. The kinds of damage alternate."""
    first = STREAM * seed + STREAM // 2
    how: dict[str, Any] = {"severity": severity, "uneven": uneven}
    return rasters([road_scan(first + i, DAMAGES[i % len(DAMAGES)], **how) for i in range(count)])


def joined(*parts: Roads) -> Roads:
    return Roads([s for part in parts for s in part.scans], [r for part in parts for r in part.rasters])


def rasters(scans: Sequence[RoadScan]) -> Roads:
    """Rasterize the scans, with tiles along the scanner's heading."""
    made = [replace(RASTERIZER, along=scan.heading.tolist()).rasterize(scan.points, scan.intensity) for scan in scans]
    return Roads(list(scans), made)


def judge(reconstructor: Reconstructor, test: Roads) -> Judged:
    """Novelty of scans (by their worst tile), pixels and points by a reconstructor of rasters."""
    maps, owner = reconstructor.novelty(test.tiles, test.mask), test.owner
    score = worst(np.nan_to_num(reconstructor.pooled(maps), nan=-np.inf), test)
    points = [raster.to_points(maps[owner == i]) for i, raster in enumerate(test.rasters)]
    return Judged(score, maps, points)


def worst(scores: np.ndarray, test: Roads) -> np.ndarray:
    """Largest score (s,) of the tiles of each scan, from scores (t,) of all tiles."""
    largest = np.full(len(test.scans), -np.inf)
    np.maximum.at(largest, test.owner, scores)
    return largest


def seen_by(encoder: ShapeEncoder, scans: Sequence[RoadScan]) -> tuple[Patches, list[np.ndarray]]:
    """Patches of roads, and the points (n, 3) of each road in the frame of the patches, with x along the road."""
    clouds = [np.column_stack([*from_above(scan).T, scan.points[:, 2] - scan.points[:, 2].mean()]) for scan in scans]
    spec = encoder.spec
    places = [in_frame(cloud, spec, up="z", seed=0) for cloud in clouds]
    return encoder.encode_patches(clouds, up="z"), places


def judge_tokens(reconstructor: Tokens, encoder: ShapeEncoder, test: Roads) -> Judged:
    """Novelty of scans and points by a reconstructor of the encoder's patches."""
    patches, places = seen_by(encoder, test.scans)
    one_by_one = [
        patches._replace(features=patches.features[[i]], centers=patches.centers[[i]]) for i in range(len(places))
    ]
    maps = [reconstructor.localize(one, points=points) for one, points in zip(one_by_one, places, strict=True)]
    return Judged(reconstructor.score(patches), np.empty(0), [one.novelty for one in maps])


def from_above(scan: RoadScan) -> np.ndarray:
    """Positions (n, 2) along and across the road, in meters."""
    along = scan.heading[:2] / np.linalg.norm(scan.heading[:2])
    flat = scan.points[:, :2] - scan.points[:, :2].mean(axis=0)
    return np.column_stack([flat @ along, flat @ [-along[1], along[0]]])


def figures(judged: Judged, test: Roads, threshold: float, draws: int) -> dict:
    """Image, pixel and point figures with intervals, and the fraction of points outside every tile.

    Only pixels with points count; pixels of overlapping tiles count separately. Points outside every tile get the
    lowest novelty.
    """
    bad = np.array([scan.damaged.any() for scan in test.scans])
    pixels = place_figures(pixel_places(judged, test, threshold), draws) if judged.maps.size else {}
    points = place_figures(point_places(judged, test, threshold), draws)
    unseen = np.mean(np.isnan(np.concatenate(judged.points)))
    both = {f"pixel_{name}": value for name, value in pixels.items()}
    both |= {f"point_{name}": value for name, value in points.items()}
    return {**image_figures(judged.score, bad, draws), **both, "unseen": float(unseen)}


def pixel_places(judged: Judged, test: Roads, threshold: float) -> Places:
    share = np.concatenate([r.to_tiles(s.damaged) for s, r in zip(test.scans, test.rasters, strict=True)])
    regions = image_regions(np.nan_to_num(share) >= 0.5)
    seen = np.isfinite(share) & np.isfinite(judged.maps)
    owner = np.broadcast_to(test.owner[:, None, None], regions.shape)
    return Places(judged.maps[seen].astype(np.float64), regions[seen], owner[seen], threshold)


def point_places(judged: Judged, test: Roads, threshold: float) -> Places:
    novelty = np.concatenate(judged.points)
    least = np.nanmin(novelty)
    owner = np.repeat(np.arange(len(test.scans)), [len(scan.points) for scan in test.scans])
    truth = np.concatenate([scan.truth for scan in test.scans]).astype(np.int64)
    key = np.where(truth > 0, owner * (len(DAMAGES) + 1) + truth, -1)
    regions = np.unique(key, return_inverse=True)[1]  # 0: undamaged points
    return Places(np.nan_to_num(novelty, nan=least), regions, owner, threshold)

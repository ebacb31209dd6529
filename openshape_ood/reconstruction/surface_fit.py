"""How a surface model is fitted: tiles of all that is good, rounds of holding out, thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import InputError
from openshape_ood.reconstruction.base import PIXELS, Reconstructor, checked_tiles, held_out
from openshape_ood.reconstruction.inputs import Source
from openshape_ood.reconstruction.kinds import Kind, Objects, Sheets

LARGEST = 2 << 30  # bytes of tiles that are learned from at once
STRIPS = 10  # along a sheet that is the only one
PARTS = 4  # of an object that is the only one


@dataclass(frozen=True, eq=False)
class Good:
    """Tiles of all that is good.

    Attributes
    ----------
    tiles, mask : ndarray (t, c, h, w), (t, h, w)
    owner : ndarray (t,) of int
        Which image or cloud each is of.
    view : ndarray (t,) of int or None
        Of objects, which view.
    place : ndarray (t,) or None
        Where along a sheet that is the only one, in tiles.
    """

    tiles: np.ndarray
    mask: np.ndarray
    owner: np.ndarray
    view: np.ndarray | None
    place: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Fitted:
    """What `SurfaceModel` keeps of it."""

    reconstructor: Reconstructor
    scale: np.ndarray | None
    threshold: Threshold
    pixel_threshold: Threshold
    baseline: float


def gathered(data: Kind, sources: Sequence[Source], seed: int, progress: bool) -> Good:
    """The tiles of all. Raises `InputError`, naming the file, also where they are more than fit into memory."""
    from tqdm import tqdm

    parts, size = [], 0
    if isinstance(data, Objects) and len(sources) == 1:
        sources = _parts(sources[0], seed)
    for source in tqdm(sources, "reading", disable=not progress):
        parts.append(data.tiles(source))
        size += sum(one.nbytes for one in parts[-1])
        if size > LARGEST:
            raise InputError(
                f"the tiles of {source.name} and those before it are more than {LARGEST >> 30} GiB; fit on fewer or "
                "smaller files, or with larger cells"
            )
    stacked, masks, grids = zip(*parts, strict=True)
    tiles, mask = checked_tiles(np.concatenate(stacked), np.concatenate(masks))
    owner = np.repeat(np.arange(len(parts)), [len(one) for one in stacked])
    place = view = None
    if isinstance(data, Sheets) and len(parts) == 1:
        along = grids[0][:, int(np.ptp(grids[0], axis=0).argmax())]
        place = (along - along.min()) / data.rasterizer.tile
    if isinstance(data, Objects):
        view = np.tile(np.arange(data.rasterizer.count), len(parts))
    kept = mask.any(axis=(1, 2))
    more = (None if one is None else one[kept] for one in (view, place))
    return Good(tiles[kept], mask[kept], owner[kept], *more)


def fitted(unfitted: Reconstructor, good: Good, rounds: int, seed: int, progress: bool, what: str) -> Fitted:
    """Learn from all, and make thresholds of maps of those that were held out, round by round; with one round what is
    learned from is the rest."""
    from tqdm import tqdm

    maps, splits = np.full(good.mask.shape, np.nan, np.float32), _splits(good, rounds, seed)
    for test, train in tqdm(splits, "learning", disable=not progress):
        learned = clone(unfitted).learned(good.tiles[train], good.mask[train], seed)
        maps[test] = learned.novelty(good.tiles[test], good.mask[test])
    if len(splits) > 1:
        learned = clone(unfitted).learned(good.tiles, good.mask, seed)
    tested = np.isfinite(maps).any(axis=(1, 2))
    maps, owner, scale = maps[tested], good.owner[tested], None
    if good.view is not None:
        scale, maps = _scaled(maps, good.view[tested])
    worst = np.full(owner.max() + 1, -np.inf)
    np.maximum.at(worst, owner, learned.pooled(maps))
    pixels = maps[np.isfinite(maps)].astype(np.float64)
    drawn = pixels[np.random.default_rng([seed, 1]).permutation(len(pixels))[:PIXELS]]
    how: dict[str, Any] = {"provenance": learned.provenance(), "few": True}
    return Fitted(
        learned,
        scale,
        Threshold.from_novelty(worst[np.isfinite(worst)], learned.coverage, source=what, **how),
        Threshold.from_novelty(drawn, learned.pixel_coverage, source=f"pixels of {what}", **how),
        float(np.median(pixels)),
    )


def _scaled(maps: np.ndarray, view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is usual at each place of each view (v, h, w), and maps (t, h, w) in units of it, each without its own say.

    Edges are never rebuilt as well as faces; a dent in a face would drown in them. Usual is the largest mean of the
    maps among 3 x 3 places, and the median of all maps. Beside a place that no good object shows, which is an edge,
    it is the largest novelty of all.
    """
    floor, most = float(np.nanmedian(maps)), float(np.nanmax(maps))
    scale = np.empty((view.max() + 1, *maps.shape[1:]), np.float32)
    found = np.empty_like(maps)
    for v in range(len(scale)):
        rows = np.flatnonzero(view == v)
        seen = np.isfinite(maps[rows])
        known = np.where(seen, maps[rows], 0)
        total, count = known.sum(axis=0), seen.sum(axis=0)
        scale[v] = _usual(total, count, floor, most)
        for row, own, there in zip(rows, known, seen, strict=True):
            found[row] = maps[row] / _usual(total - own, count - there, floor, most)
    return scale, found


def _usual(total: np.ndarray, count: np.ndarray, floor: float, most: float) -> np.ndarray:
    from scipy.ndimage import maximum_filter

    return maximum_filter(np.where(count > 0, total / np.maximum(count, 1), most), 3) + floor


def _parts(source: Source, seed: int) -> list[Source]:
    """An object's points, at random in four clouds, as if it had been scanned so often."""
    points = source.cloud()["points"]
    order = np.random.default_rng([seed, 4]).permutation(len(points))
    return [
        Source({"points": points[np.sort(rows)]}, f"part {i + 1} of {source.name}", "cloud")
        for i, rows in enumerate(np.array_split(order, PARTS))
    ]


def _splits(good: Good, rounds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Which tiles (t,) are held out, and which are learned from: no others of a held-out item, none that overlaps a
    held-out strip."""
    owner, place = good.owner, good.place
    if place is None:
        count = len(np.unique(owner))
        if rounds == 1:
            tests = [held_out(owner, seed)]
        else:
            drawn = np.random.default_rng([seed, 3]).permutation(count)
            tests = [np.isin(owner, part) for part in np.array_split(drawn, min(rounds, count))]
        return [(test, ~test) for test in tests]
    strip = np.minimum(place / (place.max() + 1e-9) * STRIPS, STRIPS - 1).astype(int)
    if rounds == 1:
        tests = [held_out(strip, seed)]
    else:
        tests = [np.isin(strip, part) for part in np.array_split(np.arange(STRIPS), min(rounds, STRIPS))]
    tests = [test for test in tests if test.any()]
    found = [(test, np.abs(place[:, None] - place[test]).min(axis=1) >= 1) for test in tests]
    if not all(train.any() for _, train in found):
        raise InputError(
            f"the good cloud is {place.max() + 1:.2g} tiles long, too short to hold out a part of it; give several "
            "clouds, or smaller tiles by size="
        )
    return found

"""Fitting of surface models: tiles of good data, rounds of cross-validation, thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.base import clone

from openshape_ood.decisions.risk import LossCurve, Marks
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.errors import InputError
from openshape_ood.novelty_map.marks import marks_threshold, summary
from openshape_ood.surfaces.data import TIMES, Kind, Sheets
from openshape_ood.surfaces.inputs import Source
from openshape_ood.surfaces.reconstructor import Reconstructor, Training, checked_tiles, drawn_places, held_out

LARGEST = 2 << 30  # maximum bytes of training tiles
STRIPS = 10  # strips of a single sheet, for cross-validation
PARTS = 4  # random parts of a single object
WORST = 0.01  # fraction of most novel points; their mean is the novelty of an object
POINTS = 0.01 / TIMES  # divisor of maps by points: a hundredth of `radius`, in the coordinates of `data.Points`
STATE = "training-{}.safetensors"
LEAST = 1e-3  # minimum usual novelty, so that identical objects cause no division by 0


@dataclass(frozen=True, eq=False)
class Good:
    """Tiles of all good data.

    Attributes
    ----------
    tiles, mask : ndarray (t, c, h, w), (t, h, w)
    owner : ndarray (t,)
        Index of each tile's image or cloud.
    spread : list of callable
        Views of objects: for each cloud a function from the maps of its v views (v, h, w) to the novelty of sampled
        points. Else empty.
    place : ndarray (t,) or None
        Position of each tile along a single sheet, in tiles. None for other data.
    sources : sequence of Source
        Image or cloud of each owner; empty if all owners are parts of one image or cloud.
    every : ndarray (t',) or None
        Owner of each original tile. Tiles without seen pixels were dropped; for these tiles: -1 - owner.
    """

    tiles: np.ndarray
    mask: np.ndarray
    owner: np.ndarray
    spread: list[Callable[[np.ndarray], np.ndarray]]
    place: np.ndarray | None
    sources: Sequence[Source] = ()
    every: np.ndarray | None = None


@dataclass(frozen=True)
class RequestedMarks:
    """Requested guarantee for the marked points or regions. If `rate` is None, no guarantee is requested.

    The fields are as in `Marks`. min_size: minimum number of elements of a region.
    """

    of: Literal["points", "regions"] = "points"
    rate: float | None = None
    largest: float = 1.0
    min_size: float = 1


# fields of a `SurfaceModel` after its data
Learned = tuple[Reconstructor, np.ndarray, Threshold, Threshold, float]
Maps = Mapping[int, np.ndarray]
Marked = Callable[[Maps, Threshold], Threshold]


def gathered(data: Kind, sources: Sequence[Source], seed: int, progress: bool) -> Good:
    """Tiles of all sources. Raises `InputError` with the file's name, also if the tiles exceed the memory limit."""
    from tqdm import tqdm

    parts, size = [], 0
    if data.kind == "objects" and len(sources) == 1:
        sources = _parts(sources[0], seed)
        wholes: Sequence[Source] = ()
    else:
        wholes = sources if len(sources) > 1 else ()
    for source in tqdm(sources, "reading", disable=not progress):
        parts.append(data.tiles(source))
        size += parts[-1].tiles.nbytes + parts[-1].mask.nbytes
        if size > LARGEST:
            raise InputError(
                f"the tiles of all data up to {source.name} exceed {LARGEST >> 30} GiB. Expected fewer tiles. Fit on "
                "fewer or smaller files, or with larger cells."
            )
    tiles, mask = checked_tiles(*(np.concatenate([getattr(one, name) for one in parts]) for name in ("tiles", "mask")))
    owner = np.repeat(np.arange(len(parts)), [len(one.tiles) for one in parts])
    spread = [one.spread for one in parts if one.spread is not None]
    if spread:
        return Good(tiles, mask, owner, spread, None, wholes)
    place, kept = None, mask.any(axis=(1, 2))
    if isinstance(data, Sheets) and len(parts) == 1:
        along = parts[0].grid[:, int(np.ptp(parts[0].grid, axis=0).argmax())]
        place = ((along - along.min()) / data.rasterizer.tile)[kept]
    return Good(tiles[kept], mask[kept], owner[kept], [], place, wholes, np.where(kept, owner, -1 - owner))


def fitted(
    unfitted: Reconstructor,
    good: Good,
    rounds: int,
    seed: int,
    progress: bool,
    what: str,
    folder: Path | None = None,
    marked: Marked | None = None,
) -> Learned:
    """Fit on all data. The thresholds are from held-out data of each round of cross-validation.

    With one round, the model is not fitted on the held-out data.

    Parameters
    ----------
    what : str
        Source of the thresholds in words, such as "20 good sheets".
    folder : Path, optional
        Folder for the states of trainings, see `state_files`.
    marked : callable, optional
        Function that returns the threshold of maps. Its arguments are the held-out maps (t, h, w) of each item, and
        the threshold without a guarantee.
    """
    from tqdm import tqdm

    maps, splits = np.full(good.mask.shape, np.nan, np.float32), _splits(good, rounds, seed)
    for i, (test, train) in enumerate(tqdm(splits, "learning", disable=not progress), 1):
        learned = clone(unfitted).learned(good.tiles[train], good.mask[train], seed, _training(folder, f"{i}"))
        maps[test] = learned.novelty(good.tiles[test], good.mask[test])
    if len(splits) > 1:
        learned = clone(unfitted).learned(good.tiles, good.mask, seed, _training(folder, "all"))
    if good.spread:
        scale, worst, places, each = _of_objects(maps, good)
    else:
        scale = np.full((1, 1, 1), POINTS if learned.of_points else 1, np.float32)
        maps /= scale
        tested = np.isfinite(maps).any(axis=(1, 2))
        worst = _of_points(maps, good) if learned.of_points else _of_tiles(learned, maps[tested], good.owner[tested])
        places = maps[np.isfinite(maps)].astype(np.float64)
        each = _each(maps, good)
    whole = _threshold(learned, worst, learned.coverage, what)
    limit = _threshold(learned, drawn_places(places, seed), learned.pixel_coverage, f"places of {what}")
    limit = limit if marked is None else marked(each, limit)
    return learned, scale, whole, limit, float(np.median(places))


def marks_of(data: Kind, good: Good, wanted: RequestedMarks, each: Maps, limit: Threshold) -> Threshold:
    """Threshold of maps with its guarantee, from the held-out maps (t, h, w) of each good item.

    If no guarantee is requested, returns `limit` with the highest region of each good item. Raises `InputError` if the
    guarantee needs more items.
    """
    if not good.sources or any(one.is_large for one in good.sources):
        if wanted.rate is not None:
            raise InputError(
                "a guarantee is requested, but the good data are parts of one cloud, or files that are read in "
                "blocks. Expected several images or clouds that fit into memory. Give several small ones."
            )
        return limit
    summaries = [_summary(data, good.sources[i], maps, wanted.min_size) for i, maps in each.items()]
    curves, peaks = [curve for curve, _ in summaries], np.array([peak for _, peak in summaries])
    if wanted.rate is None:
        marks = Marks("points", None, len(peaks), 1, wanted.min_size, peaks, np.ones(len(peaks)))
        return replace(limit, marks=marks)
    how = (wanted.min_size, None, wanted.largest, limit.provenance, limit.source)
    return marks_threshold(curves, peaks, wanted.of, wanted.rate, *how)


def _summary(data: Kind, source: Source, maps: np.ndarray, min_size: float) -> tuple[LossCurve, float]:
    """Loss curve of one good image or cloud, and novelty of its highest region. All pixels or points are used."""
    cut = data.cut(source)
    return summary(cut.elements, cut.spread(maps), min_size)


def _each(maps: np.ndarray, good: Good) -> Maps:
    """Maps (t, h, w) of each held-out item, by the item's index; NaN for tiles without seen pixels."""
    every = good.owner if good.every is None else good.every
    every_map = np.full((len(every), *maps.shape[1:]), np.nan, np.float32)
    every_map[every >= 0] = maps
    owner = np.where(every < 0, -1 - every, every)
    by_owner = {i: every_map[owner == i] for i in np.unique(owner).tolist()}
    return {i: one for i, one in by_owner.items() if np.isfinite(one).any()}


def state_files(folder: Path) -> list[Path]:
    """State files of trainings in a folder."""
    return sorted(folder.glob(STATE.format("*")))


def _training(folder: Path | None, name: str) -> Training:
    return Training(state=None if folder is None else folder / STATE.format(name))


def _of_tiles(learned: Reconstructor, maps: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Novelty of each image or cloud: the largest novelty of its tiles."""
    worst = np.full(owner.max() + 1, -np.inf)
    np.maximum.at(worst, owner, learned.pooled(maps))
    return worst[np.isfinite(worst)]


def _of_points(maps: np.ndarray, good: Good) -> np.ndarray:
    """Novelty of each held-out object, from maps of its points."""
    each = [maps[good.owner == i, 0, 0] for i in np.unique(good.owner)]
    return np.array([worst_points(novelty) for novelty in each if np.isfinite(novelty).any()])


def _of_objects(maps: np.ndarray, good: Good) -> tuple[np.ndarray, np.ndarray, np.ndarray, Maps]:
    """Usual novelty (v, h, w) of each pixel, see `_scaled`, and three results divided by this novelty.

    The results are the novelty of each object, the novelties of all sampled points, and each object's maps by index.
    """
    views = maps.reshape(len(good.spread), -1, *maps.shape[1:])
    tested = np.flatnonzero(np.isfinite(views).any(axis=(1, 2, 3)))
    scale, views = _scaled(views[tested])
    points = [good.spread[i](novelty) for i, novelty in zip(tested, views, strict=True)]
    places = np.concatenate([novelty[np.isfinite(novelty)] for novelty in points])
    return (
        scale,
        np.array([worst_points(novelty) for novelty in points]),
        places,
        dict(zip(tested.tolist(), views, strict=True)),
    )


def worst_points(novelty: np.ndarray) -> float:
    """Mean of the largest hundredth of novelties (n,). NaN, for unseen points, is ignored."""
    seen = np.sort(novelty[np.isfinite(novelty)])
    return float(seen[-max(1, round(WORST * len(seen))) :].mean())


def _threshold(learned: Reconstructor, novelty: np.ndarray, coverage: float, what: str) -> Threshold:
    return Threshold.from_novelty(novelty, coverage, source=what, provenance=learned.provenance(), few=True)


def _scaled(views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Usual novelty (v, h, w) of each pixel of v views, and the maps (m, v, h, w) of m objects divided by it.

    Edges are rebuilt worse than faces. Without the division, an edge would be as novel as a dent in a face.

    The usual novelty is the mean over the objects, then the maximum over 3 x 3 pixels, plus the median of all maps. A
    pixel that no good object shows counts as an edge: its mean is replaced by the maximum of all maps. The maps of an
    object are divided by the usual novelty of the other objects.
    """
    floor, most, seen = max(LEAST, float(np.nanmedian(views))), float(np.nanmax(views)), np.isfinite(views)
    known = np.where(seen, views, 0)
    total, count = known.sum(axis=0), seen.sum(axis=0)
    others = [
        _usual(total - views_of_one, count - there, floor, most)
        for views_of_one, there in zip(known, seen, strict=True)
    ]
    return _usual(total, count, floor, most), views / np.stack(others)


def _usual(total: np.ndarray, count: np.ndarray, floor: float, most: float) -> np.ndarray:
    from scipy.ndimage import maximum_filter

    means = np.where(count > 0, total / np.maximum(count, 1), most)
    return (maximum_filter(means, (1, 3, 3)) + floor).astype(np.float32)


def _parts(source: Source, seed: int) -> list[Source]:
    """Points of an object in four random parts, as if it had been scanned four times."""
    points = source.cloud()["points"]
    order = np.random.default_rng([seed, 4]).permutation(len(points))
    return [
        Source({"points": points[np.sort(rows)]}, f"part {i + 1} of {source.name}", "cloud")
        for i, rows in enumerate(np.array_split(order, PARTS))
    ]


def _splits(good: Good, rounds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Masks (t,) of held-out and of training tiles for each round. No training tile overlaps a held-out strip."""
    items, place = good.owner, good.place
    drawn = np.random.default_rng([seed, 3]).permutation(np.unique(items))
    if place is not None:
        items = np.minimum(place / (place.max() + 1e-9) * STRIPS, STRIPS - 1).astype(int)
        drawn = np.arange(STRIPS)
    if rounds == 1:
        tests = [held_out(items, seed)]
    else:
        tests = [np.isin(items, part) for part in np.array_split(drawn, min(rounds, len(drawn)))]
    tests = [test for test in tests if test.any()]
    if place is None:
        return [(test, ~test) for test in tests]
    splits = [(test, np.abs(place[:, None] - place[test]).min(axis=1) >= 1) for test in tests]
    if not all(train.any() for _, train in splits):
        raise InputError(
            f"the good cloud is {place.max() + 1:.2g} tiles long, too short to hold out a part of it. Expected a "
            "longer cloud, or several clouds. Give more clouds, or a smaller size."
        )
    return splits

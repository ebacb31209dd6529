"""Kinds of surface data (images, pairs, sheets, objects), and their conversion to tiles and maps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from openshape_ood.checks import check_count, check_positive
from openshape_ood.errors import CloudError, InputError
from openshape_ood.novelty_map import Elements
from openshape_ood.shapes.columns import cloud_pieces
from openshape_ood.shapes.reading import file_up
from openshape_ood.surfaces.images import colors_of, image_tile, resized_maps, value_range
from openshape_ood.surfaces.inputs import Source
from openshape_ood.surfaces.planes import sample_step, sheet_frame
from openshape_ood.surfaces.raster import Raster
from openshape_ood.surfaces.rasterizer import GRANULE, MOST_CELLS, Rasterizer, cloud_points
from openshape_ood.surfaces.reconstructor import local_means
from openshape_ood.surfaces.streaming import raster_blocks, sampled
from openshape_ood.surfaces.views import MARGIN, RANGES, ViewRasterizer

IMAGE, TILE = 128, 32  # default side of a tile: pixels of an image, cells of a sheet
RATIO = 0.02  # tolerated difference of image proportions
FLAT = 0.95  # minimum fraction of a sheet's points near its plane
ABOUT = 0.05  # maximum distance of points near a plane, relative to the diagonal of the cloud's bounding box
NEAREST = 13  # a circle with the radius r has 13 points if a square with the side r has 4: its area is pi times larger
COARSE = 0.5  # meters, maximum side of an automatic cell
HEIGHT, REACH = 2.5, 12.5  # `height` and `reach` of an automatic rasterizer in cells: 0.1 and 0.5 m for cells of 4 cm
VIEW = (32, 128)  # minimum and maximum cells along an automatic view
SEEN = 1.5  # side of a view's cell relative to a sheet's; larger, because a view shows only one side of thin parts
TIMES = 3.0  # a cloud that is larger or smaller than the good objects by this factor is probably in another unit
BOX = (0.02, 0.98)  # quantiles of the coordinates; the center of a cloud is the middle between them
VIEW_RADIUS = 1.05  # radius of a view, relative to the radius of the largest good object
SAMPLED = 10_000  # approximate number of points of a good object from which thresholds are computed


@dataclass(frozen=True, eq=False)
class Tiles:
    """Tiles (t, c, h, w) of one image or cloud, their mask (t, h, w), and the positions (t, 2) of a sheet's tiles.

    spread: function from maps (t, h, w) to the novelty of sampled points; only for views of an object.
    """

    tiles: np.ndarray
    mask: np.ndarray
    grid: np.ndarray
    spread: Callable[[np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True, eq=False)
class Cut:
    """One image or cloud as tiles, and as n elements: its pixels or points.

    spread: function from maps (t, h, w) of the tiles to the novelty (n,) of the elements. up: up axis of plots.
    """

    only: Tiles
    elements: Elements
    spread: Callable[[np.ndarray], np.ndarray]
    up: str = "y"


@dataclass(frozen=True)
class Images:
    """Images of equal proportions and pixel type.

    Parameters
    ----------
    size : int
        Pixels along a tile.
    values : (float, float) or None
        Pixel values that become -1 and 1. None: the range of the pixel type.
    depth : str
        Pixel type, such as "uint8".
    ratio : float
        Rows divided by columns.
    """

    size: int
    values: tuple[float, float] | None
    depth: str
    ratio: float
    kind = "images"
    shown: ClassVar[str] = "image"  # `Source.kind` of these data

    def __post_init__(self) -> None:
        check_count(self.size, "size", MOST_CELLS, "pixels along a tile")
        check_positive(self.ratio, "ratio")
        if self.values is not None:
            value_range(self.values)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (c, h, w) of a tile."""
        return 3, self.size, self.size

    @classmethod
    def of(cls, given: Sequence[Source], size: int | None, values: Any) -> Images:
        if len(given) < 2:
            raise InputError(
                f"{given[0].name} is one {cls.shown}. Expected two or more good {cls.shown}s, better twenty. Give "
                "more, or cut a large one into tiles."
            )
        planes = given[0].planes()
        h, w = planes[0].shape[:2]
        limits = None if values is None else value_range(values)
        return cls(IMAGE if size is None else size, limits, _depth(planes), h / w)

    def cut(self, source: Source) -> Cut:
        """Convert an image to tiles.

        Raises `InputError` if pixel type or proportions differ from the good images, or if all pixels are NaN.
        """
        planes = source.planes()
        if _depth(planes) != self.depth and self.values is None:
            raise InputError(
                f"{source.name} is of {_depth(planes)}, but the good {self.kind} are of {self.depth}. Expected one "
                "pixel type. Convert it, or fit with values=(low, high) for both types."
            )
        h, w = planes[0].shape[:2]
        if abs(h / w / self.ratio - 1) > RATIO:
            raise InputError(
                f"{source.name} is {w} x {h} pixels; the good {self.kind} are {self.ratio:.3g} times as high as wide. "
                "Expected equal proportions, because images are compared pixel by pixel. Crop it like the good ones."
            )
        with source.named():
            ranges = [self._values(one, planes) for one in planes]
            each = self.shape[0] // len(planes)
            parts = [image_tile(one, self.size, each, limits) for one, limits in zip(planes, ranges, strict=True)]
            rows = colors_of(planes[-1].reshape(h, w, -1), ranges[-1])
        tile, mask = np.concatenate([tile for tile, _ in parts]), np.logical_and.reduce([mask for _, mask in parts])
        if not mask.any():
            raise InputError(f"no pixel of {source.name} is valid (NaN). Expected numbers. Leave this image out.")
        return Cut(
            Tiles(np.where(mask, tile, 0)[None], mask[None], np.zeros((1, 2))), Elements("pixels", rows, (h, w)),
            lambda maps: resized_maps(maps, (h, w))[0].astype(np.float64).reshape(-1),
        )  # fmt: skip

    def tiles(self, source: Source) -> Tiles:
        return self.cut(source).only

    def _values(self, plane: np.ndarray, planes: Sequence[np.ndarray]) -> tuple[float, float] | None:
        """Range of one plane. None: the range of its pixel type.

        If one plane of a pair has floats and the other has integers, `values` is the range of the floats.
        """
        mixed = len({one.dtype.kind == "f" for one in planes}) > 1
        return None if mixed and plane.dtype.kind != "f" else self.values


@dataclass(frozen=True)
class Pairs(Images):
    """Pairs of a height and an intensity image of the same place.

    A tile has two channels. Plots show the map over the intensity image.
    """

    kind = "pairs"
    shown: ClassVar[str] = "pair"

    @property
    def shape(self) -> tuple[int, int, int]:
        return 2, self.size, self.size


def _depth(planes: Sequence[np.ndarray]) -> str:
    return " and ".join(str(one.dtype) for one in planes)


@dataclass(frozen=True)
class Sheets:
    """Clouds of roads, walls or plates, cut into tiles around local planes."""

    rasterizer: Rasterizer
    kind = "sheets"

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.rasterizer.ranges), self.rasterizer.tile, self.rasterizer.tile

    def cut(self, source: Source) -> Cut:
        cloud = source.cloud()
        with source.named():
            raster = self.rasterizer.rasterize(**cloud)
        return Cut(Tiles(raster.tiles, raster.mask, raster.grid), _points(cloud), raster.to_points, "z")

    def tiles(self, source: Source) -> Tiles:
        """Tiles of a cloud, without its points. A large file is read in blocks."""
        if not source.is_large:
            return self.cut(source).only
        held: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}
        for block in raster_blocks(source.value, self.rasterizer):
            for at, tile, mask in zip(block.raster.grid.tolist(), block.raster.tiles, block.raster.mask, strict=True):
                held.setdefault(tuple(at), (tile.copy(), mask.copy()))
        tiles, masks = zip(*held.values(), strict=True)
        return Tiles(np.stack(tiles), np.stack(masks), np.array(list(held)))


@dataclass(frozen=True)
class Objects:
    """Clouds of objects in the same pose and unit, as views of depth and normals. `radius` is the radius of a view.

    The novelty of a point is averaged over 3 x 3 cells, then over the views that show the point. This lowers the
    novelty of edges: an edge in one view is often no edge in another.
    """

    rasterizer: ViewRasterizer
    radius: float
    kind = "objects"

    def __post_init__(self) -> None:
        check_positive(self.radius, "radius")

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(RANGES), self.rasterizer.size, self.rasterizer.size

    def cut(self, source: Source) -> Cut:
        raster, cloud = self._raster(source)
        up = "y" if source.path is None else file_up(source.path)
        tiles = Tiles(raster.tiles, raster.mask, raster.grid)
        return Cut(tiles, _points(cloud), partial(_spread, raster), up)

    def tiles(self, source: Source) -> Tiles:
        raster = self._raster(source)[0]
        step = -(-raster.points // SAMPLED)
        kept = raster.rows % step == 0
        index = {"rows": raster.rows[kept] // step, "tile": raster.tile[kept], "spot": raster.spot[kept]}
        some = replace(raster, points=-(-raster.points // step), **index)
        return Tiles(raster.tiles, raster.mask, raster.grid, partial(_spread, some))

    def _raster(self, source: Source) -> tuple[Raster, dict[str, np.ndarray]]:
        cloud = source.cloud()
        points = _alike(source, cloud["points"], self.radius)
        made = self.rasterizer.rasterize(points, radius=self.radius, center=middle_of(points))
        return replace(made, merge="mean"), cloud


@dataclass(frozen=True)
class Points:
    """Clouds of objects in the same pose and unit, compared by points: each point is a tile of its three coordinates.

    `radius` is 1.05 times the radius of the largest good object. Coordinates are relative to the center of the cloud
    and divided by `TIMES * radius`, so they are in [-1, 1].
    """

    radius: float
    kind = "objects"
    shape = (3, 1, 1)

    def __post_init__(self) -> None:
        check_positive(self.radius, "radius")

    def cut(self, source: Source) -> Cut:
        cloud = source.cloud()
        points = _alike(source, cloud["points"], self.radius)
        placed = (points - middle_of(points)) / (TIMES * self.radius)
        tiles = placed.clip(-1, 1).astype(np.float32)[..., None, None]
        up = "y" if source.path is None else file_up(source.path)
        made = Tiles(tiles, np.ones((len(tiles), 1, 1), dtype=bool), np.zeros((len(tiles), 2)))
        return Cut(made, _points(cloud), lambda maps: maps.reshape(-1).astype(np.float64), up)

    def tiles(self, source: Source) -> Tiles:
        return self.cut(source).only


Kind = Images | Pairs | Sheets | Objects | Points


def _alike(source: Source, points: Any, radius: float) -> np.ndarray:
    """Points (n, 3) of a cloud. Raises `CloudError` if their radius is over 3 times larger or smaller than `radius`."""
    checked = cloud_points(points)
    reach = radius_of(checked)
    if not radius / TIMES <= reach <= radius * TIMES:
        raise CloudError(
            f"the radius of {source.name} is {reach:.3g}, but the good objects have {radius / VIEW_RADIUS:.3g}. "
            "Expected the same kind of object in the same unit. Convert it, for example from centimeters to meters."
        )
    return checked


def kind_of_clouds(
    given: Sequence[Source],
    rasterizer: Rasterizer | ViewRasterizer | None,
    shape: str | None,
    size: int | None,
    cell: float | None,
    channels: Sequence[str] | None = None,
    granule: int = GRANULE,
    of_points: bool = False,
) -> Sheets | Objects | Points:
    """Choose the kind of clouds (sheets, or objects as views or points), and a rasterizer unless one is given.

    A cloud is a sheet if 95 % of its points are near one plane. Near means within a twentieth of the diagonal of the
    cloud's bounding box. Without `shape`, all clouds are objects if any of them is no sheet.

    - Sheets: the side of a cell is `spacing`, so that it holds about 4 points. Heights are clipped at 2.5 cells.
      Points farther than 12.5 cells from the plane are ignored. Channels are height, slope, and intensity if all clouds
      have it.
    - Objects: the side of a view's cell is 1.5 times the side of a sheet's cell. A view has 32 to 128 cells, rounded
      down to a multiple of `granule` (at least 16).

    of_points: compare objects by points, without views.
    """
    if rasterizer is not None:
        refuse("a rasterizer is given", shape=shape, size=size, cell=cell, channels=channels)
    if isinstance(rasterizer, Rasterizer):
        return Sheets(rasterizer)
    looked = [_sample(one) for one in given]
    if isinstance(rasterizer, ViewRasterizer):
        return Objects(rasterizer, VIEW_RADIUS * max(radius_of(sample) for sample, *_ in looked))
    apart = float(np.median([spacing(sample) / np.sqrt(step) for sample, step, _ in looked]))
    if not apart > 0:
        raise CloudError(
            f"most points of {given[0].name} are duplicates. Expected distinct points. Drop duplicates first: "
            "np.unique(points, axis=0)"
        )
    flat = all(_is_sheet(sample) for sample, *_ in looked)
    if shape == "objects" or (shape is None and not flat):
        refuse(
            "the clouds are objects, not sheets",
            "" if shape else ", or give shape='sheets'",
            cell=cell,
            channels=channels,
        )
        radius = VIEW_RADIUS * max(radius_of(sample) for sample, *_ in looked)
        if of_points:
            refuse("'nearest' compares points without views", ", or give reconstructor='pca'", size=size)
            return Points(radius)
        step = max(granule, GRANULE)
        cells = int(np.clip(2 * radius / MARGIN / (SEEN * apart), *VIEW)) // step * step
        return Objects(ViewRasterizer(size=cells if size is None else size), radius)
    if cell is None and apart > COARSE:
        raise CloudError(
            f"the points of {given[0].name} are about {apart / 2:.2g} apart, so that a cell would be {apart:.2g} m. "
            f"Expected meters, and cells of at most {COARSE} m. Convert the points to meters, or give the argument "
            "cell."
        )
    cell = check_positive(cell, "cell") if cell is not None else float(f"{apart:.1g}")
    if channels is None:
        measured = all("intensity" in names for *_, names in looked)
        channels = ("height", "intensity", "normal") if measured else ("height", "normal")
    return Sheets(
        Rasterizer(
            cell=cell,
            tile=TILE if size is None else size,
            channels=tuple(channels),
            height=HEIGHT * cell,
            reach=REACH * cell,
        )
    )


def refuse(why: str, instead: str = "", **settings: Any) -> None:
    """Raise `InputError` if any of the settings is given (not None), because the settings have no effect.

    why: reason for the message. instead: alternative for the message, such as ", or give shape='sheets'".
    """
    if given := [name for name, one in settings.items() if one is not None]:
        verb, them = ("have", "them") if given[1:] else ("has", "it")
        raise InputError(f"{' and '.join(given)} {verb} no effect: {why}. Leave {them} out{instead}.")


def radius_of(points: np.ndarray) -> float:
    """Largest distance of points (n, 3) from their center."""
    return float(np.linalg.norm(points - middle_of(points), axis=1).max())


def middle_of(points: np.ndarray) -> np.ndarray:
    """Center (3,) of the box between the 2 % and 98 % quantiles of points (n, 3). The quantiles ignore protrusions."""
    return np.quantile(points, BOX, axis=0).mean(axis=0)


def settings(kind: Kind) -> dict[str, Any]:
    """Settings as strings and numbers, for `from_settings`."""
    return {"kind": kind.kind, **asdict(kind)}


def from_settings(saved: Mapping[str, Any]) -> Kind:
    """Kind from the output of `settings`. Raises one of `storage.DAMAGE` for other content."""
    fields = _tuples(saved)
    name = fields.pop("kind")
    if name in ("images", "pairs"):
        return (Pairs if name == "pairs" else Images)(**fields)
    if name == "objects" and "rasterizer" not in fields:
        return Points(**fields)
    inner = _tuples(fields.pop("rasterizer"))
    if name == "sheets":
        return Sheets(Rasterizer(**inner), **fields)
    if name != "objects":
        raise ValueError(f"its kind of data is {name!r}")
    return Objects(ViewRasterizer(**inner), **fields)


def _spread(raster: Raster, maps: np.ndarray) -> np.ndarray:
    """Novelty (n,) of the points of a raster: maps (t, h, w) averaged over 3 x 3 cells, then interpolated."""
    return raster.to_points(np.where(np.isfinite(maps), local_means(maps), np.nan))


def _tuples(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Convert lists from JSON back to tuples."""
    return {name: tuple(one) if isinstance(one, list) else one for name, one in saved.items()}


def _points(cloud: dict[str, np.ndarray]) -> Elements:
    return Elements("points", np.asarray(cloud["points"], dtype=np.float64))


def _sample(source: Source) -> tuple[np.ndarray, int, Collection[str]]:
    """Every step-th point of a cloud (at most 100,000 points), the step, and the names of the cloud's columns."""
    if not source.is_large:
        cloud = source.cloud()
        with source.named():
            points = cloud_points(cloud["points"])
        step = sample_step(len(points))
        return points[::step], step, set(cloud)
    sample, step, _, names = sampled(cloud_pieces(source.value, ("intensity",)), "xyz")
    points = sample.T
    return points[np.isfinite(points).all(axis=1)], step, names


def spacing(points: np.ndarray) -> float:
    """Side of a square that holds about 4 points of a surface, from its points (n, 3).

    It is the median distance to the 13th neighbor, see `NEAREST`.
    """
    from scipy.spatial import KDTree

    queries = points[:: -(-len(points) // 2000)]
    distance = KDTree(points).query(queries, k=[min(NEAREST + 1, len(points))])[0]
    return float(np.median(distance))


def _is_sheet(points: np.ndarray) -> bool:
    try:
        away = np.abs(sheet_frame(points).inside(points)[:, 2])
    except CloudError:
        return False
    return bool((away <= ABOUT * np.linalg.norm(np.ptp(points, axis=0))).mean() >= FLAT)

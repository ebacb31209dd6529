"""Clouds larger than memory: points are sorted into blocks on disk, and rasterized block by block."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import numpy as np

from openshape_ood.checks import check_whole, given_path
from openshape_ood.errors import CloudError, FileError, InputError
from openshape_ood.novelty_map.colors import ramp
from openshape_ood.shapes.columns import cloud_pieces
from openshape_ood.shapes.fields import PIECE
from openshape_ood.shapes.formats import las
from openshape_ood.shapes.formats.ply import ply_header, ply_layout
from openshape_ood.storage import make_folder, saving
from openshape_ood.surfaces import tiles
from openshape_ood.surfaces.planes import Frame, sample_step
from openshape_ood.surfaces.raster import Raster
from openshape_ood.surfaces.rasterizer import Rasterizer, check_spacing, keys_of

BLOCK = 1_000_000  # points of a block, margin included
CROWDED = 8  # maximum points of a block, as a multiple of `block_points`
ENDS = (0.5, 0.999)  # quantiles of the novelty at the ends of the color ramp
UNSEEN = (0.35, 0.45, 0.65)  # blue, which the color ramp of novelty does not contain
RGB = ("red", "green", "blue")
COLORED = np.dtype([*((axis, "<f8") for axis in "xyz"), *((c, "u1") for c in RGB), ("novelty", "<f4")])
STRIP = "point_source_id"  # LAS field with the strip of a point


@dataclass(frozen=True, eq=False)
class Block:
    """Block of a sheet with its margin.

    Attributes
    ----------
    raster : Raster
        Tiles that touch the block. A tile at the margin occurs in several blocks.
    rows : ndarray (n,) int64
        Row in the file of each point of the raster.
    core : ndarray (n,) bool
        True for points of the block, False for points of its margin. Each point of the file belongs to one block.
    """

    raster: Raster
    rows: np.ndarray
    core: np.ndarray


@dataclass(frozen=True, eq=False)
class _Survey:
    """Statistics of a file for rasterizing.

    Attributes
    ----------
    block_points : int
        Approximate number of points of a block.
    points : int
        Number of points of the file.
    frame : Frame
        Frame of the sheet.
    strips : dict of int to (float, float)
        Intensity scale of each strip, see `tiles.intensity_scales`.
    white : float
        Color value of white: 1, 255 or 65535.
    side : int
        Side of a block in squares, see `Rasterizer.squares`.
    """

    path: str | os.PathLike[str]
    rasterizer: Rasterizer
    block_points: int
    points: int
    frame: Frame
    strips: dict[int, tuple[float, float]]
    white: float
    side: int

    @property
    def record(self) -> np.dtype:
        """numpy type of a point on disk: row in the file, position in the sheet's frame, scaled channel values."""
        sizes = {"intensity": 1, "color": 3}
        values = [(name, "f8", (size,)) for name, size in sizes.items() if name in self.rasterizer.channels]
        return np.dtype([("row", "i8"), ("inside", "f8", (3,)), *values])

    def blocks(self, squares: np.ndarray) -> np.ndarray:
        """Block (n, 2) of each square (n, 2). A block is centered on the sheet, so no border divides a road there."""
        return (squares + self.side // 2) // self.side


def raster_blocks(
    path: str | os.PathLike[str],
    rasterizer: Rasterizer,
    *,
    block_points: int = BLOCK,
    scratch: str | os.PathLike[str] | None = None,
) -> Iterator[Block]:
    """Yield the tiles of a LAS, LAZ, or binary PLY or PCD file of any size, block by block.

    The tiles equal the tiles of `Rasterizer.rasterize` on the whole cloud. The file is read twice. Its points are
    temporarily written to `scratch`: 32 bytes per point, 8 more for each value of intensity and color, and about half
    of the sum again for margins.

    Parameters
    ----------
    path : str or Path
        A cloud in meters. The strips of a LAS file are its `point_source_id`. NaN points are ignored.
    rasterizer : Rasterizer
    block_points : int
        Approximate number of points in memory; each takes about 400 bytes.
    scratch : str or Path, optional
        Folder for the sorted points. Default: the system's temporary folder.

    Raises
    ------
    ShapeFileError
        For an unreadable file.
    FileError
        If `scratch` cannot be written, or is full.
    CloudError
        As for `Rasterizer.rasterize`. Also if a block has more than 8 times `block_points`, because the cloud is dense.
    """
    yield from _blocks(_survey(path, rasterizer, block_points), scratch)


def score_file(
    path: str | os.PathLike[str],
    rasterizer: Rasterizer,
    score: Callable[[Raster], np.ndarray],
    out: str | os.PathLike[str],
    *,
    bounds: tuple[float, float] | None = None,
    block_points: int = BLOCK,
    scratch: str | os.PathLike[str] | None = None,
) -> Path:
    """Write a copy of a cloud, in file order, with the novelty of every point and matching colors.

    Parameters
    ----------
    path, rasterizer, block_points, scratch
        As for `raster_blocks`; the file is read a third time.
    score : callable
        Function from a Raster to the novelty of its pixels (t, h, w).
    out : str or Path
        A .ply file. If the cloud is LAS or LAZ, also .las or .laz; these keep intensity, class, time and strip.
    bounds : (float, float), optional
        Novelties at the ends of the color ramp, gray and dark red. Default: median and 0.999 quantile of the novelty.
        Unseen points are blue and have the novelty NaN.

    Raises
    ------
    InputError
        For an invalid suffix of `out`.
    FileError
        If writing fails.
    """
    source, out = given_path(path, "path"), given_path(out, "out")
    suffix = out.suffix.lower()
    if suffix != ".ply" and not (suffix in las.FORMAT.suffixes and source.suffix.lower() in las.FORMAT.suffixes):
        raise InputError(
            f"out is {out}. Expected a .ply file, or .las or .laz if the cloud is LAS or LAZ. Change the suffix."
        )
    with _scratch(scratch) as folder:
        kept = Path(folder) / "novelty.f4"
        survey = _survey(source, rasterizer, block_points)
        np.memmap(kept, np.float32, "w+", shape=(survey.points,))[:] = np.nan
        for block in _blocks(survey, scratch):
            novelty = block.raster.to_points(score(block.raster))
            # reopened for each block, so that little of the file stays in memory
            np.memmap(kept, np.float32, "r+")[block.rows[block.core]] = novelty[block.core]
        if bounds is None:
            sample = np.memmap(kept, np.float32, "r")[:: sample_step(survey.points)]
            low, high = np.quantile(np.append(sample[np.isfinite(sample)], 0), ENDS).tolist()
            bounds = low, high
        make_folder(out.parent)
        with saving(out, "the cloud") as file:
            _write(source, file, kept, survey.points, bounds, suffix)
    return out


def scored_points(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """At most 100,000 points (n, 3) of a .ply file from `score_file`, and their novelty (n,)."""
    with path.open("rb") as file:
        dtype, count, start = ply_layout(file.read(1 << 16))
    rows = np.memmap(path, dtype, "r", start, (count,))[:: sample_step(count)]
    points = np.stack([rows[axis].reshape(-1) for axis in "xyz"], axis=1).astype(np.float64)
    return points, rows["novelty"].reshape(-1).astype(np.float64)


def _write(source: Path, file: BinaryIO, kept: Path, count: int, bounds: tuple[float, float], suffix: str) -> None:
    def colored() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, count, PIECE):
            novelty = np.fromfile(kept, np.float32, min(PIECE, count - start), offset=4 * start)
            seen = np.isfinite(novelty)[:, None]
            yield np.rint(np.where(seen, ramp(np.nan_to_num(novelty), *bounds), UNSEEN) * 255), novelty

    if suffix in las.FORMAT.suffixes:
        with source.open("rb") as given:
            las.color_las(given, file, colored(), suffix == ".laz")
        return
    file.write(ply_header(COLORED, count, [f"novelty colored {bounds[0]:.6g} to {bounds[1]:.6g}, unseen blue"]))
    for piece, (rgb, novelty) in zip(cloud_pieces(source), colored(), strict=True):
        rows = np.empty(len(novelty), COLORED)
        columns = (piece["x"], piece["y"], piece["z"], *rgb.T, novelty)
        for name, column in zip(COLORED.names or (), columns, strict=True):
            rows[name] = column
        file.write(rows.tobytes())


def _survey(path: str | os.PathLike[str], rasterizer: Rasterizer, block_points: int) -> _Survey:
    """Statistics of a file, in one pass."""
    check_whole(block_points, "block_points", 1000)
    white, with_color = 1.0, "color" in rasterizer.channels

    def pieces() -> Iterator[Mapping[str, np.ndarray]]:
        nonlocal white
        for piece in cloud_pieces(path, ("intensity", STRIP)):
            for channel, name in (("intensity", "intensity"), ("color", "red")):
                if channel in rasterizer.channels and name not in piece:
                    raise rasterizer.missing(channel)
            if with_color:
                white = max(white, *(float(piece[channel].max()) for channel in RGB))
            yield piece

    sample, step, count, names = sampled(pieces(), ("x", "y", "z", "intensity", STRIP))
    sample = sample[:, np.isfinite(sample[:3]).all(axis=0)]
    if not sample.shape[1]:
        raise CloudError(f"no sampled point of {os.fspath(path)} is finite. Expected coordinates. Give another file.")
    points, scales = sample[:3].T, {}
    frame = rasterizer.frame(points)
    if "intensity" in rasterizer.channels:
        scales = tiles.intensity_scales(sample[3], sample[4].astype(np.int64) if STRIP in names else None)
    counts = np.unique(keys_of(rasterizer.squares(frame.inside(points))), return_counts=True)[1]
    rim = 2 * _rim(rasterizer)
    side = max(rim, 1, int(np.sqrt(block_points / (step * np.quantile(counts, 0.9)))) - rim)
    full = next(one for one in (1.0, 255.0, 65535.0, np.inf) if white <= one)
    return _Survey(path, rasterizer, block_points, count, frame, scales, full, side)


def sampled(
    pieces: Iterable[Mapping[str, np.ndarray]], names: Sequence[str]
) -> tuple[np.ndarray, int, int, Collection[str]]:
    """Sample of a cloud that is read in pieces.

    Returns the columns `names` (k, s) of every step-th point, the step, the number of points, and the names of all
    columns in the cloud. A column that the cloud lacks has the values of x.
    """
    sample, step, count, there = np.empty((len(names), 0)), 1, 0, set[str]()
    for piece in pieces:
        columns = [piece.get(name, piece["x"])[-count % step :: step].astype(np.float64) for name in names]
        sample, count, there = np.hstack([sample, np.stack(columns)]), count + len(piece["x"]), set(piece)
        while step < sample_step(count):
            sample, step = sample[:, ::2], 2 * step
    return sample, step, count, there


def _blocks(survey: _Survey, scratch: str | os.PathLike[str] | None) -> Iterator[Block]:
    left_out, count, rasterizer = Counter[str](), 0, survey.rasterizer
    most = CROWDED * survey.block_points
    with _scratch(scratch) as folder:
        _sort(survey, Path(folder))
        for file in sorted(Path(folder).iterdir()):
            if file.stat().st_size > most * survey.record.itemsize:
                raise CloudError(
                    f"a square of {survey.side * rasterizer.step * rasterizer.cell:g} m has more than {most:,} points. "
                    f"Expected at most {CROWDED} times block_points. Thin the cloud out, or give a larger block_points."
                )
            block = _block(file, survey)
            file.unlink()
            left_out.update(block.raster.left_out)
            count += len(block.raster)
            if len(block.raster):
                yield block
    if not count:
        raise rasterizer.no_tile(left_out)


def _scratch(folder: str | os.PathLike[str] | None) -> TemporaryDirectory[str]:
    """Temporary folder inside `folder`. Raises `FileError`."""
    try:
        return TemporaryDirectory(dir=folder, prefix="openshape_ood-")
    except OSError as error:
        raise FileError(
            f"scratch is {folder}: {error.strerror}. Expected a writable folder. Give another one."
        ) from error


def _rim(rasterizer: Rasterizer) -> int:
    """Margin of a block, in squares. Tiles that touch the block extend at most this far beyond it."""
    return -(-rasterizer.tile // rasterizer.step) - 1


def _sort(survey: _Survey, folder: Path) -> None:
    """Write each point to the file of its block, and to the files of all blocks whose margin contains the point."""
    rasterizer = survey.rasterizer
    start, squares, rim = 0, np.empty(0, np.int64), _rim(rasterizer)
    for piece in cloud_pieces(survey.path, ("intensity", STRIP)):
        points = np.stack([piece[axis].astype(np.float64) for axis in "xyz"], axis=1)
        measured = np.isfinite(points).all(axis=1)
        records = np.empty(measured.sum(), survey.record)
        records["row"] = start + np.flatnonzero(measured)
        records["inside"] = survey.frame.inside(points[measured])
        if "intensity" in rasterizer.channels:
            strips = piece[STRIP][measured].astype(np.int64) if STRIP in piece else None
            values = tiles.scaled_intensity(piece["intensity"][measured], strips, survey.strips)
            records["intensity"] = values[:, None]
        if "color" in rasterizer.channels:
            rgb = np.stack([piece[channel][measured] for channel in RGB], axis=1)
            records["color"] = rgb / survey.white
        occupied = rasterizer.squares(records["inside"])
        squares = np.union1d(squares, keys_of(occupied))
        check_spacing(survey.points, len(squares), rasterizer)
        low, high = survey.blocks(occupied - rim), survey.blocks(occupied + rim)
        for v, u in np.argwhere(np.ones((2, 2), dtype=bool)):
            block = np.where([v, u], high, low)
            again = (np.array([v, u], dtype=bool) & (low == high)).any(axis=1)
            if not again.all():
                _append(records[~again], block[~again], folder)
        start += len(points)


def _append(records: np.ndarray, blocks: np.ndarray, folder: Path) -> None:
    keys = keys_of(blocks)
    order = np.argsort(keys, kind="stable")
    held, first = np.unique(keys[order], return_index=True)
    try:
        for key, part in zip(held.tolist(), np.split(order, first[1:]), strict=True):
            with (folder / f"{key:020d}").open("ab") as file:
                file.write(records[part].tobytes())
    except OSError as error:
        raise FileError(
            f"cannot sort the points into {folder}: {error.strerror}. Expected a writable folder with enough space. "
            "Give another folder as the argument scratch."
        ) from error


def _block(file: Path, survey: _Survey) -> Block:
    records, rasterizer = np.fromfile(file, survey.record), survey.rasterizer
    # in file order, so that sums equal the sums over the whole cloud
    records = records[np.argsort(records["row"], kind="stable")]
    inside = np.ascontiguousarray(records["inside"])
    squares = rasterizer.squares(inside)
    core = keys_of(survey.blocks(squares)) == int(file.name)
    values = {name: records[name] for name in ("intensity", "color") if name in rasterizer.channels}
    return Block(rasterizer.cut(survey.frame, inside, values, core=squares[core]), records["row"].copy(), core)

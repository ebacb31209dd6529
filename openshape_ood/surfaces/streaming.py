"""Clouds that do not fit into memory: sorted into blocks on disk, rasterized one by one, scores put back in order."""

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

BLOCK = 1_000_000  # points of a block with its rim
CROWDED = 8  # times as many, of scanners that stood still
ENDS = (0.5, 0.999)  # quantiles of the novelty between which colors run
UNSEEN = (0.35, 0.45, 0.65)  # blue, which the ramp of novelty has none of
RGB = ("red", "green", "blue")
COLORED = np.dtype([*((axis, "<f8") for axis in "xyz"), *((c, "u1") for c in RGB), ("novelty", "<f4")])
STRIP = "point_source_id"  # of LAS


@dataclass(frozen=True, eq=False)
class Block:
    """A piece of a sheet with its rim.

    Attributes
    ----------
    raster : Raster
        Every tile that touches the piece: those at its rim come in several blocks.
    rows : ndarray (n,) int64
        Which points of the file the raster's points are.
    core : ndarray (n,) bool
        Those of the piece itself: each point of the file is of one block.
    """

    raster: Raster
    rows: np.ndarray
    core: np.ndarray


@dataclass(frozen=True, eq=False)
class _Survey:
    """A file, how it is rasterized, in blocks of about how many points; and of the whole of it: points, frame of the
    sheet, scales of intensity by strip, of color, and squares of a block."""

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
        """A point on disk: its place in the file, where it lies in the sheet, and the scaled values of its channels."""
        sizes = {"intensity": 1, "color": 3}
        values = [(name, "f8", (size,)) for name, size in sizes.items() if name in self.rasterizer.channels]
        return np.dtype([("row", "i8"), ("inside", "f8", (3,)), *values])

    def blocks(self, squares: np.ndarray) -> np.ndarray:
        """The block (n, 2) of each square (n, 2); the sheet's middle is in the midst of one, as roads are."""
        return (squares + self.side // 2) // self.side


def raster_blocks(
    path: str | os.PathLike[str],
    rasterizer: Rasterizer,
    *,
    block_points: int = BLOCK,
    scratch: str | os.PathLike[str] | None = None,
) -> Iterator[Block]:
    """The tiles of a LAS, LAZ, or binary PLY or PCD file of any size, a block of the sheet at a time.

    The file is read twice, and its points are written to `scratch` for a while: 32 bytes each, 8 more a channel that
    is measured, and a half again for the rims. What comes is what `Rasterizer.rasterize` gives of the whole cloud.

    Parameters
    ----------
    path : str or Path
        In meters; intensities by strip are those of LAS by `point_source_id`. Points that are NaN are not seen.
    rasterizer : Rasterizer
    block_points : int
        About how many points are in memory at once; each takes some 400 bytes.
    scratch : str or Path, optional
        The folder for what is sorted; that of temporary files if left out.

    Raises
    ------
    ShapeFileError
        For what cannot be read.
    FileError
        Where `scratch` cannot be written, or is full.
    CloudError
        For what `Rasterizer.rasterize` refuses, and for places so crowded that a block does not fit.
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
    """Write a cloud again, in its own order, with the novelty of every point and colors that show it.

    Parameters
    ----------
    path, rasterizer, block_points, scratch
        As for `raster_blocks`; the file is read a third time.
    score : callable
        From a Raster to the novelty of its pixels (t, h, w).
    out : str or Path
        A .ply file, or .las or .laz where the cloud is one of these: intensity, class, time and strip are kept.
    bounds : (float, float), optional
        The novelty at which colors begin, gray, and end, dark red; the median and the largest thousandth of the cloud's
        own if left out. What was not seen is blue, its novelty NaN.

    Raises
    ------
    InputError
        For a suffix of `out` that cannot be.
    FileError
        Where it cannot be written.
    """
    source, out = given_path(path, "path"), given_path(out, "out")
    suffix = out.suffix.lower()
    if suffix != ".ply" and not (suffix in las.FORMAT.suffixes and source.suffix.lower() in las.FORMAT.suffixes):
        raise InputError(f"out is {out}; expected a .ply file, or .las or .laz of a cloud that is LAS or LAZ")
    with _scratch(scratch) as folder:
        kept = Path(folder) / "novelty.f4"
        survey = _survey(source, rasterizer, block_points)
        np.memmap(kept, np.float32, "w+", shape=(survey.points,))[:] = np.nan
        for block in _blocks(survey, scratch):
            novelty = block.raster.to_points(score(block.raster))
            # opened for each block, so that no more of it stays in memory
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
    """At most 100,000 points (n, 3) of a .ply file that `score_file` wrote, and their novelty (n,)."""
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
    """One look at the file."""
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
        raise CloudError(f"none of the points looked at in {os.fspath(path)} is finite")
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
    """Of clouds in pieces columns (k, s) of every so many-th point (x in place of one that is not there), how many-th,
    how many points there are, and what was measured of them."""
    sample, step, count, there = np.empty((len(names), 0)), 1, 0, set[str]()
    for piece in pieces:
        columns = [piece.get(name, piece["x"])[-count % step :: step].astype(np.float64) for name in names]
        sample, count, there = np.hstack([sample, np.stack(columns)]), count + len(piece["x"]), set(piece)
        while step < sample_step(count):
            sample, step = sample[:, ::2], 2 * step
    return sample, step, count, there


def _blocks(survey: _Survey, scratch: str | os.PathLike[str] | None) -> Iterator[Block]:
    left_out, found, rasterizer = Counter[str](), 0, survey.rasterizer
    most = CROWDED * survey.block_points
    with _scratch(scratch) as folder:
        _sort(survey, Path(folder))
        for file in sorted(Path(folder).iterdir()):
            if file.stat().st_size > most * survey.record.itemsize:
                raise CloudError(
                    f"a square of {survey.side * rasterizer.step * rasterizer.cell:g} m holds more than "
                    f"{most:,} points; thin the cloud out first, or give a larger block_points"
                )
            block = _block(file, survey)
            file.unlink()
            left_out.update(block.raster.left_out)
            found += len(block.raster)
            if len(block.raster):
                yield block
    if not found:
        raise rasterizer.no_tile(left_out)


def _scratch(folder: str | os.PathLike[str] | None) -> TemporaryDirectory[str]:
    """A folder in it that is gone afterwards. Raises `FileError`."""
    try:
        return TemporaryDirectory(dir=folder, prefix="openshape_ood-")
    except OSError as error:
        raise FileError(f"scratch is {folder}; expected a folder that can be written: {error.strerror}") from error


def _rim(rasterizer: Rasterizer) -> int:
    """Squares beyond a block that tiles which touch it reach."""
    return -(-rasterizer.tile // rasterizer.step) - 1


def _sort(survey: _Survey, folder: Path) -> None:
    """Every point into the files of the blocks that it is of, or in whose rim it lies."""
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
        own = rasterizer.squares(records["inside"])
        squares = np.union1d(squares, keys_of(own))
        check_spacing(survey.points, len(squares), rasterizer)
        low, high = survey.blocks(own - rim), survey.blocks(own + rim)
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
        raise FileError(f"cannot sort the points into {folder}: {error.strerror}; give a larger scratch=") from error


def _block(file: Path, survey: _Survey) -> Block:
    records, rasterizer = np.fromfile(file, survey.record), survey.rasterizer
    # in the order of the file, so that sums are those of the whole cloud
    records = records[np.argsort(records["row"], kind="stable")]
    inside = np.ascontiguousarray(records["inside"])
    own = rasterizer.squares(inside)
    core = keys_of(survey.blocks(own)) == int(file.name)
    values = {name: records[name] for name in ("intensity", "color") if name in rasterizer.channels}
    return Block(rasterizer.cut(survey.frame, inside, values, core=own[core]), records["row"].copy(), core)

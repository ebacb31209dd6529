"""Training data of `train_completion`: generated rooms in one view each, with the cells that every object fills.

A view is made in a tenth to a fifth of a second, three times as long as it is looked at in a step, so views are made
once and kept, in shards of `SHARD` under a folder: `python -m benchmarks.training.completion_samples DIR`.

Cells are those of the box of `SIZES`, which lies in front of the camera: origin on the floor below it, x ahead, y to
its left, z up. An object fills the cells that its surface passes through and those that it encloses.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import binary_fill_holes

from openshape_ood.registry.architectures import CompletionSizes
from openshape_ood.storage import replacing
from openshape_ood.synthetic.rooms import FURNITURE
from openshape_ood.synthetic.sampling import sample_surface, surface_area
from openshape_ood.synthetic.views import RoomView, room_view
from openshape_ood.views.completion.complete import camera_frame
from openshape_ood.views.completion.grid import Grid
from openshape_ood.views.geometry import moved, project, unproject

SIZES = CompletionSizes(
    head="name",
    side=32,
    hidden=32,
    channels=12,
    maps=12,
    groups=4,
    levels=4,
    low=(0.6, -1.8, -0.1),
    high=(4.2, 1.8, 2.3),
)
GRID = Grid(SIZES.side, SIZES.low, SIZES.high)
CENTERS = GRID.centers().numpy().astype(np.float64)
CELL = (np.array(SIZES.high) - SIZES.low) / SIZES.side
# in no room of training
NEVER = (
    *("bathtub", "bench", "bin", "fan", "laptop", "microwave", "night stand", "piano", "stool", "toilet", "tv stand"),
    "wardrobe",
)
TRAINED = tuple(name for name in FURNITURE if name not in NEVER)
# as training should not depend on what is furniture
MORE = (
    *("bag", "ball", "bicycle", "bucket", "clock", "dog", "door", "guitar", "ladder", "person", "skateboard"),
    *("stairs", "teapot", "tent", "traffic cone", "tree", "umbrella"),
)
CONTAINERS = (
    *("bathtub", "bin", "bookshelf", "box", "bowl", "bucket", "cabinet", "desk", "dresser", "microwave"),
    *("night stand", "refrigerator", "sink", "stove", "tv stand", "wardrobe", "washing machine"),
)
LAYOUT = {"floor": 253, "wall": 254, "ceiling": 255}  # in an image of instances; 0 is nothing
SPACING = 0.02  # meters between the points by which cells are found
SHARD = 100
NEAR = 0.08  # meters within which a cell is neither before nor behind a surface
PER_OBJECT = ("categories", "boxes", "filled", "behind", "within")
BITS = ("filled", "behind", "within", "in_view", "free")
# rooms of training have seeds from here on, then those the cut-off is chosen on; the benchmarks stay below
FIRST_SEED, FIRST_HELD_OUT = 1 << 25, 1 << 26


@dataclass(frozen=True, eq=False)
class Sample:
    """A view and what is in it; c cells, k objects."""

    depth: np.ndarray  # (h, w) float32
    shown: np.ndarray  # (h, w) uint8: the object, from 1; 0 for nothing, `LAYOUT` for floor, walls and ceiling
    intrinsics: np.ndarray  # (3, 3)
    pose: np.ndarray  # (4, 4), camera to the frame of the box
    categories: np.ndarray  # (k,) of str
    boxes: np.ndarray  # (k, 2, 3), in the frame of the box
    filled: np.ndarray  # (k, c) bool, cells that each object fills
    behind: np.ndarray  # (k, c) bool, unseen cells behind it
    within: np.ndarray  # (k, c) bool, unseen cells within its box
    in_view: np.ndarray  # (c,) bool, cells whose middle is in the picture
    free: np.ndarray  # (c,) bool, cells that are seen to be empty

    def objects(self, name: str) -> np.ndarray:
        """The numbers, from 1, of what is called `name`."""
        return np.flatnonzero(self.categories == name) + 1

    def mask(self, name: str) -> np.ndarray:
        """The pixels (h, w) of a name."""
        return np.isin(self.shown, self.objects(name))

    def cells(self, name: str) -> np.ndarray:
        """The cells (c,) of a name."""
        return self.filled[self.objects(name) - 1].any(axis=0)

    def points(self) -> np.ndarray:
        """Points (h * w, 3) float32 of the pixels in the frame of the box; NaN for empty pixels."""
        depth = np.where(self.depth > 0, self.depth, np.nan)
        return moved(unproject(depth, self.intrinsics), self.pose).astype(np.float32)

    def visible(self, least: int = 12) -> list[str]:
        """Names with so many pixels and a cell in view, sorted."""
        every = sorted(set(self.categories.tolist()))
        return [n for n in every if self.mask(n).sum() >= least and (self.cells(n) & self.in_view).any()]


def cells_of(points: np.ndarray) -> np.ndarray:
    """Cells (c,) that points (n, 3) of the box's frame fill, and those they enclose, beyond the box too."""
    index = np.floor((points - SIZES.low) / CELL).astype(np.int64)
    low = index.min(axis=0)
    own = np.zeros(index.max(axis=0) - low + 1, dtype=bool)
    own[tuple((index - low).T)] = True
    inside = np.argwhere(binary_fill_holes(own)) + low
    inside = inside[((inside >= 0) & (inside < SIZES.side)).all(axis=1)]
    cells = np.zeros((SIZES.side,) * 3, dtype=bool)
    cells[tuple(inside.T)] = True
    return cells.reshape(-1)


def numbered(made: RoomView) -> np.ndarray:
    """The object that each pixel shows (h, w) uint8, as `Sample.shown`."""
    return np.array([*(LAYOUT.get(one.name, one.instance) for one in made.pieces), 0], dtype=np.uint8)[made.surface]


def sample_of(made: RoomView, seed: int = 0) -> Sample:
    """The view of a generated room as a sample; seed: of the points by which cells are found."""
    view, frame = made.view, camera_frame(made.view.pose)
    pose, rng = frame @ view.pose, np.random.RandomState([seed, 18])
    shown, middles = numbered(made), moved(CENTERS, np.linalg.inv(frame))
    filled, boxes, within = [], [], []
    for piece in made.pieces:
        if not piece.instance:
            continue
        count = int(surface_area(piece.mesh) / SPACING**2) + 200
        points = moved(np.concatenate([sample_surface(piece.mesh, count, rng)[0], piece.mesh.vertices]), frame)
        filled.append(cells_of(points))
        boxes.append([points.min(axis=0), points.max(axis=0)])
        back = np.linalg.inv(made.items[piece.instance - 1].pose)
        own, center = moved(piece.mesh.vertices, back), moved(middles, back)
        within.append(((center >= own.min(axis=0)) & (center <= own.max(axis=0))).all(axis=1))
    cells = np.array(filled, dtype=bool).reshape(-1, len(CENTERS))
    in_view, pixel, gap = seen_cells(view.depth, view.intrinsics, pose)
    free = in_view & (gap > NEAR)
    floor = made.pieces[0].mesh.vertices[:, :2]
    room = ((middles[:, :2] > floor.min(axis=0)) & (middles[:, :2] < floor.max(axis=0))).all(axis=1)
    empty = in_view & (gap < -NEAR) & room & (middles[:, 2] > 0) & ~cells.any(axis=0)
    hides = shown.reshape(-1)[pixel] == np.arange(1, len(cells) + 1)[:, None]
    return Sample(
        np.nan_to_num(view.depth),
        shown,
        view.intrinsics,
        pose,
        np.array([item.category for item in made.items], dtype="U20"),
        np.array(boxes, dtype=np.float32).reshape(-1, 2, 3),
        cells,
        empty & hides,
        np.array(within, dtype=bool).reshape(cells.shape) & in_view & ~free,
        in_view,
        free,
    )


def seen_cells(depth: np.ndarray, intrinsics: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mask of cells in the picture (c,), pixel of each cell center (c,), and its distance in front of the surface.

    The last is in meters, below 0 behind the surface, NaN where the picture does not say.
    """
    at, ahead = project(CENTERS, intrinsics, pose)
    h, w = depth.shape
    with np.errstate(invalid="ignore"):
        in_view = (ahead > 0) & ((at >= -0.5) & (at < [w - 0.5, h - 0.5])).all(axis=1)
    column, row = np.where(in_view[:, None], np.rint(at), 0).astype(np.int64).T
    pixel = row * w + column
    return in_view, pixel, np.where(in_view, depth.reshape(-1)[pixel] - ahead, np.nan)


def drawn_view(seed: int, kinds: Sequence[str] = (*TRAINED * 3, *MORE), things: tuple[int, int] = (8, 13)) -> RoomView:
    """A room of 8 to 13 things, or other `things`, fewer where it is full; every other one has several of a kind."""
    rng = np.random.RandomState([seed, 19])
    if rng.random_sample() < 0.5:
        kinds = [kinds[i] for i in rng.randint(len(kinds), size=5)]
    noise, objects = float(rng.uniform(0, 1.5)), int(rng.randint(things[0], things[1] + 1))
    return room_view(seed, categories=kinds, objects=objects, noise=noise)


def save_shard(path: Path, samples: Sequence[Sample]) -> None:
    """Write samples; what is of objects one after the other, cells as bits, depth in half millimeters."""
    arrays: dict[str, Any] = {"counts": np.array([len(one.categories) for one in samples])}
    for field in fields(Sample):
        own = [getattr(one, field.name) for one in samples]
        whole = np.concatenate(own) if field.name in PER_OBJECT else np.stack(own)
        arrays[field.name] = np.packbits(whole, axis=-1) if whole.dtype == bool else whole
    arrays["depth"] = np.rint(arrays["depth"] * 2000).astype(np.uint16)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


class Views:
    """The samples of some shards, in memory as they are on disk: cells as bits."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.shards: list[dict[str, np.ndarray]] = []
        self.places: list[tuple[int, int, slice]] = []
        for path in sorted(paths):
            with np.load(path) as file:
                self.shards.append(dict(file))
            ends = np.cumsum(self.shards[-1].pop("counts"))
            starts = np.r_[0, ends[:-1]]
            rows = [slice(start, end) for start, end in zip(starts, ends, strict=True)]
            self.places += [(len(self.shards) - 1, i, own) for i, own in enumerate(rows)]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, i: int) -> Sample:
        shard, place, rows = self.places[i]
        own = {key: array[rows if key in PER_OBJECT else place] for key, array in self.shards[shard].items()}
        own |= {key: np.unpackbits(own[key], axis=-1).astype(bool) for key in BITS}
        return Sample(**own | {"depth": own["depth"].astype(np.float32) / 2000})


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.completion_samples", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--views", type=int, default=2000, help="of training (default: 2000)")
    parser.add_argument("--held-out", type=int, default=100, help="whose cut-off is taken (default: 100)")
    args = parser.parse_args(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    for what, first, count in (("held-out", FIRST_HELD_OUT, args.held_out), ("train", FIRST_SEED, args.views)):
        for start in range(0, count, SHARD):
            path = args.folder / f"{what}-{start // SHARD:03d}.npz"
            seeds = range(first + start, first + min(start + SHARD, count))
            if not path.is_file() or len(Views([path])) < len(seeds):  # fewer were asked for before
                save_shard(path, [sample_of(drawn_view(seed), seed) for seed in seeds])
                print(f"{path}  {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()

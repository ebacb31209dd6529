"""Training data of `train_completion`: views of generated rooms, with the cells that every object fills.

Making a view takes 0.1 to 0.2 s, three times as long as a training step. Views are therefore made once and stored in
shards of `SHARD`: `python -m benchmarks.training.completion_samples DIR`.

Cells are those of the box of `SIZES` in front of the camera. Its origin is on the floor below the camera; x is ahead,
y left, z up. An object fills the cells that its surface intersects or encloses.
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
# categories in no training room
NEVER = (
    *("bathtub", "bench", "bin", "fan", "laptop", "microwave", "night stand", "piano", "stool", "toilet", "tv stand"),
    "wardrobe",
)
TRAINED = tuple(name for name in FURNITURE if name not in NEVER)
# further training categories, not furniture
MORE = (
    *("bag", "ball", "bicycle", "bucket", "clock", "dog", "door", "guitar", "ladder", "person", "skateboard"),
    *("stairs", "teapot", "tent", "traffic cone", "tree", "umbrella"),
)
CONTAINERS = (
    *("bathtub", "bin", "bookshelf", "box", "bowl", "bucket", "cabinet", "desk", "dresser", "microwave"),
    *("night stand", "refrigerator", "sink", "stove", "tv stand", "wardrobe", "washing machine"),
)
LAYOUT = {"floor": 253, "wall": 254, "ceiling": 255}  # values in an image of instances; 0: no surface
SPACING = 0.02  # meters between the surface points that determine filled cells
SHARD = 100
NEAR = 0.08  # meters; closer cells are neither in front of nor behind a surface
PER_OBJECT = ("categories", "boxes", "filled", "behind", "within")
BITS = ("filled", "behind", "within", "in_view", "free")
# first seeds of training rooms, and of held-out rooms, which choose the cut-off; benchmarks use smaller seeds
FIRST_SEED, FIRST_HELD_OUT = 1 << 25, 1 << 26


@dataclass(frozen=True, eq=False)
class Sample:
    """A view and its truth; c cells, k objects."""

    depth: np.ndarray  # (h, w) float32
    shown: np.ndarray  # (h, w) uint8: object number, from 1; 0 for nothing, `LAYOUT` for floor, walls and ceiling
    intrinsics: np.ndarray  # (3, 3)
    pose: np.ndarray  # (4, 4), camera to the frame of the box
    categories: np.ndarray  # (k,) of str
    boxes: np.ndarray  # (k, 2, 3), in the frame of the box
    filled: np.ndarray  # (k, c) bool, cells that each object fills
    behind: np.ndarray  # (k, c) bool, hidden cells behind each object
    within: np.ndarray  # (k, c) bool, hidden cells in the bounding box of each object
    in_view: np.ndarray  # (c,) bool, cells with their center in the image
    free: np.ndarray  # (c,) bool, cells visible as empty

    def objects(self, name: str) -> np.ndarray:
        """Numbers, from 1, of the objects with a name."""
        return np.flatnonzero(self.categories == name) + 1

    def mask(self, name: str) -> np.ndarray:
        """Mask (h, w) of the pixels of a name."""
        return np.isin(self.shown, self.objects(name))

    def cells(self, name: str) -> np.ndarray:
        """Mask (c,) of the cells of a name."""
        return self.filled[self.objects(name) - 1].any(axis=0)

    def points(self) -> np.ndarray:
        """Points (h * w, 3) float32 of the pixels in the frame of the box; NaN for empty pixels."""
        depth = np.where(self.depth > 0, self.depth, np.nan)
        return moved(unproject(depth, self.intrinsics), self.pose).astype(np.float32)

    def visible(self, least: int = 12) -> list[str]:
        """Sorted names with at least `least` pixels and a cell in view."""
        every = sorted(set(self.categories.tolist()))
        return [n for n in every if self.mask(n).sum() >= least and (self.cells(n) & self.in_view).any()]


def cells_of(points: np.ndarray) -> np.ndarray:
    """Mask (c,) of cells that surface points (n, 3) in the box's frame fill or enclose; points may lie outside."""
    index = np.floor((points - SIZES.low) / CELL).astype(np.int64)
    low = index.min(axis=0)
    surface = np.zeros(index.max(axis=0) - low + 1, dtype=bool)
    surface[tuple((index - low).T)] = True
    inside = np.argwhere(binary_fill_holes(surface)) + low
    inside = inside[((inside >= 0) & (inside < SIZES.side)).all(axis=1)]
    cells = np.zeros((SIZES.side,) * 3, dtype=bool)
    cells[tuple(inside.T)] = True
    return cells.reshape(-1)


def numbered(made: RoomView) -> np.ndarray:
    """Object number at each pixel (h, w) uint8, as in `Sample.shown`."""
    return np.array([*(LAYOUT.get(one.name, one.instance) for one in made.pieces), 0], dtype=np.uint8)[made.surface]


def sample_of(made: RoomView, seed: int = 0) -> Sample:
    """The sample of a generated room; seed: of the surface points that determine filled cells."""
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
        corner, center = moved(piece.mesh.vertices, back), moved(middles, back)
        within.append(((center >= corner.min(axis=0)) & (center <= corner.max(axis=0))).all(axis=1))
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
    """Mask (c,) of cells in the image, pixel (c,) of each cell center, and its distance (c,) in front of the surface.

    Distances are in meters, negative behind the surface, NaN without a depth.
    """
    at, ahead = project(CENTERS, intrinsics, pose)
    h, w = depth.shape
    with np.errstate(invalid="ignore"):
        in_view = (ahead > 0) & ((at >= -0.5) & (at < [w - 0.5, h - 0.5])).all(axis=1)
    column, row = np.where(in_view[:, None], np.rint(at), 0).astype(np.int64).T
    pixel = row * w + column
    return in_view, pixel, np.where(in_view, depth.reshape(-1)[pixel] - ahead, np.nan)


def drawn_view(seed: int, kinds: Sequence[str] = (*TRAINED * 3, *MORE), things: tuple[int, int] = (8, 13)) -> RoomView:
    """A room with a random number of objects, 8 to 13 by default, or fewer if it is full.

    Half of the rooms have five categories only, and therefore several objects of a kind.
    """
    rng = np.random.RandomState([seed, 19])
    if rng.random_sample() < 0.5:
        kinds = [kinds[i] for i in rng.randint(len(kinds), size=5)]
    noise, objects = float(rng.uniform(0, 1.5)), int(rng.randint(things[0], things[1] + 1))
    return room_view(seed, categories=kinds, objects=objects, noise=noise)


def save_shard(path: Path, samples: Sequence[Sample]) -> None:
    """Write samples: arrays per object are concatenated, cells are bits, depth is in half millimeters."""
    arrays: dict[str, Any] = {"counts": np.array([len(one.categories) for one in samples])}
    for field in fields(Sample):
        each = [getattr(one, field.name) for one in samples]
        whole = np.concatenate(each) if field.name in PER_OBJECT else np.stack(each)
        arrays[field.name] = np.packbits(whole, axis=-1) if whole.dtype == bool else whole
    arrays["depth"] = np.rint(arrays["depth"] * 2000).astype(np.uint16)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


class Views:
    """The samples of some shards; in memory as on disk, with cells as bits."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.shards: list[dict[str, np.ndarray]] = []
        self.places: list[tuple[int, int, slice]] = []
        for path in sorted(paths):
            with np.load(path) as file:
                self.shards.append(dict(file))
            ends = np.cumsum(self.shards[-1].pop("counts"))
            starts = np.r_[0, ends[:-1]]
            rows = [slice(start, end) for start, end in zip(starts, ends, strict=True)]
            self.places += [(len(self.shards) - 1, i, objects) for i, objects in enumerate(rows)]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, i: int) -> Sample:
        shard, place, rows = self.places[i]
        parts = {key: array[rows if key in PER_OBJECT else place] for key, array in self.shards[shard].items()}
        parts |= {key: np.unpackbits(parts[key], axis=-1).astype(bool) for key in BITS}
        return Sample(**parts | {"depth": parts["depth"].astype(np.float32) / 2000})


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.completion_samples", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--views", type=int, default=2000, help="training views (default: 2000)")
    parser.add_argument("--held-out", type=int, default=100, help="held-out views for the cut-off (default: 100)")
    args = parser.parse_args(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    for what, first, count in (("held-out", FIRST_HELD_OUT, args.held_out), ("train", FIRST_SEED, args.views)):
        for start in range(0, count, SHARD):
            path = args.folder / f"{what}-{start // SHARD:03d}.npz"
            seeds = range(first + start, first + min(start + SHARD, count))
            if not path.is_file() or len(Views([path])) < len(seeds):  # or a shard of an earlier, smaller run
                save_shard(path, [sample_of(drawn_view(seed), seed) for seed in seeds])
                print(f"{path}  {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()

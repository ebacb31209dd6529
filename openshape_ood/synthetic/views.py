"""Images of generated rooms by one camera: color, depth, and the object of each pixel.

>>> seen = room_view(seed=1, categories=["chair", "table"], objects=3)
>>> seen.view.shape, seen.instances.shape, seen.names[0]
((72, 96), (72, 96), 'none')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from openshape_ood.checks import check_positive, check_seed, check_whole
from openshape_ood.errors import InputError
from openshape_ood.synthetic.rooms import FURNITURE
from openshape_ood.synthetic.rooms.furnish import Item, furnish
from openshape_ood.synthetic.rooms.pieces import Piece, draw_tones, dyed
from openshape_ood.synthetic.sampling import sample_surface, surface_area
from openshape_ood.views import View
from openshape_ood.views.geometry import looking, project

FIELD = np.radians(70.0)  # horizontal field of view
EYE = (1.2, 1.7)  # meters above the floor
PITCH = np.radians((10.0, 28.0))
REACH = (0.8, 4.2)  # meters from the camera to objects
CLEAR = 0.35  # minimum meters between the camera and objects at its height
CAMERAS = 24  # candidate camera poses; the pose that shows most objects is used
BLOCK = 2_000_000  # pairs of pixel and triangle that are tested at once


@dataclass(frozen=True, eq=False)
class RoomView:
    """View of a generated room, with the surfaces and objects of the room.

    Attributes
    ----------
    view : View
    surface : ndarray (h, w)
        Index in `pieces` of each pixel; -1 for none.
    pieces : tuple of Piece
        All surfaces, visible or not, in the view's world frame: meters, z up.
    items : tuple of Item
        All objects. Item i has instance i + 1.
    """

    view: View
    surface: np.ndarray
    pieces: tuple[Piece, ...]
    items: tuple[Item, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each instance; instance 0 (floor, walls, ceiling) is "none"."""
        return ("none", *(item.category for item in self.items))

    @property
    def instances(self) -> np.ndarray:
        """Instance of each pixel (h, w); 0 for floor, walls, ceiling and pixels without a surface."""
        return np.array([*(piece.instance for piece in self.pieces), 0])[self.surface]

    def mask(self, name: str) -> np.ndarray:
        """Mask (h, w) of all pixels of a category, or of "floor", "wall" or "ceiling"."""
        return np.array([*(piece.name == name for piece in self.pieces), False])[self.surface]

    def surface_points(self, spacing: float = 0.03, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 3) of all surfaces, visible or not, about `spacing` meters apart; and their piece's index (n,)."""
        square = check_positive(spacing, "spacing") ** 2
        rng = np.random.RandomState([check_seed(seed), 17])
        clouds = [sample_surface(one.mesh, int(surface_area(one.mesh) / square) + 1, rng)[0] for one in self.pieces]
        return np.concatenate(clouds), np.repeat(np.arange(len(clouds)), [len(cloud) for cloud in clouds])


def room_view(
    seed: int,
    *,
    categories: Sequence[str] = FURNITURE,
    foreign: Sequence[str] = (),
    objects: int | None = None,
    size: tuple[int, int] = (72, 96),
    noise: float = 0.0,
) -> RoomView:
    """Generate a room and its view by a camera at eye height. The same arguments give the same view.

    The camera is near the edge of the room and looks across it. Of several random poses, the pose that shows most
    objects is used.

    Parameters
    ----------
    seed, categories, foreign
        As in `rooms.room`. The camera is turned to foreign objects if possible.
    objects : int, optional
        Number of objects from `categories`; fewer if the room is full. Default: 5 to 9, chosen by the seed.
    size : pair of int, default (72, 96)
        Height and width of the image.
    noise : float, default 0.0
        Factor of a depth camera's noise. Its deviation is 1.2 mm + 1.9 mm * (depth - 0.4)^2, for a depth of at least
        0.4 m; nearer, it is 1.2 mm.

    Raises
    ------
    UnknownNameError, InputError
        As in `rooms.room`.
    """
    check_seed(seed)
    h, w = (check_whole(side, "size", 2) for side in size)
    if not noise >= 0:
        raise InputError(f"noise is {noise!r}. Expected a number of at least 0. Give 1, for example.")
    rng = np.random.RandomState([seed, 16])
    plain, items = furnish(rng, categories, foreign, objects, usual=(5, 10))
    tones = draw_tones(rng)
    pieces = tuple(dyed(piece, tones, rng) for piece in plain)
    focal = w / 2 / np.tan(FIELD / 2)
    intrinsics = np.array([[focal, 0, (w - 1) / 2], [0, focal, (h - 1) / 2], [0, 0, 1]])
    pose = _camera(items, pieces[0], intrinsics, (h, w), rng)
    view, surface = render(pieces, intrinsics, pose, (h, w), name=f"room {seed}")
    if noise:
        away = noise * (0.0012 + 0.0019 * np.maximum(view.depth - 0.4, 0) ** 2)
        view = replace(view, depth=np.maximum(view.depth + away * rng.normal(size=(h, w)), 0.01))
    return RoomView(view, surface, pieces, items)


def _camera(
    items: Sequence[Item], floor: Piece, intrinsics: np.ndarray, size: tuple[int, int], rng: np.random.RandomState
) -> np.ndarray:
    """Camera pose (4, 4) with the most objects in the image; a foreign object counts as ten."""
    side = floor.mesh.vertices[:, :2].max(axis=0)
    boxes = np.array([item.box for item in items]).reshape(-1, 2, 3)
    middles = boxes.mean(axis=1)
    weight = np.array([10.0 if item.foreign else 1.0 for item in items])
    best, most = np.eye(4), -np.inf
    for _ in range(CAMERAS):
        way = rng.uniform(-np.pi, np.pi)
        edge = 0.42 * side * np.array([np.cos(way), np.sin(way)]) / np.abs([np.cos(way), np.sin(way)]).max()
        eye = np.array([*(side / 2 + edge * rng.uniform(0.6, 1)), rng.uniform(*EYE)])
        aim = side / 2 + rng.uniform(-0.25, 0.25, 2) * side - eye[:2]
        pose = looking(eye, float(np.arctan2(aim[1], aim[0])), rng.uniform(*PITCH))
        near = (boxes[:, 0] - CLEAR < eye).all(axis=1) & (boxes[:, 1] + CLEAR > eye).all(axis=1)
        seen, ahead = project(middles, intrinsics, pose)
        inside = (np.abs(seen - intrinsics[:2, 2]) < np.array(size)[::-1] * 0.45).all(axis=1)
        inside &= (ahead > REACH[0]) & (ahead < REACH[1])
        score = float(weight[inside].sum()) - 100 * near.any()
        if score > most:
            best, most = pose, score
    return best


def render(
    pieces: Sequence[Piece], intrinsics: np.ndarray, pose: np.ndarray, size: tuple[int, int], *, name: str = "view"
) -> tuple[View, np.ndarray]:
    """Exact view of surfaces, which are visible from both sides, and the index (h, w) of each pixel's piece.

    The index of pixels without a surface is -1.

    Parameters
    ----------
    pieces : sequence of Piece
        Meters, in the world frame. Pieces without color are gray.
    intrinsics : ndarray (3, 3)
    pose : ndarray (4, 4)
        From camera to world.
    size : (int, int)
        Height and width.
    """
    corners = np.concatenate([one.mesh.vertices[one.mesh.faces] for one in pieces])
    piece = np.repeat(np.arange(len(pieces)), [len(one.mesh.faces) for one in pieces])
    color = np.concatenate([_colors(one) for one in pieces])
    depth, face = _nearest((corners - pose[:3, 3]) @ pose[:3, :3], intrinsics, size)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    # light from above and, weaker, from the camera; both sides of a surface are equally bright
    light = 0.6 + 0.25 * np.abs(normals[:, 2:]) + 0.15 * np.abs(normals @ pose[:3, 2])[:, None]
    rgb = np.where(face[..., None] >= 0, (color * light)[face], 0.5)
    surface = np.where(face >= 0, piece[face], -1)
    return View(rgb, np.where(face >= 0, depth, np.nan), intrinsics, pose, name=name), surface


def _colors(piece: Piece) -> np.ndarray:
    """Color (f, 3) of each triangle."""
    return np.full((len(piece.mesh.faces), 3), 0.6) if piece.color is None else piece.color[piece.mesh.parts]


def _nearest(corners: np.ndarray, intrinsics: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Depth (h, w), and index (h, w) of the nearest triangle, -1 for none. corners (f, 3, 3): in the camera's frame."""
    h, w = size
    # The columns of a matrix are the corners of a triangle. Its inverse times (u, v, 1) gives barycentric coordinates
    # divided by depth: all are positive inside, and their sum is 1 / depth. So triangles that reach behind the camera
    # need no clipping.
    seen = (corners @ intrinsics.T).swapaxes(1, 2)
    sizes = np.abs(seen).max(axis=(1, 2)) ** 3
    rows = np.flatnonzero((np.abs(np.linalg.det(seen)) > 1e-12 * sizes) & _ahead(seen, (w, h)))
    low, high = _boxes(seen[rows], (w, h))
    rows, low, high = (array[(high > low).all(axis=1)] for array in (rows, low, high))
    edges = np.moveaxis(np.linalg.inv(seen[rows]), 0, -1).copy()
    wide = high - low
    counts = wide[:, 0] * wide[:, 1]
    inverse, face = np.zeros(h * w), np.full(h * w, -1)
    ends = np.cumsum(counts)
    start = 0
    while start < len(rows):
        stop = max(start + 1, int(np.searchsorted(ends, ends[start] - counts[start] + BLOCK, side="right")))
        part = np.repeat(np.arange(start, stop), counts[start:stop])
        within = np.arange(len(part)) - np.repeat(ends[start:stop] - counts[start:stop], counts[start:stop])
        within += ends[start] - counts[start]
        v, u = np.divmod(within, wide[part, 0])
        u += low[part, 0]
        v += low[part, 1]
        share = [(edges[i, 0][part] * u + edges[i, 1][part] * v) + edges[i, 2][part] for i in range(3)]
        near = share[0] + share[1] + share[2]
        hit = np.flatnonzero((np.minimum(np.minimum(share[0], share[1]), share[2]) >= -1e-9 * near) & (near > 0))
        pixel, near, part = v[hit] * w + u[hit], near[hit], part[hit]
        order = np.lexsort((part, -near, pixel))  # for each pixel the nearest triangle; of equal depths the first
        first = order[np.flatnonzero(np.diff(pixel[order], prepend=-1))]
        first = first[near[first] > inverse[pixel[first]]]
        inverse[pixel[first]], face[pixel[first]] = near[first], rows[part[first]]
        start = stop
    with np.errstate(divide="ignore"):
        return (1 / inverse).reshape(size), face.reshape(size)


def _ahead(seen: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mask (f,) of triangles that may be in the image. It excludes triangles behind the camera or beyond one border."""
    sides = [seen[:, 2], *seen[:, :2].swapaxes(0, 1)]
    sides += [(side - 1) * seen[:, 2] - seen[:, axis] for axis, side in enumerate(size)]
    return np.logical_and.reduce([side.max(axis=1) >= 0 for side in sides])


def _boxes(seen: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """First and last (exclusive) pixel (f, 2) of each triangle, as u and v.

    For a triangle that reaches behind the camera, the range is the whole image.
    """
    front = seen[:, 2].min(axis=1) > 1e-6
    flat = seen[:, :2] / np.where(front, seen[:, 2].T, 1).T[:, None]
    low, high = np.ceil(flat.min(axis=2) - 1e-9), np.floor(flat.max(axis=2) + 1e-9) + 1
    low[~front], high[~front] = 0, size
    return np.clip(low, 0, size).astype(np.int64), np.clip(high, 0, size).astype(np.int64)

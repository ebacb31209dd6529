"""Floor, ceiling and walls of a z-up scan: deterministic plane detection, and the voxels on each plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from openshape_ood.scenes.proposals.grid import Grid

Kind = Literal["floor", "ceiling", "wall"]

LEVEL, UPRIGHT = 0.85, 0.25  # |z| of normals: minimum for horizontal, maximum for vertical surfaces
BIN = 0.025  # meters, bin of histograms of heights and distances
ANGLES = 90  # number of wall directions over half a turn
AGREE = 0.9  # minimum |cosine| between a voxel's normal and its plane's normal
THICK = 0.04  # meters; voxels at most this far from a plane, or 1.2 spacings if more, are on it
AREA = 1.0  # square meters, minimum area of floor or ceiling
LENGTH, HEIGHT = 1.2, 1.5  # meters, minimum size of a wall
BEHIND = 0.12  # maximum fraction of the voxels behind a wall
UNDER = 0.05  # maximum fraction of the voxels below the floor, or above the ceiling
ROOM = 1.8  # meters, minimum height of the ceiling above the floor
BEFORE = 0.8  # meters; a vertical surface closer to a parallel wall is furniture
WALLS = 16  # maximum number of walls
SHARE = 0.5  # a superpoint with at least this fraction of its voxels on planes is layout


@dataclass(frozen=True, eq=False)
class Plane:
    """Removed plane: normal @ point = offset, with normal (3,). rows: its voxels; in a `Proposals`, its points."""

    kind: Kind
    normal: np.ndarray
    offset: float
    rows: np.ndarray


def find_planes(grid: Grid, direction: np.ndarray) -> list[Plane]:
    """Floor, ceiling and walls, each with the voxels that are on it and have its normal."""
    thick = max(THICK, 1.2 * grid.spacing)
    level = _level(grid, direction, thick)
    return level + _walls(grid, direction, thick, level)


def on_planes(planes: list[Plane], piece: np.ndarray) -> np.ndarray:
    """Plane (v,) of each voxel, -1 for none.

    Only superpoints with at least half of their voxels on planes are assigned. Their remaining voxels get the plane
    with the most voxels of the superpoint.
    """
    owner = np.full(len(piece), -1)
    for i, plane in enumerate(planes):
        owner[plane.rows[owner[plane.rows] < 0]] = i
    if not planes:
        return owner
    votes = np.zeros((int(piece.max()) + 1, len(planes)), dtype=np.int64)
    np.add.at(votes, (piece[owner >= 0], owner[owner >= 0]), 1)
    gone = votes.sum(axis=1) >= SHARE * np.bincount(piece)
    most = votes.argmax(axis=1)
    return np.where(gone[piece], np.where(owner >= 0, owner, most[piece]), -1)


def _level(grid: Grid, direction: np.ndarray, thick: float) -> list[Plane]:
    """Floor: lowest large horizontal plane with almost no voxels below. Ceiling: highest one with almost none above."""
    height, cell = grid.places[:, 2], grid.spacing**2
    flat = np.abs(direction[:, 2]) > LEVEL
    if flat.sum() * cell < AREA:
        return []
    bins = np.floor((height - height.min()) / BIN).astype(np.int64)
    count = np.convolve(np.bincount(bins[flat], minlength=bins.max() + 1), np.ones(3), "same")
    large = np.flatnonzero(count * cell >= max(AREA, 0.2 * count.max() * cell))
    planes: list[Plane] = []
    orders: dict[Kind, np.ndarray] = {"floor": large, "ceiling": large[::-1]}
    for kind, order in orders.items():
        for place in order:
            plane = _fitted(grid, direction, flat & (np.abs(bins - place) <= 1), thick, kind)
            if plane is None:
                continue
            # heights relative to the plane, whose normal points up
            side = grid.places @ plane.normal - plane.offset
            beyond = (side < -2 * thick) if kind == "floor" else (side > 2 * thick)
            if beyond.mean() <= UNDER and (kind == "floor" or plane.offset - planes[0].offset > ROOM):
                planes.append(plane)
                break
        if not planes:
            break
    return planes


def _walls(grid: Grid, direction: np.ndarray, thick: float, level: list[Plane]) -> list[Plane]:
    """Walls: peaks in a histogram over direction and distance of vertical surfaces."""
    left = np.abs(direction[:, 2]) < UPRIGHT
    for plane in level:
        left[plane.rows] = False
    angle = np.arctan2(direction[:, 1], direction[:, 0]) % np.pi
    walls = []
    reach = np.linalg.norm(grid.places[:, :2], axis=1).max() + BIN
    columns = int(2 * reach / BIN) + 1
    turns = np.pi / ANGLES * np.arange(ANGLES)
    units = np.stack([np.cos(turns), np.sin(turns)])
    rows = np.flatnonzero(left)
    # every voxel votes for five directions around its normal
    slot = (np.rint(angle[rows] / (np.pi / ANGLES)).astype(np.int64)[:, None] + np.arange(-2, 3)) % ANGLES
    along = np.einsum("ij,jik->ik", grid.places[rows, :2], units.T[slot].transpose(2, 0, 1))
    votes = slot * columns + np.floor((along + reach) / BIN).astype(np.int64)
    alive = np.ones(len(rows), dtype=bool)
    for _ in range(3 * WALLS):
        if alive.sum() * grid.spacing**2 < LENGTH * HEIGHT / 4:
            break
        table = np.bincount(votes[alive].reshape(-1), minlength=ANGLES * columns).reshape(ANGLES, columns)
        table[:, :-1] += table[:, 1:]
        place = int(table.argmax())
        if table.reshape(-1)[place] * grid.spacing**2 < LENGTH * HEIGHT / 4:
            break
        turn, column = divmod(place, columns)
        normal = np.array([*units[:, turn], 0.0])
        near = np.zeros(len(left), dtype=bool)
        near[rows] = alive & (np.abs(grid.places[rows] @ normal + reach - (column + 1) * BIN) <= 2 * BIN)
        wall = _fitted(grid, direction, near, thick, "wall")
        if wall is not None:
            near[wall.rows] = True
        alive &= ~near[rows]
        if wall is not None and _is_wall(grid, wall, thick):
            walls.append(wall)
    return _outermost(grid, walls)[:WALLS]


def _fitted(grid: Grid, direction: np.ndarray, near: np.ndarray, thick: float, kind: Kind) -> Plane | None:
    """Least-squares plane through the voxels `near` (v,), with all voxels on the plane; None if unsuitable."""
    for _ in range(2):
        if near.sum() < 3:
            return None
        middle = grid.places[near].mean(axis=0)
        spread = grid.places[near] - middle
        normal = np.linalg.eigh(spread.T @ spread)[1][:, 0]
        if kind == "wall":
            normal = np.array([normal[0], normal[1], 0.0])
        length = np.linalg.norm(normal)
        if length < AGREE or (kind != "wall" and abs(normal[2]) < AGREE):
            return None
        normal *= (1.0 if kind == "wall" or normal[2] > 0 else -1.0) / length
        offset = float(middle @ normal)
        near = (np.abs(grid.places @ normal - offset) <= thick) & (np.abs(direction @ normal) > AGREE)
    return Plane(kind, normal, offset, np.flatnonzero(near)) if near.any() else None


def _is_wall(grid: Grid, plane: Plane, thick: float) -> bool:
    places = grid.places[plane.rows]
    low, high = np.quantile(places[:, 2], [0.02, 0.98])
    along = places[:, :2] @ np.array([-plane.normal[1], plane.normal[0]])
    length = np.subtract(*np.quantile(along, [0.98, 0.02]))
    return bool(high - low >= HEIGHT and length >= LENGTH and _behind(grid, plane, thick) <= BEHIND)


def _behind(grid: Grid, plane: Plane, thick: float) -> float:
    """Fraction of the voxels behind a wall, which is the side with fewer voxels."""
    side = grid.places @ plane.normal - plane.offset
    return float(min((side > 2 * thick).mean(), (side < -2 * thick).mean()))


def _outermost(grid: Grid, walls: list[Plane]) -> list[Plane]:
    """Walls, largest first, without surfaces close in front of another wall, such as cupboard fronts."""
    kept: list[Plane] = []
    for wall in sorted(walls, key=lambda one: (round(_behind(grid, one, THICK), 6), -len(one.rows))):
        middle = np.median(grid.places[wall.rows], axis=0)
        before = (
            abs(one.normal @ wall.normal) > AGREE and 2 * THICK < abs(one.normal @ middle - one.offset) < BEFORE
            for one in kept
        )
        if not any(before):
            kept.append(wall)
    return sorted(kept, key=lambda one: -len(one.rows))

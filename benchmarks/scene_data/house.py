"""The small house of `--real DIR`: a furnished house of free CAD models, scanned like the generated rooms.

`DIR/small_house_layout.json` has for each model the mesh in `DIR`, scale, class, poses, and `structure`: true for parts
of the building. Layout and meshes (MIT-0, aws-robomaker-small-house-world) are not part of this project. The scans are
gray: there are no textures, and a color per model would reveal the objects.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from openshape_ood.errors import InputError
from openshape_ood.shapes.formats.dae import read_dae
from openshape_ood.shapes.guards import SideFiles
from openshape_ood.synthetic.calibration import resolve
from openshape_ood.synthetic.mesh import Mesh
from openshape_ood.synthetic.rooms import Room
from openshape_ood.synthetic.rooms.furnish import Item
from openshape_ood.synthetic.rooms.pieces import LABELS, Piece, pose_of, posed
from openshape_ood.synthetic.rooms.rescans import FARTHER, Planted, RoomPair
from openshape_ood.synthetic.rooms.rescans import SPACING as DRAWN
from openshape_ood.synthetic.rooms.scanning import scan_pieces
from openshape_ood.synthetic.sampling import sample_surface
from openshape_ood.views.geometry import moved as shifted

LAYOUT = "small_house_layout.json"
# low and high x of the three areas, which are scanned separately
AREAS = {"bedroom and study": (-11.0, -2.5), "living room": (-2.4, 4.7), "kitchen": (4.9, 11.0)}
VIEWS, SPACING = 24, 0.04
PAIR_VIEWS = 12
FIXED = ("door", "folding door", "curtain")  # on the floor, but not furniture
STANDS, LOWEST, SIDES = 0.15, 0.2, (0.3, 2.5)  # meters; limits for movable objects: lower edge, height, longest side
FARTHEST = 2.5  # meters; longest move
TRIES = 200
OFF = (0.02, 2.0)  # meters and degrees between the frames of both scans


def house_rooms(folder: Path, *, views: int = VIEWS, spacing: float = SPACING, seed: int = 0) -> list[Room]:
    """Scan the three areas of the house, each from `views` positions, with points about `spacing` meters apart.

    A class is named as its generated category if it has one, else as in the layout. Raises `InputError` if the layout
    or a mesh is missing.
    """
    pieces, items = assemble(folder)
    names = (*LABELS, *sorted({piece.name for piece in pieces} - set(LABELS)))
    labels = [names.index(piece.name) for piece in pieces]
    rooms = []
    for i, (title, (low, high)) in enumerate(AREAS.items()):
        area = np.array([low, -50.0, -0.5]), np.array([high, 50.0, 3.5])
        rng = np.random.RandomState([seed, i, 15])
        scene, eyes = scan_pieces(pieces, labels, rng, views=views, spacing=spacing, area=area, name=title)
        rooms.append(Room(scene, names, items, eyes))
    return rooms


def house_pair(folder: Path, seed: int) -> RoomPair:
    """An area of the house scanned twice, with one piece of furniture moved, one removed and one added in between.

    The second scan is 2 cm and 2° off, as in `room_pair`. Raises `InputError` if no place is free for the move.
    """
    pieces, items = assemble(folder)
    title, (low, high) = list(AREAS.items())[seed % len(AREAS)]
    rng = np.random.RandomState([seed, 34, 15])
    chosen = [int(i) for i in rng.permutation(_movable(items, low, high))]
    moved = next((made for i in chosen if (made := _elsewhere(pieces, items, i, (low, high), rng)) is not None), None)
    rest = [items[i] for i in chosen if moved is None or i != moved[0].instance - 1]
    if moved is None or len(rest) < 2:
        raise InputError(f"the {title} has no free place for a move. Expected one. Take another seed")
    old, piece, new = moved
    changes = Planted("moved", old, new), Planted("removed", rest[0], None), Planted("added", None, rest[1])
    scans = []
    for late in (False, True):
        absent = {item.instance for one in changes if (item := one.before if late else one.after) is not None}
        there = [one for one in (*pieces, piece) if one.instance not in absent]
        names = (*LABELS, *sorted({one.name for one in pieces} - set(LABELS)))
        own, drawn = np.random.RandomState(rng.randint(2**31)), rng.uniform(*DRAWN)
        area = np.array([low, -50.0, -0.5]), np.array([high, 50.0, 3.5])
        labels = [names.index(one.name) for one in there]
        scans.append(
            scan_pieces(there, labels, own, views=PAIR_VIEWS, spacing=drawn, area=area, name=f"{title}, pair {seed}")
        )
    (before, eyes), (after, later_eyes) = scans
    direction, yaw = rng.uniform(-np.pi, np.pi), np.radians(OFF[1]) * rng.choice((-1, 1))
    middle = before.points.mean(axis=0)[:2]
    pose = pose_of(middle + OFF[0] * np.array([np.cos(direction), np.sin(direction)]), 0.0, yaw) @ pose_of(
        -middle, 0.0, 0.0
    )
    back = np.linalg.inv(pose)
    after = replace(after, points=shifted(after.points, back))
    return RoomPair(before, after, pose, changes, (*items, new), (eyes, shifted(later_eyes, back)))


def _movable(items: Sequence[Item], low: float, high: float) -> list[int]:
    """Indices of the furniture in an area that stands on the floor and carries nothing."""
    boxes = np.stack([item.box for item in items])
    sides = np.ptp(boxes, axis=1)
    listed = []
    for i, (box, item) in enumerate(zip(boxes, items, strict=True)):
        over = (boxes[:, 0, :2] < box[1, :2]).all(axis=1) & (boxes[:, 1, :2] > box[0, :2]).all(axis=1)
        over &= boxes[:, 0, 2] > box[0, 2] + 0.1
        inside = low < box[0, 0] and box[1, 0] < high and box[0, 2] < STANDS
        fits = SIDES[0] <= sides[i].max() <= SIDES[1] and sides[i, 2] > LOWEST
        if inside and fits and not over.any() and item.category not in FIXED:
            listed.append(i)
    return listed


def _elsewhere(
    pieces: Sequence[Piece], items: Sequence[Item], i: int, area: tuple[float, float], rng: np.random.RandomState
) -> tuple[Item, Piece, Item] | None:
    """Item `i`, and its piece and item at a free place of the area, with no wall in between; None without a place."""
    item = items[i]
    piece = next(one for one in pieces if one.instance == item.instance)
    others = [one for one in pieces if one.instance != item.instance]
    clouds = [sample_surface(one.mesh, 4000 if one.instance else 60_000, rng)[0] for one in others]
    low, high = item.box[0, 2] + 0.05, max(1.0, item.box[1, 2])
    taken = [cloud[(cloud[:, 2] > low) & (cloud[:, 2] < high), :2] for cloud in clouds]
    walls = cKDTree(np.concatenate([own for own, one in zip(taken, others, strict=True) if not one.instance]))
    cloud = np.concatenate(taken)
    middle = item.box.mean(axis=0)
    for _ in range(TRIES):
        away, angle, yaw = rng.uniform(FARTHER, FARTHEST), rng.uniform(-np.pi, np.pi), rng.uniform(-np.pi, np.pi)
        target = middle[:2] + away * np.array([np.cos(angle), np.sin(angle)])
        matrix = pose_of(target, 0.0, yaw) @ pose_of(-middle[:2], 0.0, 0.0)
        mesh = posed(piece.mesh, matrix)
        box = np.stack([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)])
        near = ((cloud > box[0, :2] - 0.1) & (cloud < box[1, :2] + 0.1)).all(axis=1)
        way = middle[:2] + np.linspace(0, 1, 40)[:, None] * (target - middle[:2])
        walled = walls.query(way)[0].min() < 0.1
        if area[0] < box[0, 0] and box[1, 0] < area[1] and not near.any() and not walled:
            new = Item(item.category, len(items) + 1, False, matrix @ item.pose, box, source=item.source)
            return item, Piece(mesh, piece.name, new.instance, piece.color), new
    return None


def assemble(folder: Path) -> tuple[tuple[Piece, ...], tuple[Item, ...]]:
    """Every placed model of the house, z up, in meters; and the items, which are the models that are not structure."""
    pieces: list[Piece] = []
    items: list[Item] = []
    for model, entry in _models(folder).items():
        if entry["mesh"] is None:  # a model without mesh
            continue
        mesh = _mesh(folder / entry["mesh"], float(entry["scale"]))
        name = resolve(entry["class"]) or entry["class"]
        for pose in entry["poses"]:
            matrix = pose_matrix(*map(float, pose))
            placed = posed(mesh, matrix)
            if entry["structure"]:
                pieces.append(Piece(placed, name))
                continue
            box = np.stack([placed.vertices.min(axis=0), placed.vertices.max(axis=0)])
            items.append(Item(name, len(items) + 1, False, matrix, box, source=model))
            pieces.append(Piece(placed, name, len(items)))
    return tuple(pieces), tuple(items)


def pose_matrix(x: float, y: float, z: float, roll: float, pitch: float, yaw: float) -> np.ndarray:
    """Matrix (4, 4) of a pose with angles in radians: rotation Rz(yaw) Ry(pitch) Rx(roll), then translation."""
    (cr, sr), (cp, sp), (cy, sy) = ((np.cos(angle), np.sin(angle)) for angle in (roll, pitch, yaw))
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = about_z @ about_y @ about_x, (x, y, z)
    return matrix


def _models(folder: Path) -> dict[str, Any]:
    path = folder / LAYOUT
    if not path.is_file():
        raise InputError(f"--real: {folder} holds no {LAYOUT}; expected the folder with the layout of the small house")
    models: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["models"]
    lost = [entry["mesh"] for entry in models.values() if entry["mesh"] and not (folder / entry["mesh"]).is_file()]
    if lost:
        raise InputError(f"--real: {folder} lacks {len(lost)} meshes of the layout, the first {lost[0]}")
    return models


def _mesh(path: Path, scale: float) -> Mesh:
    """Read a mesh file in meters; its unit is the scale in the layout, not the one in the file."""
    whole: Any = read_dae(path.read_bytes(), SideFiles(path.parent)).to_geometry()
    faces = np.asarray(whole.faces, dtype=np.int64)
    return Mesh(scale * np.asarray(whole.vertices, dtype=np.float64), faces, np.zeros(len(faces), dtype=np.int64))

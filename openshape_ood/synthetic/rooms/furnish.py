"""Placement of furniture in a room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openshape_ood.checks import check_whole
from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.synthetic import generate
from openshape_ood.synthetic.catalog import words
from openshape_ood.synthetic.mesh import Mesh
from openshape_ood.synthetic.rooms.floorplan import CELL, FloorPlan, Top, corners
from openshape_ood.synthetic.rooms.pieces import Piece, pose_of, posed, rectangle, upright, wall
from openshape_ood.synthetic.rooms.places import SOFT_SUPPORTS, SUPPORTS, TABLES, place_of
from openshape_ood.synthetic.sampling import sample_surface

DOOR = (0.9, 2.05)  # meters: width and height of the doorway
TRIES = 25
ORDER = {"wall": 0, "floor": 1, "seat": 2, "top": 3, "soft": 4}  # order of furnishing
LOW = 0.9  # meters: minimum height of lamps, clocks and other objects for tables that may stand on the floor
HUNG = {"curtain": 2.4, "sink": 0.85}  # meters: height of the upper edge of hanging objects
SMALL = 0.55  # meters: objects that are at least this wide do not stand on tables


@dataclass(frozen=True, eq=False)
class Item:
    """Object of a room.

    Attributes
    ----------
    instance : int
        Number of its points in `Scene.instances`, from 1.
    foreign : bool
    pose : ndarray (4, 4)
        Matrix from the mesh of `generate(category, seed)`, after `upright`, to the room.
    box : ndarray (2, 3)
        Lower and upper corner of the whole object in the room.
    seed : int
        Seed of the mesh; 0 if it is not generated.
    source : str
        Origin of the mesh.
    """

    category: str
    instance: int
    foreign: bool
    pose: np.ndarray
    box: np.ndarray
    seed: int = 0
    source: str = "generated"


class Furnisher:
    """A room, in which objects are placed one after the other."""

    def __init__(self, rng: np.random.RandomState) -> None:
        self.rng = rng
        self.width, self.depth, self.height = rng.uniform((3.4, 3.0, 2.4), (6.0, 5.0, 3.0))
        self.plan = FloorPlan(self.width, self.depth)
        self.items: list[Item] = []
        self.pieces: list[Piece] = self._shell()
        self.tops: list[tuple[str, float, Top]] = []
        self.tables: list[Table] = []

    def _shell(self) -> list[Piece]:
        """Floor, two to four walls, and sometimes a ceiling. One wall has a doorway."""
        rng, (w, d, h) = self.rng, (self.width, self.depth, self.height)
        x, y = np.array([w, 0, 0]), np.array([0, d, 0])
        pieces = [Piece(rectangle(np.zeros(3), x, y), "floor")]
        corner = np.array([[0, 0], [w, 0], [w, d], [0, d], [0, 0]], dtype=np.float64)
        sides = np.sort(rng.permutation(4)[: rng.choice((2, 3, 4), p=(0.15, 0.25, 0.6))])
        door = rng.choice(sides)
        self.sides = sides
        for side in sides:
            gap = None
            if side == door:
                length = float(np.linalg.norm(corner[side + 1] - corner[side]))
                start = rng.uniform(0.1, length - DOOR[0] - 0.1)
                gap = (start, start + DOOR[0], DOOR[1])
                direction = (corner[side + 1] - corner[side]) / length
                # keeps the area behind the doorway free
                inwards = np.array([-direction[1], direction[0]])
                middle = corner[side] + (start + DOOR[0] / 2) * direction + 0.4 * inwards
                self.plan.take(middle, np.array([DOOR[0], 0.8]), float(np.arctan2(direction[1], direction[0])))
            pieces.append(Piece(wall(corner[side], corner[side + 1], h, gap), "wall"))
        if rng.random_sample() < 0.3:
            pieces.append(Piece(rectangle(np.array([0, 0, h]), x, y), "ceiling"))
        return pieces

    def place(self, category: str, foreign: bool) -> bool:
        """Place one more object; True on success."""
        for _ in range(3):
            seed = int(self.rng.randint(2**31))
            mesh = upright(generate(category, seed))
            size = np.ptp(mesh.vertices, axis=0)
            if size[2] > self.height - 0.05 or max(size[:2]) > 0.8 * max(self.width, self.depth):
                continue
            pose = self._pose(category, mesh, size, foreign)
            if pose is not None:
                self._add(category, seed, posed(mesh, pose), pose, size, foreign)
                return True
        return False

    def _add(self, category: str, seed: int, mesh: Mesh, pose: np.ndarray, size: np.ndarray, foreign: bool) -> None:
        number = len(self.items) + 1
        box = np.stack([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)])
        self.items.append(Item(category, number, foreign, pose, box, seed))
        self.pieces.append(Piece(mesh, category, number))
        if category in (*SUPPORTS, *SOFT_SUPPORTS):
            self.tops.append((category, float(np.arctan2(pose[1, 0], pose[0, 0])), Top(mesh, self.rng)))
        if category in TABLES:
            self.tables.append(Table(mesh, pose, size, self.rng))

    def _pose(self, category: str, mesh: Mesh, size: np.ndarray, foreign: bool) -> np.ndarray | None:
        kind, pose = place_of(category), None
        if kind == "wall":
            return self._at_wall(category, size)
        if kind == "seat" and self.tables and self.rng.random_sample() < 0.8:
            pose = self._at_table(mesh, size)
        elif kind in ("top", "soft") and max(size[:2]) < (SMALL if kind == "top" else 1.0):
            pose = self._on_top(size, soft=kind == "soft")
        if pose is not None or (kind in ("top", "soft") and not foreign and size[2] < LOW):
            return pose  # small objects do not stand on the floor
        return self._on_floor(size)

    def _on_floor(self, size: np.ndarray) -> np.ndarray | None:
        for _ in range(TRIES):
            middle, yaw = self.rng.uniform(0, 1, 2) * self.plan.size, self.rng.uniform(-np.pi, np.pi)
            if self.plan.is_free(middle, size[:2] + 0.1, yaw):
                self.plan.take(middle, size[:2] + 0.1, yaw)
                return pose_of(middle, 0.0, yaw)
        return None

    def _at_wall(self, category: str, size: np.ndarray) -> np.ndarray | None:
        """Pose with the back of the object, at +y, to a wall. Objects of `HUNG` hang on the wall."""
        for _ in range(TRIES):
            side = self.sides[self.rng.randint(len(self.sides))]
            yaw = (np.pi, -np.pi / 2, 0.0, np.pi / 2)[side]  # the back looks to -y, +x, +y, -x
            off = size[1] / 2 + self.rng.uniform(0.005, 0.05)
            along = self.rng.uniform(0, 1, 2) * self.plan.size
            middle = np.array(
                [(along[0], off), (self.width - off, along[1]), (along[0], self.depth - off), (off, along[1])][side]
            )
            if self.plan.is_free(middle, size[:2], yaw):
                self.plan.take(middle, size[:2], yaw)
                hung = max(0.0, min(HUNG[category], self.height - 0.05) - size[2]) if category in HUNG else 0.0
                return pose_of(middle, hung, yaw)
        return None

    def _at_table(self, mesh: Mesh, size: np.ndarray) -> np.ndarray | None:
        """Pose facing one side of a table, pushed under it as far as possible."""
        table = self.tables[self.rng.randint(len(self.tables))]
        turn = np.arctan2(table.pose[1, 0], table.pose[0, 0])
        for _ in range(TRIES):
            outwards = np.array([(0, -1), (1, 0), (0, 1), (-1, 0)][self.rng.randint(4)])
            pushed = self.rng.uniform(0.0, 0.3)
            along = self.rng.uniform(-0.5, 0.5) * np.maximum(table.size - size[0], 0) * (outwards == 0)
            edge = outwards * (table.size + size[1]) / 2 + along
            yaw = turn + np.arctan2(-outwards[0], outwards[1])
            middle, outer = (table.pose[:2, :2] @ (edge + off * outwards) + table.pose[:2, 3] for off in (-pushed, 0))
            # the part of the object's rectangle that is not under the table
            visible = (middle + outer) / 2, np.array([size[0], size[1] - pushed])
            pose = pose_of(middle, 0.0, yaw + self.rng.normal(0, 0.08))
            if not self.plan.is_free(*visible, yaw) or table.touches(posed(mesh, pose), self.rng):
                continue
            self.plan.take(middle, size[:2], yaw)
            return pose
        return None

    def _on_top(self, size: np.ndarray, soft: bool) -> np.ndarray | None:
        """Pose on top of furniture, facing the same way as the furniture."""
        for place in self.rng.permutation(len(self.tops)):
            name, turn, top = self.tops[place]
            if (name in SOFT_SUPPORTS) != soft:
                continue
            yaw = turn + self.rng.normal(0, 0.15)
            around = np.ptp(corners(size[:2], yaw), axis=0)
            spot = top.find(around, (0.3, 1.5), 0.15 if soft else 0.02, self.rng)
            if spot is not None:
                return pose_of(spot[0], spot[1], yaw)
        return None


class Table:
    """A table or desk that chairs can be pushed under."""

    def __init__(self, mesh: Mesh, pose: np.ndarray, size: np.ndarray, rng: np.random.RandomState) -> None:
        self.pose, self.size = pose, size[:2]
        self.cells = filled(mesh, rng)

    def touches(self, mesh: Mesh, rng: np.random.RandomState) -> bool:
        return not self.cells.isdisjoint(filled(mesh, rng))


def filled(mesh: Mesh, rng: np.random.RandomState) -> set[tuple[int, ...]]:
    """Cells (x, y, z) of a grid that the surface of a mesh passes through."""
    return set(map(tuple, np.floor(sample_surface(mesh, 4000, rng)[0] / CELL).astype(int).tolist()))


def furnish(
    rng: np.random.RandomState,
    categories: Sequence[str],
    foreign: Sequence[str],
    objects: int | None,
    usual: tuple[int, int],
) -> tuple[list[Piece], tuple[Item, ...]]:
    """Surfaces of a furnished room (floor, walls, objects), and its objects.

    The room has `objects` objects of the categories, fewer if it is full, and one object of each foreign category. If
    `objects` is None, the number is drawn from the range `usual`. Raises `UnknownNameError` for an unknown category,
    and `InputError` if there is no free space for a foreign object.
    """
    for name in (*categories, *foreign):
        if name not in words():
            raise UnknownNameError(
                f"no generated category is called {name!r}. Expected one of `synthetic.categories()`. Correct the name."
            )
    count = int(rng.randint(*usual))
    if objects is not None:
        count = check_whole(objects, "objects", least=0)
    count *= bool(categories)
    room = Furnisher(rng)
    for category in foreign:
        if not any(room.place(category, True) for _ in range(10)):
            size = f"{room.width:.1f} x {room.depth:.1f} x {room.height:.1f} m"
            raise InputError(
                f"no place for a {category!r} in a room of {size}. Expected free space. Leave it out, or take another "
                "seed."
            )
    drawn = [categories[i] for i in rng.randint(len(categories), size=count)]
    for category in sorted(drawn, key=lambda name: ORDER[place_of(name)]):
        room.place(category, False)
    return room.pieces, tuple(room.items)

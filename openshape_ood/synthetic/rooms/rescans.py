"""A generated room, scanned twice, with known changes between the scans: z up, meters.

>>> pair = room_pair(3, added=1, removed=0, moved=0, objects=4, views=2, spacing=0.05)
>>> [one.kind for one in pair.changes]
['added']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from openshape_ood.checks import check_seed, check_whole
from openshape_ood.errors import InputError
from openshape_ood.scenes import Scene
from openshape_ood.synthetic import generate
from openshape_ood.synthetic.rooms.furnish import ORDER, Furnisher, Item
from openshape_ood.synthetic.rooms.pieces import LABELS, Piece, pose_of, posed, upright
from openshape_ood.synthetic.rooms.places import FURNITURE, place_of
from openshape_ood.synthetic.rooms.scanning import scan_pieces

FARTHER = 0.5  # meters, minimum distance of a move
SPACING = (0.025, 0.035)  # meters, range of the spacing of a scan
TRIES = 60
LOWEST = 0.3  # meters, minimum height of an object that is replaced, and of its replacement
APART = 3.0  # meters, maximum shift of a scan with `any_pose`


@dataclass(frozen=True, eq=False)
class Planted:
    """A change. kind: "added", "removed", "moved" or "replaced". before, after: the object in each scan, or None."""

    kind: str
    before: Item | None
    after: Item | None

    @property
    def place(self) -> np.ndarray:
        """Center (3,) of the object after the change. For a removed object: before the change."""
        boxes = [item.box for item in (self.after, self.before) if item is not None]
        middle: np.ndarray = boxes[0].mean(axis=0)
        return middle


@dataclass(frozen=True, eq=False)
class RoomPair:
    """Two scans of a generated room.

    Attributes
    ----------
    before, after : Scene
        Scans in two frames. The frame of `before` is the room's frame.
    pose : ndarray (4, 4)
        Matrix from the frame of `after` to the frame of `before`.
    changes : tuple of Planted
        All changes between the scans.
    items : tuple of Item
        Objects of both scans. Item i has instance i + 1.
    viewpoints : pair of ndarray (v, 3)
        Camera positions of each scan, in the frame of the scan.
    """

    before: Scene
    after: Scene
    pose: np.ndarray
    changes: tuple[Planted, ...]
    items: tuple[Item, ...]
    viewpoints: tuple[np.ndarray, np.ndarray]


def room_pair(
    seed: int,
    *,
    added: int = 0,
    removed: int = 0,
    moved: int = 0,
    replaced: int = 0,
    categories: Sequence[str] = FURNITURE,
    new: Sequence[str] | None = None,
    objects: int | None = None,
    views: int = 6,
    spacing: float | None = None,
    shift: float = 0.02,
    turn: float = 2.0,
    any_pose: bool = False,
) -> RoomPair:
    """Generate a room as `room` does, and scan it before and after some changes, at different camera positions.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1.
    added, removed, moved, replaced : int
        Number of objects for each kind of change. An object that carries another object does not change. A moved object
        moves by at least 0.5 m.
    categories, objects, views, spacing
        As in `room`. Default spacing: drawn for each scan separately.
    new : sequence of str, optional
        Categories of added objects. Default: `categories`.
    shift, turn : float
        Shift of the second scan in meters, in a random direction, and its turn about z in degrees.
    any_pose : bool
        Turn the second scan by a random angle, and shift it by up to 3 m. `shift` and `turn` are then ignored.

    Raises
    ------
    InputError
        If the room has too few objects or too little free floor for the changes.
    """
    check_seed(seed)
    for name, count in {"added": added, "removed": removed, "moved": moved, "replaced": replaced}.items():
        check_whole(count, name, least=0)
    rng = np.random.RandomState([seed, 34])
    room = Furnisher(rng)
    count = int(rng.randint(7, 15)) if objects is None else check_whole(objects, "objects")
    drawn = [categories[i] for i in rng.randint(len(categories), size=count)]
    for category in sorted(drawn, key=lambda name: ORDER[place_of(name)]):
        room.place(category, False)
    changes = _planted(room, rng, {"moved": moved, "replaced": replaced, "removed": removed})
    for _ in range(added):
        changes.append(Planted("added", None, _one_more(room, list(new or categories), rng)))
    names = (*LABELS, *sorted({piece.name for piece in room.pieces if piece.instance}))
    scans = []
    for late in (False, True):
        absent = {item.instance for one in changes if (item := one.before if late else one.after) is not None}
        pieces = [piece for piece in room.pieces if piece.instance not in absent]
        scans.append(_scanned(pieces, names, rng, views, spacing, f"room {seed}, {'after' if late else 'before'}"))
    (before, eyes), (after, later_eyes) = scans
    pose = _pose(rng, room, shift, turn, any_pose)
    back = np.linalg.inv(pose)
    after = replace(after, points=_moved(after.points, back))
    return RoomPair(before, after, pose, tuple(changes), tuple(room.items), (eyes, _moved(later_eyes, back)))


def _scanned(
    pieces: list[Piece],
    names: Sequence[str],
    rng: np.random.RandomState,
    views: int,
    spacing: float | None,
    name: str,
) -> tuple[Scene, np.ndarray]:
    stream = np.random.RandomState(rng.randint(2**31))
    drawn = stream.uniform(*SPACING) if spacing is None else spacing
    labels = [names.index(piece.name) for piece in pieces]
    return scan_pieces(pieces, labels, stream, views=views, spacing=drawn, name=name)


def _pose(rng: np.random.RandomState, room: Furnisher, shift: float, turn: float, any_pose: bool) -> np.ndarray:
    """Matrix (4, 4) from the frame of the second scan to the room's frame. It turns about the middle of the room."""
    direction = rng.uniform(-np.pi, np.pi)
    yaw = rng.uniform(-np.pi, np.pi) if any_pose else np.radians(turn) * rng.choice((-1, 1))
    far = rng.uniform(0, APART) if any_pose else shift
    middle = np.array([room.width / 2, room.depth / 2])
    pose = pose_of(middle + far * np.array([np.cos(direction), np.sin(direction)]), 0.0, yaw)
    return pose @ pose_of(-middle, 0.0, 0.0)


def _moved(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    return points @ pose[:3, :3].T + pose[:3, 3]


def _planted(room: Furnisher, rng: np.random.RandomState, counts: Mapping[str, int]) -> list[Planted]:
    """Changes of random objects that carry no other object. Raises `InputError` if there are too few objects."""
    free = [int(i) for i in rng.permutation(_free_objects(room))]
    changes = list[Planted]()
    for kind, count in counts.items():
        done = 0
        while done < count:
            if not free:
                raise InputError(f"the room has too few objects to be {kind}. Expected {count}. Take another seed.")
            item = room.items[free.pop(0)]
            tops, tables = room.tops, room.tables
            _close_tops(room, item)
            after = None
            if kind != "removed":
                after = _elsewhere(room, item) if kind == "moved" else _in_its_place(room, item, rng)
                if after is None:
                    room.tops, room.tables = tops, tables
                    continue
            changes.append(Planted(kind, item, after))
            done += 1
    return changes


def _free_objects(room: Furnisher) -> list[int]:
    """Indices of objects that carry no other object."""
    boxes = np.array([item.box for item in room.items]).reshape(-1, 2, 3)
    free = []
    for i, (low, high) in enumerate(boxes):
        over = (boxes[:, 0, :2] < high[:2]).all(axis=1) & (boxes[:, 1, :2] > low[:2]).all(axis=1)
        carried = over & (boxes[:, 0, 2] > low[2] + 0.1)
        carried[i] = False
        if not carried.any():
            free.append(i)
    return free


def _close_tops(room: Furnisher, item: Item) -> None:
    """Remove an object from the room's tops and tables, so that no other object is placed on or at it."""
    low, high = item.box[:, :2]

    def stays(middle: np.ndarray) -> bool:
        return not ((low <= middle).all() and (middle <= high).all())

    room.tops = [one for one in room.tops if stays(_middle_of(one[2].low, np.array(one[2].height.shape)))]
    room.tables = [one for one in room.tables if stays(one.pose[:2, 3])]


def _middle_of(low: np.ndarray, cells: np.ndarray) -> np.ndarray:
    from openshape_ood.synthetic.rooms.floorplan import CELL

    middle: np.ndarray = CELL * (low + cells / 2)
    return middle


def _elsewhere(room: Furnisher, item: Item) -> Item | None:
    """Place the same object at another position. None if there is no free place."""
    mesh = upright(generate(item.category, item.seed))
    size = np.ptp(mesh.vertices, axis=0)
    for _ in range(TRIES):
        tables, plan = list(room.tables), room.plan.taken.copy()
        pose = room._pose(item.category, mesh, size, True)
        if pose is not None and np.linalg.norm(pose[:2, 3] - item.pose[:2, 3]) >= FARTHER:
            room._add(item.category, item.seed, posed(mesh, pose), pose, size, False)
            return room.items[-1]
        room.plan.taken, room.tables = plan, tables
    return None


def _one_more(room: Furnisher, names: list[str], rng: np.random.RandomState) -> Item:
    for _ in range(TRIES):
        if room.place(names[rng.randint(len(names))], True):
            return room.items[-1]
    raise InputError("no place for one more object. Expected a room with free floor. Take another seed.")


def _in_its_place(room: Furnisher, item: Item, rng: np.random.RandomState) -> Item | None:
    """Place another object of similar size at the center of an object. None if no object fits."""
    size = np.ptp(item.box, axis=0)
    if item.box[0, 2] > 0.1 or size[2] < LOWEST:
        return None  # the object is on another object, or too flat
    for _ in range(TRIES):
        name = FURNITURE[rng.randint(len(FURNITURE))]
        seed = int(rng.randint(2**31))
        mesh = upright(generate(name, seed))
        extent = np.ptp(mesh.vertices, axis=0)
        if (
            name == item.category
            or (extent[:2].max() > 1.1 * size[:2].max())
            or extent[2] < LOWEST
            or place_of(name) == "top"
        ):
            continue
        yaw = float(np.arctan2(item.pose[1, 0], item.pose[0, 0]))
        pose = pose_of(item.pose[:2, 3], float(item.box[0, 2]), yaw)
        room._add(name, seed, posed(mesh, pose), pose, extent, False)
        return room.items[-1]
    return None

"""Registration of two scans of a place: quarter turns of walls, shifts by correlation, then point-to-plane ICP.

Changed parts of a place are outliers of the fit, so they have little weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from openshape_ood.errors import InputError
from openshape_ood.scenes.proposals import Proposals
from openshape_ood.scenes.scene import Scene
from openshape_ood.scenes.voxels import voxelize

CELL = 0.05  # voxel side of the fit in meters
MOST = 30_000  # maximum voxels of a scan in the fit
FITTED, FINE = 4_000, 10_000  # voxels of the second scan: for fitting candidate poses, for the final fit
FURNITURE, WALL, LEVEL = range(3)
COARSE, SLAB, SLABS = 0.1, 0.3, 8  # for the correlation: cell side and layer height in meters, number of layers
PEAKS = 3  # number of shifts that are tried for each turn
TURNS = 72  # number of turns that are tried for a scan without walls
KEPT = 0.7  # fraction of the points used for the residual: the nearest ones to the other scan
SLACK = 0.03  # meters; a point farther from its plane has little weight
RADII = (0.6, 0.4, 0.25, 0.15, 0.1, 0.08)  # maximum distance to the nearest point in meters, in successive rounds
ROUNDS = 5  # iterations for each radius
NEAR = 0.1  # maximum distance in meters of surfaces that agree
RESIDUAL, OVERLAP, ALIKE = 0.05, 0.3, 0.9  # maximum residual, minimum overlap, minimum score ratio of a rival pose
SEARCHED = 0.7  # minimum overlap of a searched pose; higher, because walls of two different rooms often agree
LARGEST_FIX = (0.5, 10.0)  # maximum error of scans in one frame, in meters and degrees
FEW = 100  # minimum number of voxels; with fewer, furniture or walls are not used


@dataclass(frozen=True)
class Registration:
    """Pose of the second scan in the frame of the first.

    Attributes
    ----------
    pose : (4, 4) float64
        Transform from the frame of the second scan to the frame of the first, in meters.
    residual : float
        Median distance in meters between points of the second scan and planes of the first. Only the 70 % of the
        points that are nearest to the first scan are used.
    overlap : float
        Fraction of furniture and walls of one scan within 10 cm of the other scan; maximum over both directions.
    how : {"given", "refined", "searched"}
        "given": pose of the caller; "refined": small correction of a shared frame; "searched": best of all turns and
        shifts.
    """

    pose: np.ndarray
    residual: float
    overlap: float
    how: str

    @property
    def yaw(self) -> float:
        """Rotation about z in degrees."""
        return float(np.degrees(np.arctan2(self.pose[1, 0], self.pose[0, 0])))

    def as_json(self) -> dict[str, Any]:
        return {
            "how": self.how,
            "pose": self.pose.tolist(),
            "yaw": self.yaw,
            "residual": self.residual,
            "overlap": self.overlap,
        }

    def __str__(self) -> str:
        x, y, z = self.pose[:3, 3]
        words = {"given": "as given", "refined": "refined", "searched": "found"}[self.how]
        return (
            f"second scan {words}: turned by {self.yaw:.1f}°, shifted by {x:.2f}, {y:.2f}, {z:.2f} m; residual "
            f"{100 * self.residual:.1f} cm, overlap {self.overlap:.0%}"
        )


@dataclass(frozen=True, eq=False)
class Surface:
    """Voxels of a scan.

    places, normals: (v, 3), normals of unit length; kind: (v,), furniture, wall, or level (floor, ceiling); floor: its
    height in meters; heading: direction of the walls in radians, modulo a quarter turn. Unknown values are None.
    """

    places: np.ndarray
    normals: np.ndarray
    kind: np.ndarray
    floor: float | None
    heading: float | None
    name: str

    @cached_property
    def tree(self) -> Any:
        return cKDTree(self.places)

    @cached_property
    def trees(self) -> dict[int, Any]:
        return {kind: cKDTree(self.places[self.kind == kind]) for kind in (FURNITURE, WALL) if self.has(kind)}

    def has(self, kind: int) -> bool:
        return int((self.kind == kind).sum()) >= FEW

    def taken(self, rows: np.ndarray) -> Surface:
        return replace(self, places=self.places[rows], normals=self.normals[rows], kind=self.kind[rows])

    def moved(self, pose: np.ndarray) -> Surface:
        return replace(self, places=_moved(self.places, pose), normals=self.normals @ pose[:3, :3].T)

    @classmethod
    def of(cls, scene: Scene, proposals: Proposals) -> Surface:
        """Voxels of a scan; `proposals` gives its floor and walls."""
        kinds = np.zeros(len(scene), dtype=np.int64)
        for plane in proposals.layout:
            kinds[plane.rows] = WALL if plane.kind == "wall" else LEVEL
        size = CELL
        voxels = voxelize(scene.points, size)
        while len(voxels) > MOST:
            size *= max(1.1, (len(voxels) / MOST) ** 0.5)
            voxels = voxelize(scene.points, size)
        counts = np.bincount(voxels.inverse)
        sums = [np.bincount(voxels.inverse, column) for column in scene.points.T]
        places = np.stack(sums, axis=1) / counts[:, None]
        floors = [plane.rows for plane in proposals.layout if plane.kind == "floor"]
        floor = float(np.median(scene.points[floors[0], 2])) if floors else None
        walls = [plane for plane in proposals.layout if plane.kind == "wall"]
        heading = None
        if walls:
            turns = sum(len(one.rows) * np.exp(4j * np.arctan2(one.normal[1], one.normal[0])) for one in walls)
            heading = float(np.angle(turns) / 4)
        return cls(places, _normals(places), kinds[voxels.first], floor, heading, scene.name)


def register(before: Surface, after: Surface, pose: np.ndarray | None = None) -> Registration:
    """Pose of the second scan in the frame of the first.

    pose: initial pose. Without one, all turns and shifts are tried.

    Raises `InputError` for a residual above 5 cm or an overlap below 30 % (70 % without an initial pose). With an
    initial pose, also for a large correction; without one, for a missing floor or two poses with similar scores.
    """
    if pose is not None:
        fitted = _fit(before, after.taken(_spaced(len(after.places), FINE)), pose, RADII[2:])
        off = np.linalg.inv(pose) @ fitted
        turned = float(np.degrees(np.arccos(np.clip((np.trace(off[:3, :3]) - 1) / 2, -1, 1))))
        middle = after.places.mean(axis=0)
        far = float(np.linalg.norm(_moved(middle, off) - middle))
        if far > LARGEST_FIX[0] or turned > LARGEST_FIX[1]:
            raise InputError(
                f"the scans are {far:.2f} m and {turned:.0f}° apart. Expected one frame, at most {LARGEST_FIX[0]} m "
                f"and {LARGEST_FIX[1]:.0f}° apart. Leave out aligned."
            )
        return measured(before, after, fitted, "refined")
    return _searched(before, after)


def _searched(before: Surface, after: Surface) -> Registration:
    for one in (before, after):
        if one.floor is None:
            raise InputError(
                f"{one.name} has no floor for the alignment. Expected a scan with z up and one square meter of floor. "
                "Bring both scans into one frame and give aligned."
            )
    few = after.taken(_spaced(len(after.places), FITTED))
    poses = [_fit(before, few, guess, RADII) for guess in _guesses(before, few)]
    scores = np.array([_agreement(before, after, one)[0] for one in poses])
    best = int(scores.argmax())
    pose = _fit(before, after.taken(_spaced(len(after.places), FINE)), poses[best], RADII[3:])
    registration = measured(before, after, pose, "searched")
    for other in np.argsort(-scores, kind="stable"):
        if scores[other] >= ALIKE * scores[best] and _differ(poses[other], poses[best], after):
            listed = "; ".join(
                f"{np.degrees(np.arctan2(one[1, 0], one[0, 0])):.0f}° and {one[0, 3]:.2f}, {one[1, 3]:.2f} m"
                for one in (poses[best], poses[other])
            )
            raise InputError(
                f"two poses of {after.name} fit alike: {listed} (fit {scores[best]:.2f} and {scores[other]:.2f}). "
                "Expected one pose, but a symmetric place has several. Bring both scans into one frame and give "
                "aligned."
            )
    return registration


def _guesses(before: Surface, after: Surface) -> list[np.ndarray]:
    """Candidate poses (4, 4): turns that align the walls, each with the shifts that correlate best."""
    if before.heading is None or after.heading is None:
        turns = [2 * np.pi * i / TURNS for i in range(TURNS)]
    else:
        turns = [before.heading - after.heading + np.pi / 2 * i for i in range(4)]
    guesses = []
    for yaw in turns:
        pose = np.eye(4)
        pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
        pose[2, 3] = (before.floor or 0.0) - (after.floor or 0.0)
        for height, shift in _shifts(before, after, pose):
            shifted = pose.copy()
            shifted[:2, 3] = shift
            guesses.append((height, shifted))
    guesses.sort(key=lambda one: -one[0])
    return [guess for _, guess in guesses[: 4 * PEAKS]]


def _shifts(before: Surface, after: Surface, pose: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Peaks of the correlation over shifts in x and y: value of the correlation, and shift."""
    turned = _moved(after.places, pose)
    clouds = before.places[before.kind != LEVEL], turned[after.kind != LEVEL]
    floor = before.floor or 0.0
    lows = [cloud[:, :2].min(axis=0) if len(cloud) else np.zeros(2) for cloud in clouds]
    sides = [np.ptp(cloud[:, :2], axis=0) if len(cloud) else np.zeros(2) for cloud in clouds]
    shape = np.ceil((sides[0] + sides[1]) / COARSE).astype(int) + 6
    tables = []
    for cloud, low in zip(clouds, lows, strict=True):
        table = np.zeros((SLABS, *shape))
        cells = np.floor((cloud[:, :2] - low) / COARSE).astype(int) + 1
        slab = np.floor((cloud[:, 2] - floor) / SLAB).astype(int)
        inside = (slab >= 0) & (slab < SLABS)
        table[slab[inside], cells[inside, 0], cells[inside, 1]] = 1
        tables.append(table)
    first = np.fft.rfft2(_blurred(tables[0]))
    second = np.fft.rfft2(tables[1])
    scale = np.sqrt(max(1.0, tables[0].sum()) * max(1.0, tables[1].sum()))
    table = np.fft.irfft2((first * second.conj()).sum(axis=0), s=tuple(shape)) / scale
    peaks = []
    for _ in range(PEAKS):
        place = np.array(np.unravel_index(int(table.argmax()), table.shape))
        step = np.where(place > shape / 2, place - shape, place)
        # the correlation is periodic: unwrap the shift
        step = np.where(step * COARSE < -sides[1] - 3 * COARSE, step + shape, step)
        peaks.append((float(table[tuple(place)]), step * COARSE + lows[0] - lows[1]))
        around = [np.arange(p - 3, p + 4) % s for p, s in zip(place, shape, strict=True)]
        table[np.ix_(*around)] = -1
    return peaks


def _blurred(table: np.ndarray) -> np.ndarray:
    """Occupied cells as 1, and empty cells next to occupied ones as 0.5."""
    wide = sum(np.roll(table, (i, j), axis=(1, 2)) for i in (-1, 0, 1) for j in (-1, 0, 1))
    return np.minimum(1.0, 0.5 * table + 0.5 * np.minimum(wide, 1))


def _fit(before: Surface, after: Surface, pose: np.ndarray, radii: Sequence[float]) -> np.ndarray:
    """Point-to-plane ICP with decreasing radii; floor, walls and furniture have equal total weight.

    Points far from their plane have little weight (Geman and McClure). They are not dropped, because a single wall may
    keep a scan from sliding along the other walls.
    """
    mass = np.bincount(after.kind, minlength=3).astype(np.float64)
    weight = 1 / np.maximum(mass, 1)[after.kind]
    for radius in radii:
        for _ in range(ROUNDS):
            places = _moved(after.places, pose)
            distance, nearest = before.tree.query(places, distance_upper_bound=radius)
            kept = np.isfinite(distance)
            if kept.sum() < FEW:
                break
            target, normal = before.places[nearest[kept]], before.normals[nearest[kept]]
            off = np.einsum("ij,ij->i", target - places[kept], normal)
            trust = 1 / (1 + (off / max(SLACK, radius / 4)) ** 2) ** 2
            step = _step(places[kept], target, normal, weight[kept] * trust)
            pose = step @ pose
            if np.abs(step - np.eye(4)).max() < 1e-5:
                break
    return pose


def _step(places: np.ndarray, targets: np.ndarray, normals: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Small motion (4, 4) that minimizes the weighted squared distances of points to planes."""
    middle = places.mean(axis=0)
    arm = np.cross(places - middle, normals)
    table = np.hstack([arm, normals])
    off = np.einsum("ij,ij->i", targets - places, normals)
    weighted = table * weight[:, None]
    scale = weight.sum()
    moment = weighted.T @ table / scale + 1e-9 * np.eye(6)
    motion = np.linalg.solve(moment, weighted.T @ off / scale)
    angle = float(np.linalg.norm(motion[:3]))
    if angle > 0.2:  # limited, because the linearization holds only for small turns
        motion *= 0.2 / angle
        angle = 0.2
    turn = np.eye(3)
    if angle > 1e-12:
        x, y, z = motion[:3] / angle
        across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        turn = np.eye(3) + np.sin(angle) * across + (1 - np.cos(angle)) * across @ across
    step = np.eye(4)
    step[:3, :3] = turn
    step[:3, 3] = middle + motion[3:] - turn @ middle
    return step


def _agreement(before: Surface, after: Surface, pose: np.ndarray) -> tuple[float, float]:
    """Score and overlap of a pose: fraction of furniture and walls within 10 cm of the other scan.

    The score is the mean over both directions, the overlap the maximum.
    """
    inverse = np.linalg.inv(pose)
    shares: list[list[float]] = [[], []]
    for kind in (FURNITURE, WALL):
        if not (before.has(kind) and after.has(kind)):
            continue
        places = [_moved(after.places[after.kind == kind], pose), _moved(before.places[before.kind == kind], inverse)]
        for side, (other, moved) in enumerate(zip((before, after), places, strict=True)):
            distance, _ = other.tree.query(moved, distance_upper_bound=NEAR)
            shares[side].append(float(np.isfinite(distance).mean()))
    if not shares[0]:
        return 0.0, 0.0
    return float(np.mean([np.mean(one) for one in shares])), float(max(np.mean(one) for one in shares))


def check_rotation(pose: np.ndarray) -> np.ndarray:
    """The pose (4, 4) unchanged. Raises `InputError` if it is no rotation with a translation."""
    turn = pose[:3, :3]
    off = float(np.abs(turn @ turn.T - np.eye(3)).max())
    if off > 1e-3 or np.linalg.det(turn) < 0:
        raise InputError(
            f"pose is no rotation with a translation: its axes are off by {off:.2g}. Expected a rigid motion from the "
            "frame of the second scan to the first. Give a rotation without scaling or mirroring."
        )
    return pose


def measured(before: Surface, after: Surface, pose: np.ndarray, how: str = "given") -> Registration:
    """Registration of a pose, with residual and overlap. Raises `InputError` if the scans do not fit."""
    places = _moved(after.places, pose)
    distance, nearest = before.tree.query(places)
    kept = distance <= np.sort(distance)[int(KEPT * (len(distance) - 1))]
    away = places[kept] - before.places[nearest[kept]]
    residual = float(np.median(np.abs(np.einsum("ij,ij->i", away, before.normals[nearest[kept]]))))
    _, overlap = _agreement(before, after, pose)
    what = f"{after.name} does not fit {before.name}"
    advice = "Check that both are scans of one place, in meters, z up."
    if residual > RESIDUAL:
        raise InputError(
            f"{what}: the residual is {100 * residual:.0f} cm. Expected at most {100 * RESIDUAL:.0f} cm. {advice}"
        )
    least = SEARCHED if how == "searched" else OVERLAP
    if overlap < least:
        raise InputError(f"{what}: {overlap:.0%} of furniture and walls agree. Expected {least:.0%} or more. {advice}")
    return Registration(pose, residual, overlap, how)


def _differ(one: np.ndarray, other: np.ndarray, after: Surface) -> bool:
    """True if two poses put the points of a scan more than 30 cm apart on average."""
    some = after.places[_spaced(len(after.places), 200)]
    return bool(np.linalg.norm(_moved(some, one) - _moved(some, other), axis=1).mean() > 0.3)


def _normals(places: np.ndarray) -> np.ndarray:
    """Unit normals (v, 3) of planes through each place and its twelve nearest neighbors."""
    count = min(13, len(places))
    nearest = cKDTree(places).query(places, k=count)[1].reshape(len(places), count)
    spread = places[nearest] - places[nearest].mean(axis=1, keepdims=True)
    normals: np.ndarray = np.linalg.eigh(np.einsum("vki,vkj->vij", spread, spread))[1][:, :, 0]
    return normals


def _spaced(count: int, most: int) -> np.ndarray:
    return np.linspace(0, count - 1, min(count, most)).astype(int)


def _moved(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    moved: np.ndarray = points @ pose[:3, :3].T + pose[:3, 3]
    return moved

"""Simulated indoor RGB-D scan of a mesh: the differences between a scanned object and a CAD model.

A scan sees an object from one side, with noise, holes, lost thin parts and cut-off ends. It contains some surroundings:
floor, wall, neighboring objects. `severity` goes from 0 (uniform sample of the whole surface) to 1 (hardest scans).

Lengths in `Scan` are fractions of the object's `extent`, the diagonal of its bounding box, so that cups and wardrobes
are scanned alike. Lengths in meters are marked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.synthetic.mesh import Mesh, box, ellipsoid, join, rotation
from openshape_ood.synthetic.sampling import sample_oriented
from openshape_ood.synthetic.visibility import facing, visible

LEAST_VISIBLE = 0.15  # minimum visible fraction of the object's surface; other viewpoints are rejected
MOST_CROPPED = 0.35  # maximum fraction of the object's points that is cut off
ATTEMPTS = 4


@dataclass(frozen=True)
class Scan:
    """Settings of one scan."""

    views: int = 0  # number of fused viewpoints; 0: all points are visible
    azimuth: float = 0.0  # degrees between the object's front (+z) and the central viewpoint, towards +x
    elevation: float = 20.0  # degrees above the horizon
    spread: float = 0.0  # degrees of azimuth between neighboring viewpoints
    distance: float = 2.0  # from the camera to the center of the object
    range_noise: float = 0.0  # meters, standard deviation along the ray
    noise: float = 0.0005  # meters, standard deviation in every direction
    bumps: float = 0.0  # amplitude of the low-frequency error of the surface
    lost: float = 0.0  # probability that a thin part is missing
    holes: int = 0
    hole_radius: float = 0.0
    crop: float = 0.0  # fraction of the object's length that is cut off at one end
    floor: bool = False
    wall: bool = False
    clutter: int = 0  # number of other objects
    background: float = 0.0  # maximum fraction of floor, wall and clutter points
    falloff: float = 0.0  # 0: uniform density; 1: density of a single depth image
    tilt: float = 0.0  # degrees from upright

    @classmethod
    def of_severity(cls, severity: float, rng: np.random.RandomState) -> Scan:
        """Random settings for a severity of 0 to 1; larger severities give harder settings on average.

        Raises `InputError` for other severities.
        """
        if not 0 <= severity <= 1:
            raise InputError(
                f"severity is {severity!r}. Expected a number from 0 (clean) to 1 (hardest). Give 0.7, for example."
            )

        def up_to(most: float) -> float:
            return severity * most * rng.random_sample()

        partial = rng.random_sample() < 2.5 * severity
        wall = rng.random_sample() < 0.4 * severity
        return cls(
            views=(1 + rng.choice(3, p=_view_odds(severity))) if partial else 0,
            azimuth=rng.uniform(-75, 75) if wall else rng.uniform(-180, 180),
            elevation=rng.uniform(0, 50),
            spread=rng.uniform(20, 60) * (1.5 - severity),
            distance=rng.uniform(1.0, 2.5),
            range_noise=up_to(0.016),
            noise=0.0005 + up_to(0.008),
            bumps=up_to(0.012),
            lost=up_to(0.5),
            holes=rng.randint(0, 1 + round(6 * severity)),
            hole_radius=up_to(0.09),
            crop=up_to(0.25) if rng.random_sample() < 0.5 else 0.0,
            floor=rng.random_sample() < 0.8 * severity,
            wall=wall,
            clutter=rng.randint(0, 1 + round(4 * severity)),
            background=up_to(0.25),
            falloff=up_to(1.0),
            tilt=up_to(5.0),
        )


def _view_odds(severity: float) -> np.ndarray:
    """Probabilities (3,) of one, two and three viewpoints. Harder scans have fewer viewpoints."""
    return (1 - severity) * np.array([0.1, 0.3, 0.6]) + severity * np.array([0.45, 0.35, 0.2])


def scan(mesh: Mesh, points: int, severity: float, rng: np.random.RandomState, turn: bool = True) -> np.ndarray:
    """Scanned cloud (n, 3) of a grounded mesh, y up, meters. Raises `InputError` for a severity out of range.

    turn: rotate about gravity by a random angle.

    >>> from openshape_ood.synthetic.mesh import box
    >>> scan(box(0.4, 0.8, 0.4).grounded(), 100, 0.7, np.random.RandomState(0)).shape
    (100, 3)
    """
    cloud, _ = scan_with(Scan.of_severity(severity, rng), mesh, points, rng)
    return cloud @ rotation("y", rng.uniform(0, 360)).T if turn else cloud


def scan_with(settings: Scan, mesh: Mesh, points: int, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Scanned cloud (n, 3) with given settings, not turned, and mask (n,) of the object's points."""
    extent = float(np.linalg.norm(mesh.size()))
    scene = _scene_of(settings, mesh, max(4096, 4 * points), extent, rng)
    cameras, seen = _view(settings, scene, extent, rng)
    scene = scene.where(seen)
    scene = _without_holes(settings, scene, extent, rng)
    scene = _cropped(settings, scene, rng)
    scene = _drawn(settings, scene, points, cameras[0], rng)
    cloud = _noisy(settings, scene.cloud, cameras[0], extent, rng)
    return cloud @ _tilt(settings.tilt, rng).T, scene.is_object


# surfaces in front of the camera: the object, with bumps and lost parts, and its surroundings


@dataclass(frozen=True)
class Surface:
    """Oriented points: positions (n, 3), unit normals (n, 3), mask (n,) of the object's points."""

    cloud: np.ndarray
    normals: np.ndarray
    is_object: np.ndarray

    def where(self, mask: np.ndarray) -> Surface:
        return self.at(np.flatnonzero(mask))

    def at(self, indices: np.ndarray) -> Surface:
        return Surface(*(np.take(rows, indices, axis=0) for rows in (self.cloud, self.normals, self.is_object)))

    def and_also(self, other: Surface) -> Surface:
        pairs = ((self.cloud, other.cloud), (self.normals, other.normals), (self.is_object, other.is_object))
        return Surface(*(np.concatenate(pair) for pair in pairs))


def _scene_of(settings: Scan, mesh: Mesh, dense: int, extent: float, rng: np.random.RandomState) -> Surface:
    """Dense samples of the object, with bumps and without lost parts, and of its surroundings."""
    cloud, normals, face = sample_oriented(mesh, dense, rng)
    kept = _kept_parts(settings.lost, mesh.parts[face], rng)
    thing = Surface(cloud, normals, np.ones(dense, dtype=bool)).where(kept)
    thing = _bumpy(settings, thing, extent, rng)
    return thing.and_also(_surroundings(settings, mesh, thing.cloud, extent, rng))


def _kept_parts(lost: float, parts: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Mask (n,) of points, without the points of some small parts: depth cameras miss legs, handles and wires."""
    share = np.bincount(parts) / len(parts)
    gone = (share < 0.06) & (rng.random_sample(len(share)) < lost)
    # an object with only small parts, such as a wire rack, must not vanish
    return ~gone[parts] if share[gone].sum() < 0.3 else np.ones(len(parts), dtype=bool)


def _bumpy(settings: Scan, surface: Surface, extent: float, rng: np.random.RandomState) -> Surface:
    """Surface displaced by random plane waves, like poorly registered depth maps."""
    if not settings.bumps:
        return surface
    waves = rng.normal(size=(3, 3))
    waves *= rng.uniform(4, 14, 3) / (extent * np.linalg.norm(waves, axis=0))
    phases, directions = rng.uniform(0, 2 * np.pi, 3), rng.normal(size=(3, 3)) / 3
    # displacement depends on the position only, so both sides of a thin board move together
    shift = np.sin(surface.cloud @ waves + phases) @ directions
    return replace(surface, cloud=surface.cloud + settings.bumps * extent * shift)


def _surroundings(settings: Scan, mesh: Mesh, cloud: np.ndarray, extent: float, rng: np.random.RandomState) -> Surface:
    """Samples of floor, wall and clutter within the object's bounding box plus a margin."""
    pieces = list(_pieces(settings, mesh, cloud, extent, rng)) if settings.background else []
    if not pieces:
        return Surface(np.empty((0, 3)), np.empty((0, 3)), np.empty(0, dtype=bool))
    around, normals, _ = sample_oriented(join(*pieces), len(cloud) // 4, rng)
    margin = rng.uniform(0.02, 0.1, 3) * extent
    low, high = mesh.vertices.min(axis=0) - margin, mesh.vertices.max(axis=0) + margin
    inside = ((around >= low) & (around <= high)).all(axis=1)
    return Surface(around, normals, np.zeros(len(around), dtype=bool)).where(inside)


def _pieces(settings: Scan, mesh: Mesh, cloud: np.ndarray, extent: float, rng: np.random.RandomState) -> Iterator[Mesh]:
    width, height, depth = mesh.size() + 0.2 * extent
    middle = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
    ground = mesh.vertices[:, 1].min()
    if settings.floor:
        yield box(width, 0.0, depth).moved(middle[0], ground, middle[2])
    if settings.wall:
        behind = mesh.vertices[:, 2].min() - rng.uniform(0.005, 0.05) * extent
        yield box(width, height, 0.0).moved(middle[0], ground + height / 2, behind)
    for _ in range(settings.clutter):
        yield _clutter(cloud, ground, extent, rng)


def _clutter(cloud: np.ndarray, ground: float, extent: float, rng: np.random.RandomState) -> Mesh:
    """Box, ball or board that touches the object or stands next to it on the floor."""
    width, height, depth = rng.uniform(0.06, 0.25, 3) * extent
    kind = rng.randint(3)
    if kind == 2:
        depth = 0.0
    piece = ellipsoid(width, height, depth, segments=10) if kind == 1 else box(width, height, depth)
    x, y, z = cloud[rng.randint(len(cloud))]
    base = y if rng.random_sample() < 0.5 else ground
    # moved outwards, so that it touches the object from outside
    outwards = 0.5 * max(width, depth) * np.sign([x, z])
    return piece.turned("y", rng.uniform(0, 180)).moved(x + outwards[0], base + height / 2, z + outwards[1])


# the view


def _view(settings: Scan, scene: Surface, extent: float, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Camera positions (v, 3) that show enough of the object, and mask (n,) of visible points."""
    object_points = scene.cloud[scene.is_object]
    middle = (object_points.min(axis=0) + object_points.max(axis=0)) / 2
    cameras = middle + extent * settings.distance * _directions(settings, settings.azimuth)
    best, seen, most = cameras, np.ones(len(scene.cloud), dtype=bool), 0.0
    for _ in range(ATTEMPTS if settings.views else 0):
        mask = np.any([visible(scene.cloud, scene.normals, camera) for camera in cameras], axis=0)
        share = float(mask[scene.is_object].mean())
        if share > most:
            best, seen, most = cameras, mask, share
        if share >= LEAST_VISIBLE:
            break
        # some objects, such as shelves, show little at every viewpoint; the best of a few is used
        cameras = middle + extent * settings.distance * _directions(settings, rng.uniform(-180, 180))
    return best, seen


def _directions(settings: Scan, azimuth: float) -> np.ndarray:
    """Unit vectors (v, 3) from the object to the v viewpoints around an azimuth."""
    views = max(settings.views, 1)
    around = np.radians(azimuth + settings.spread * (np.arange(views) - (views - 1) / 2))
    up = np.radians(settings.elevation)
    return np.stack([np.cos(up) * np.sin(around), np.full_like(around, np.sin(up)), np.cos(up) * np.cos(around)], 1)


# loss and sampling


def _without_holes(settings: Scan, scene: Surface, extent: float, rng: np.random.RandomState) -> Surface:
    """Surface with missing patches, as from shiny, dark or unscanned areas."""
    kept = np.ones(len(scene.cloud), dtype=bool)
    for _ in range(settings.holes):
        offset = scene.cloud - scene.cloud[rng.randint(len(scene.cloud))]
        stretched = offset * rng.uniform(0.6, 1.4, 3) / (settings.hole_radius * extent * rng.uniform(0.4, 1) + 1e-12)
        kept &= np.einsum("ij,ij->i", stretched, stretched) > 1
    return scene.where(kept) if kept[scene.is_object].sum() > 0.6 * scene.is_object.sum() else scene


def _cropped(settings: Scan, scene: Surface, rng: np.random.RandomState) -> Surface:
    """Surface with one end cut off by a plane, as by an interrupted scan or a tight crop box."""
    if not settings.crop:
        return scene
    along = scene.cloud @ _crop_direction(rng)
    object_along = along[scene.is_object]
    limit = max(object_along.max() - settings.crop * np.ptp(object_along), np.quantile(object_along, 1 - MOST_CROPPED))
    return scene.where(along <= limit)


def _crop_direction(rng: np.random.RandomState) -> np.ndarray:
    """Random unit vector (3,): sometimes steeply down or up, else nearly horizontal."""
    around, which = rng.uniform(0, 2 * np.pi), rng.random_sample()
    slope = -4.0 if which < 0.25 else 4.0 if which < 0.35 else rng.normal(0, 0.3)
    direction = np.array([np.cos(around), slope, np.sin(around)])
    return direction / np.linalg.norm(direction)


def _drawn(settings: Scan, scene: Surface, points: int, camera: np.ndarray, rng: np.random.RandomState) -> Surface:
    """Exactly `points` points in random order, with at most the fraction `settings.background` of background."""
    objects, other = np.flatnonzero(scene.is_object), np.flatnonzero(~scene.is_object)
    around = min(len(other), int(settings.background * points))
    weight = _density(settings.falloff, scene, camera)
    chosen = [_choose(objects, points - around, weight, rng), _choose(other, around, weight, rng)]
    return scene.at(rng.permutation(np.concatenate(chosen)))


def _density(falloff: float, scene: Surface, camera: np.ndarray) -> np.ndarray:
    """Relative density (n,): lower far away and on oblique surfaces, as in a depth image."""
    rays = scene.cloud - camera
    single = np.maximum(facing(scene.cloud, scene.normals, camera), 0.1) / np.einsum("ij,ij->i", rays, rays)
    return single**falloff


def _choose(candidates: np.ndarray, count: int, weight: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Weighted random choice of `count` candidates. If there are too few, returns all of them and some repeats."""
    missing = count - len(candidates)
    if missing >= 0:
        again = rng.randint(len(candidates), size=missing) if missing else np.empty(0, dtype=np.intp)
        return np.concatenate([candidates, candidates[again]])
    # weighted draw without replacement: an exponential time for each candidate, at a rate equal to its weight; the
    # candidates with the smallest times are drawn
    times = rng.exponential(size=len(candidates)) / weight[candidates]
    return candidates[
        np.sort(np.argpartition(times, count)[:count])
    ]  # sorted, because the order of argpartition depends on the processor


# sensor


def _noisy(
    settings: Scan, cloud: np.ndarray, camera: np.ndarray, extent: float, rng: np.random.RandomState
) -> np.ndarray:
    # sensor errors are in meters, but limited, so that small objects stay recognizable
    most = 0.015 * extent
    rays = cloud - camera
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    along = min(settings.range_noise, most) * rng.normal(size=(len(cloud), 1))
    return cloud + along * rays + min(settings.noise, most) * rng.normal(size=cloud.shape)


def _tilt(degrees: float, rng: np.random.RandomState) -> np.ndarray:
    """Rotation (3, 3) by `degrees` from upright, towards a random side."""
    side = rotation("y", rng.uniform(0, 360))
    return side @ rotation("x", degrees) @ side.T

"""Generated roads, intact or damaged, with ground truth: clouds of a mobile scanner, and small rasters.

>>> road = road_scan(seed=3, damage="pothole")
>>> road.points.shape == (len(road.truth), 3), bool(road.damaged.any())
(True, True)
>>> tiles, truth = road_tiles(4, seed=3)
>>> tiles.shape, bool(truth.any())  # height, intensity, intensity, as the published road images
((4, 3, 32, 32), False)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from openshape_ood.checks import check_choice, check_positive, check_seed, check_whole
from openshape_ood.errors import InputError

DAMAGES = ("pothole", "crack", "bump", "debris")
RELIEF = 0.06  # meters per unit of height
CELL = 0.04  # meters, side of a pixel in a raster
ROUGH = 0.03  # units of height: deviation of the roughness, including the scanner's error
ORIGIN = (365_000.0, 5_702_000.0, 60.0)  # middle of a road: large coordinates, as in a projected frame
TILES, SCAN = 90, 91  # numbers of the random streams


@dataclass(frozen=True, eq=False)
class RoadScan:
    """A piece of a road as a cloud.

    Attributes
    ----------
    points : ndarray (n, 3) float64
        Meters, z up, with coordinates up to about 6e6 as in a projected frame.
    intensity : ndarray (n,) float32
        In [0, 1].
    truth : ndarray (n,) int8
        0 for intact, else 1 + index of the damage in `DAMAGES`.
    heading : ndarray (3,)
        Unit direction of the scanner along the road.
    """

    points: np.ndarray
    intensity: np.ndarray
    truth: np.ndarray
    heading: np.ndarray

    @property
    def damaged(self) -> np.ndarray:
        """Mask (n,) of damaged points."""
        return self.truth > 0


def road_scan(
    seed: int,
    damage: str | Sequence[str] = (),
    *,
    severity: float = 1.0,
    side: float = 2.56,
    density: float = 2500.0,
    uneven: bool = False,
) -> RoadScan:
    """Square piece of road seen by a mobile scanner, with random heading, slope, camber and markings.

    Parameters
    ----------
    seed : int
        Seed of the road, the damage and the points.
    damage : str or sequence of str
        One or more of `DAMAGES`; none for an intact road. Each damage lies completely inside the piece.
    severity : float, default 1
        Factor for the change of height and intensity by a damage. At 1, potholes are 4 cm deep and cracks 2 cm; bumps
        and debris are 3 cm high.
    side : float, default 2.56
        Side of the piece in meters.
    density : float, default 2500
        Points per square meter, uniformly distributed.
    uneven : bool
        Add ruts, up to 1.5 cm deep, and joints of slabs, 1.2 cm deep, at any severity. Both count as intact.

    Raises
    ------
    UnknownNameError, InputError
        For an unknown damage, an invalid seed, and a piece without points. Also if severity, side or density is not
        above 0.

    Examples
    --------
    >>> road_scan(1, ["crack", "bump"], side=1.28, density=1000).points.shape
    (1638, 3)
    """
    kinds = _checked(damage)
    side, density = check_positive(side, "side"), check_positive(density, "density")
    count = round(density * side * side)
    if not count:
        raise InputError(
            f"density {density:g} and side {side:g} give no point. Expected one point or more. Increase density or "
            "side."
        )
    rng = np.random.RandomState([check_seed(seed), SCAN])
    flat = rng.uniform(0, side, (count, 2))
    height, intensity, truth = _surface(flat, side, kinds, rng, check_positive(severity, "severity"), uneven)
    turn, steep = rng.uniform(0, 2 * np.pi), rng.uniform(-0.05, 0.05)
    across = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    rise = steep * flat[:, 0] + RELIEF * height
    points = np.column_stack([(flat - side / 2) @ across, rise]) + ORIGIN
    heading = np.append(across[0], steep) / np.hypot(1, steep)
    return RoadScan(points, ((intensity + 1) / 2).astype(np.float32), truth, heading)


def road_tiles(
    count: int, seed: int, damage: str | Sequence[str] = (), *, size: int = 32
) -> tuple[np.ndarray, np.ndarray]:
    """Rasters of roads, generated without a cloud. Cells have 4 cm. Channels are height, intensity, intensity.

    Heights include slope and camber. Each tile has one damage, drawn from `damage`; none if it is empty.

    Parameters
    ----------
    count, size : int
        Number t of tiles, and number s of pixels along a tile.
    seed, damage
        As in `road_scan`.

    Returns
    -------
    tiles : ndarray (t, 3, s, s) float32
        In [-1, 1].
    truth : ndarray (t, s, s) bool
        True for damaged pixels.

    Raises
    ------
    UnknownNameError, InputError
        For an unknown damage, and an invalid count, seed or size.

    Examples
    --------
    >>> tiles, truth = road_tiles(2, seed=0, damage="debris")
    >>> bool(truth.any(axis=(1, 2)).all())
    True
    """
    kinds, size = _checked(damage), check_whole(size, "size", 8)
    rng = np.random.RandomState([check_seed(seed), TILES])
    centers = CELL * (np.stack(np.meshgrid(*[np.arange(size)] * 2, indexing="ij"), axis=-1).reshape(-1, 2) + 0.5)
    tiles, truths = [], []
    for _ in range(check_whole(count, "count")):
        damages = [kinds[rng.randint(len(kinds))]] if kinds else []
        height, intensity, truth = _surface(centers, CELL * size, damages, rng)
        tiles.append(np.stack([height, intensity, intensity]).clip(-1, 1).reshape(3, size, size))
        truths.append((truth > 0).reshape(size, size))
    return np.stack(tiles).astype(np.float32), np.stack(truths)


def _checked(damage: str | Sequence[str]) -> list[str]:
    kinds = [damage] if isinstance(damage, str) else list(damage)
    for kind in kinds:
        check_choice(kind, "damage", DAMAGES)
    return kinds


def _surface(
    at: np.ndarray,
    side: float,
    kinds: Sequence[str],
    rng: np.random.RandomState,
    severity: float = 1.0,
    uneven: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Height in units of `RELIEF`, intensity in [-1, 1] and truth, each (n,), of a square of `side` meters.

    at: positions (n, 2) in the square.
    """
    slope, camber = rng.uniform(-0.2, 0.2, 2), rng.uniform(0.0, 0.12)
    crown = rng.uniform(0.2, 0.8)
    along, across = (at / side - 0.5).T
    height = slope[0] * along + slope[1] * across - camber * (2 * (across + 0.5 - crown)) ** 2
    intensity = -0.2 + _waves(at, rng)
    if rng.random_sample() < 0.5:
        painted = _marking(at, side, rng)
        intensity = np.where(painted, 0.3 + 0.3 * intensity, intensity)
    truth = np.zeros(len(at), dtype=np.int8)
    for kind in kinds:
        where, rise, shade = _DAMAGE[kind](at, side, rng)
        height, intensity = height + severity * rise, intensity + severity * shade
        truth[where] = 1 + DAMAGES.index(kind)
    if uneven:
        height = height + _unevenness(at, side, rng)
    height = height + rng.normal(0, ROUGH, len(at))
    intensity = intensity + rng.normal(0, 0.05, len(at))
    return height, intensity.clip(-1, 1), truth


def _waves(at: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Smooth variation (n,) of intensity by asphalt and wear: three waves of amplitude 0.06."""
    total = np.zeros(len(at))
    for _ in range(3):
        wave = rng.normal(size=2)
        wave *= rng.uniform(1.5, 4.0) / np.linalg.norm(wave)
        total += 0.06 * np.sin(at @ wave + rng.uniform(0, 2 * np.pi))
    return total


def _unevenness(at: np.ndarray, side: float, rng: np.random.RandomState) -> np.ndarray:
    """Change of height (n,) in units of `RELIEF`: two ruts along the road, joints of slabs across it."""
    along, across = at.T
    middle = rng.uniform(0.35, 0.65) * side
    ruts = sum(np.exp(-0.5 * ((across - middle - offset) / 0.12) ** 2) for offset in (-0.45, 0.45))
    length = rng.uniform(0.5, 0.8)
    joint = np.abs((along - rng.uniform(0, length)) % length) < 0.03
    return np.asarray(-rng.uniform(0.1, 0.25) * ruts - 0.2 * joint)


def _marking(at: np.ndarray, side: float, rng: np.random.RandomState) -> np.ndarray:
    """Mask (n,) of a painted line along the road, 12 to 16 cm wide."""
    return np.abs(at[:, 1] - rng.uniform(0.1, 0.9) * side) < rng.uniform(0.06, 0.08)


Damaged = tuple[np.ndarray, np.ndarray, np.ndarray]  # mask (n,) bool, change of height (n,) and of intensity (n,)


def _pothole(at: np.ndarray, side: float, rng: np.random.RandomState) -> Damaged:
    bell = _bell(at, side, rng.uniform(0.06, 0.12), rng)
    return bell > 0.2, -0.7 * bell, -0.3 * bell


def _bump(at: np.ndarray, side: float, rng: np.random.RandomState) -> Damaged:
    """Asphalt raised by a root or by heat; its intensity is unchanged."""
    bell = _bell(at, side, rng.uniform(0.08, 0.14), rng)
    return bell > 0.2, 0.5 * bell, 0.0 * bell


def _crack(at: np.ndarray, side: float, rng: np.random.RandomState) -> Damaged:
    """Crack, 3 to 5 cm wide, along a random walk of roughly constant direction."""
    from scipy.spatial import KDTree

    step = 0.01
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.25, round(rng.uniform(0.5, 0.9) / step)))
    walk = np.cumsum(step * np.column_stack([np.cos(angle), np.sin(angle)]), axis=0)
    room = side - np.ptp(walk, axis=0)
    walk += rng.random_sample(2) * np.maximum(room, 0) - walk.min(axis=0)
    where = KDTree(walk).query(at, distance_upper_bound=rng.uniform(0.015, 0.025))[0] < np.inf
    return where, -0.4 * where, -0.5 * where


def _debris(at: np.ndarray, side: float, rng: np.random.RandomState) -> Damaged:
    """A box that lies on the road."""
    half, turn = rng.uniform(0.05, 0.12, 2), rng.uniform(0, np.pi)
    away = at - _place(side, float(np.linalg.norm(half)), rng)
    turned = away @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    where = (np.abs(turned) < half).all(axis=1)
    return where, 0.5 * where, rng.uniform(-0.2, 0.2) * where


def _bell(at: np.ndarray, side: float, width: float, rng: np.random.RandomState) -> np.ndarray:
    away = np.linalg.norm(at - _place(side, 1.8 * width, rng), axis=1)
    return np.exp(-0.5 * (away / width) ** 2)


def _place(side: float, reach: float, rng: np.random.RandomState) -> np.ndarray:
    reach = min(reach, side / 2)
    return rng.uniform(reach, side - reach, 2)


_DAMAGE = {"pothole": _pothole, "crack": _crack, "bump": _bump, "debris": _debris}

"""Preparation of clouds for an encoder: resample, exchange axes, center, scale, color.

The order of the steps and the exchange of two columns follow OpenShape's evaluation
(github.com/Colin97/OpenShape_code, `src/data.py`). Coordinates are float64 until the cloud is scaled.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from openshape_ood.checks import check_seed, check_whole
from openshape_ood.errors import CloudError, UnknownNameError
from openshape_ood.shapes.spec import CloudSpec

SAMPLE_STEP = 1_000_003  # seed step between samplings of a shape; large, so that seeds 0 and 1 share no sampling
CELLS = 1 << 16  # rounding steps per radius: much coarser than float64 errors, much finer than a patch
# minimum extent of a shape in float32 steps. With fewer steps, rounding changes the embedding: its cosine with the
# exact embedding is 0.99 at 128 steps, 0.95 at 16
GRAIN = 256
ROUNDING = 1e-3  # tolerance of colors outside [0, 1]
UPS = ("y", "z", "x", "-y", "-z", "-x")


class AxisWarning(UserWarning):
    """The up axis was not given or could not be found."""


def prepare(cloud: np.ndarray, spec: CloudSpec, *, up: str, seed: int, name: str) -> np.ndarray:
    """Prepare a cloud (n, 3|6) for an encoder: (count, 6) float32, xyz in the unit ball, rgb in [0, 1].

    cloud: as from `check_cloud`. up: gravity axis of the cloud. name: name of the cloud in messages. Raises
    `CloudError` if only one repeated point remains after resampling with `seed`, or if the extent exceeds float64.
    """
    cloud = cloud[resample(len(cloud), resampled_size(len(cloud), spec), seed)]
    if (cloud[:, :3] == cloud[0, :3]).all():  # possible if there are few distinct points
        raise _one_point(len(cloud), name)
    xyz = to_unit_ball(exchange(cloud[:, :3], up, spec.up), name)
    rgb = cloud[:, 3:] if cloud.shape[1] == 6 else np.full_like(xyz, spec.color)
    # in C order, because rounding errors of sums depend on the memory order
    return np.ascontiguousarray(np.concatenate([xyz, rgb], axis=1), dtype=np.float32)


def in_frame(cloud: np.ndarray, spec: CloudSpec, *, up: str, seed: int) -> np.ndarray:
    """All points (n, 3) of a cloud, with the exchange, center and scale of `prepare`, but without its rounding."""
    xyz = exchange(cloud[:, :3], up, spec.up)
    sampled = xyz[resample(len(cloud), resampled_size(len(cloud), spec), seed)]
    center = sampled.mean(axis=0)
    return (xyz - center) / np.linalg.norm(sampled - center, axis=1).max()


def resampled_size(n: int, spec: CloudSpec) -> int:
    """Number of points, after resampling, of a cloud with n points.

    Examples
    --------
    >>> resampled_size(500, CloudSpec(1024, "y", 0.4)), resampled_size(500, CloudSpec(1024, "y", 0.4, fewer="keep"))
    (1024, 500)
    """
    return min(n, spec.count) if spec.fewer == "keep" else spec.count


def check_cloud(value: Any, name: str) -> np.ndarray:
    """Copy of a cloud (n, 3|6) of any number type as float64, with rgb in [0, 1].

    Colors are taken as 0 to 255 if they are uint8 or if one exceeds 1. Raises `CloudError` for any other value. name:
    name of the cloud in messages.
    """
    if np.ma.is_masked(value):
        raise CloudError(
            f"{name} is a masked array. Expected a plain array. Drop the masked points first: "
            "points[~points.mask.any(axis=1)].data"
        )
    try:
        given = np.asarray(value)
    except ValueError:  # rows of different lengths
        given = np.empty(0, dtype=object)
    if given.dtype.kind not in "fiub":
        raise CloudError(
            f"{name} is not a table of numbers. Expected (n, 3) xyz, or (n, 6) xyz and rgb. Convert it to an array."
        )
    if given.ndim != 2 or given.shape[1] not in (3, 6):
        transposed = given.ndim == 2 and given.shape[0] in (3, 6)
        remedy = "Transpose it: points.T" if transposed else "Drop other columns first: points[:, :3]"
        remedy = "Take the clouds out of the stack first: list(points)" if given.ndim == 3 else remedy
        raise CloudError(f"{name} has the shape {given.shape}. Expected (n, 3) xyz, or (n, 6) xyz and rgb. {remedy}")
    if len(given) == 0:
        raise CloudError(f"{name} has no points. Expected at least two. Check the input.")
    cloud = given.astype(np.float64)
    if not np.isfinite(cloud).all():
        raise _not_finite(cloud, name)
    if (cloud[:, :3] == cloud[0, :3]).all():
        raise _one_point(len(cloud), name)
    if cloud.shape[1] == 6:
        cloud[:, 3:] = unit_colors(given[:, 3:], f"{name}: columns 4 to 6")
    return cloud


def warn_if_coarse(shape: Any, name: str, stacklevel: int = 2) -> None:
    """Warn if a cloud (n, 3|6) or trimesh object is so far from the origin that float32 coordinates have few digits.

    float64 coordinates cause the warning only if all are exact float32 numbers, so that they probably were float32.
    """
    given = [shape] if isinstance(shape, np.ndarray) else getattr(shape, "geometry", {"": shape}).values()
    for part in given:
        xyz = part[:, :3] if isinstance(part, np.ndarray) else np.asarray(part.vertices)
        # fast check: the extent of about 64 points is nearly always large enough; factor 2 as a margin
        across, step, _ = _grain(xyz[:: len(xyz) // 64 + 1])
        if across >= 2 * GRAIN * step:
            continue
        across, step, most = _grain(xyz)
        coarse = 0 < across < GRAIN * step and (xyz == xyz.astype(np.float32)).all()
        if coarse:
            warnings.warn(
                f"{name} is {most:.3g} from the origin and {across:.3g} wide, only {across / step:.0f} steps of float32"
                f". Expected at least {GRAIN}. Store the coordinates as float64, or move the shape to the origin "
                "before it is stored as float32.",
                stacklevel=stacklevel + 1,
            )
            return


def _grain(xyz: np.ndarray) -> tuple[float, float, float]:
    """Extent of points (n, 3), float32 step at the largest coordinate, and this coordinate."""
    if not len(xyz):
        return 0.0, 0.0, 0.0
    low, high = xyz.min(axis=0).astype(np.float64), xyz.max(axis=0).astype(np.float64)
    most = np.abs([low, high]).max()
    with np.errstate(over="ignore", invalid="ignore"):
        return (high - low).max(), float(np.spacing(np.float32(most))), most


def _not_finite(values: np.ndarray, name: str) -> CloudError:
    bad, remedy = (~np.isfinite(values).all(axis=1)).sum(), "points = points[np.isfinite(points).all(axis=1)]"
    given = f"{name} has NaN or infinity in {bad} of {len(values)} points"
    return CloudError(f"{given}. Expected finite numbers. Drop these points first: {remedy}")


def _one_point(n: int, name: str) -> CloudError:
    what = "has a single point" if n == 1 else f"is one point repeated {n} times"
    remedy = "Check the input." if n == 1 else "Drop repeats first: np.unique(points, axis=0)"
    return CloudError(f"{name} {what}. Expected at least two different points. {remedy}")


def unit_colors(rgb: np.ndarray, name: str) -> np.ndarray:
    """Colors (n, 3) of any number type as float64 in [0, 1]. Raises `CloudError` for values that are not colors.

    Values are taken as 0 to 255 if they are uint8, or if one exceeds 1 by more than `ROUNDING`. Smaller deviations
    from [0, 1] are clipped.

    Examples
    --------
    >>> unit_colors(np.array([[255, 0, 51]], dtype=np.uint8), "a cloud").tolist()
    [[1.0, 0.0, 0.2]]
    """
    if not np.isfinite(rgb).all():
        raise _not_finite(rgb, name)
    low, high = rgb.min(), rgb.max()
    if low < -ROUNDING or high > 255:
        normals = "If they are normals, drop them: points[:, :3]"
        remedy = "Divide 16-bit colors by 65535." if low >= 0 and rgb.dtype.kind in "iu" else normals
        raise CloudError(f"{name} run from {low:.4g} to {high:.4g}. Expected colors 0-1 or 0-255. {remedy}")
    scale = 255 if high > 1 + ROUNDING or rgb.dtype == np.uint8 else 1
    colors = rgb.astype(np.float64)
    colors /= scale
    return colors.clip(0, 1, out=colors)


def resample(n: int, count: int, seed: int) -> np.ndarray:
    """Random indices (count,) of n points, in random order. They depend only on n, count and seed.

    If n is at most count, every point is included, and random ones are repeated. The order must be random: a ball query
    selects the points with the lowest indices, so points in spatial order would bias every patch.

    Examples
    --------
    >>> sorted(resample(3, 5, seed=0).tolist())[0], len(resample(3, 5, seed=0)), len(set(resample(9, 5, seed=0)))
    (0, 5, 5)
    """
    # RandomState, because its stream is frozen; a Generator's stream may change with numpy
    rng = np.random.RandomState([check_seed(seed), n])
    if n >= count:
        return rng.permutation(n)[:count]
    return rng.permutation(np.concatenate([np.arange(n), rng.randint(n, size=count - n)]))


def sample_seeds(seed: int, num_samples: int) -> list[int]:
    """Seeds of the `num_samples` samplings of a shape. The first is `seed`. Raises `InputError` for invalid values."""
    return [(check_seed(seed) + SAMPLE_STEP * i) % 2**32 for i in range(check_whole(num_samples, "num_samples"))]


def mean_sample(samples: Sequence[np.ndarray]) -> np.ndarray:
    """Mean embeddings (b, d) of several samplings: mean direction with mean length. A single sampling is unchanged."""
    if len(samples) == 1:
        return samples[0]
    lengths = [np.linalg.norm(sample, axis=1, keepdims=True) for sample in samples]
    direction = np.mean([sample / length for sample, length in zip(samples, lengths, strict=True)], axis=0)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return (direction * np.mean(lengths, axis=0)).astype(np.float32)


def same_size(clouds: np.ndarray | Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Group clouds (n, 6) of equal size. Returns for each group the indices of its clouds, and a stack (b, n, 6)."""
    if isinstance(clouds, np.ndarray):
        return [np.arange(len(clouds))], [clouds]
    sizes = np.array([len(cloud) for cloud in clouds])
    alike = [np.flatnonzero(sizes == size) for size in np.unique(sizes)]
    return alike, [np.stack([clouds[int(i)] for i in rows]) for rows in alike]


def in_order(alike: Sequence[np.ndarray], rows: Sequence[np.ndarray]) -> np.ndarray:
    """Join rows that were computed for the groups of `same_size`, in the order of the clouds.

    alike: indices of the clouds of each group.
    """
    return rows[0] if len(rows) == 1 else np.concatenate(rows)[np.argsort(np.concatenate(alike))]


def check_up(up: Any, name: str = "up") -> str:
    """`up` if it is a gravity axis. Raises `UnknownNameError` for any other value. name: name of `up` in messages."""
    if up == "auto":
        raise UnknownNameError(
            f"{name} is 'auto', which needs known classes and several shapes. Expected one of {', '.join(UPS)}, or "
            "'file'. Find the axis with openshape_ood.novelty.find_up or score_novelty(shapes, known, up='auto')."
        )
    if up not in UPS:
        raise UnknownNameError(f"{name} is {up!r}. Expected one of {', '.join(UPS)}, or 'file'. Correct it.")
    return str(up)


def exchange(xyz: np.ndarray, up: str, to: str) -> np.ndarray:
    """Convert points (n, 3) from the gravity axis `up` to the axis `to` by exchanging two columns.

    This is a reflection, not a rotation, as in OpenShape's training. If `up` has a "-", the points are first rotated by
    180 degrees, which does not exchange left and right.

    Examples
    --------
    >>> exchange(np.array([[1.0, 2.0, 3.0]]), up="y", to="z").tolist()
    [[1.0, 3.0, 2.0]]
    """
    source, target = "xyz".index(up[-1]), "xyz".index(to)
    columns = [0, 1, 2]
    columns[source], columns[target] = target, source
    if up.startswith("-"):
        xyz = xyz.copy()
        xyz[:, [source, (source + 1) % 3]] *= -1
    return xyz[:, columns]


def upright(xyz: np.ndarray, up: str) -> np.ndarray:
    """Rotate points (n, 3) with the gravity axis `up` to y up. The front of z-up points moves from -y to +z.

    Encoders use `exchange` instead, which exchanges left and right.
    """
    check_up(up)
    x, y, z = np.asarray(xyz, dtype=np.float64)[:, :3].T
    if up.startswith("-"):  # rotate by 180 degrees about a horizontal axis
        x, y, z = {"x": (-x, -y, z), "y": (x, -y, -z), "z": (-x, y, -z)}[up[-1]]
    return np.stack({"x": (-y, x, z), "y": (x, y, z), "z": (x, z, -y)}[up[-1]], axis=1)


def to_unit_ball(xyz: np.ndarray, name: str) -> np.ndarray:
    """Center points (n, 3) at their mean, scale them to largest norm 1, and round them to multiples of 1/CELLS.

    Rounding makes the farthest point sampling of encoders independent of a translation. Regular clouds have many equal
    distances, whose last digits decide which point is sampled; a translation changes these digits. Raises `CloudError`
    if the extent is too large for float64. name: name of the cloud in messages.

    Examples
    --------
    >>> to_unit_ball(np.array([[10.0, 0, 0], [14.0, 0, 0]]), "a cloud").tolist()
    [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        centered = xyz - xyz.mean(axis=0)
        # first by the largest coordinate, so that squares neither overflow nor become 0
        centered = centered / np.abs(centered).max()
        centered = centered / np.linalg.norm(centered, axis=1).max()
    if not np.isfinite(centered).all():
        raise CloudError(
            f"{name}: its extent is beyond float64, or too small for its distance from the origin. Expected a usual "
            "size. Scale or move it."
        )
    return np.round(centered * CELLS) / CELLS

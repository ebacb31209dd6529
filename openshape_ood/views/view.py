"""View: color image, depth and camera."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from openshape_ood.checks import to_numpy
from openshape_ood.errors import CloudError, InputError
from openshape_ood.scenes import Scene
from openshape_ood.views.geometry import checked_matrix, moved, unproject

FARTHEST = 200.0  # meters, maximum median depth; a larger value is probably in millimeters
ROUNDING = 1e-3  # maximum deviation of a pose from a rotation


class ViewWarning(UserWarning):
    """Warning about the unit or the camera of a view."""


@dataclass(frozen=True, eq=False)
class View:
    """Color image with depth and camera.

    Parameters
    ----------
    rgb : (h, w, 3) float32 in [0, 1]
        Bytes are divided by 255.
    depth : (h, w) float32
        Meters along the optical axis; 0, infinity and NaN are unknown, stored as NaN.
    intrinsics : (3, 3) float64
        Focal lengths and principal point in pixels, without skew. Pixel centers have integer coordinates.
    pose : (4, 4) float64
        Camera to world: rotation, and position in meters. World: z up. Camera: x right, y down, z forward.
    name : str
        Name in messages and pictures.
    names, questions : tuple of str, tuple of (target, relation, reference)
        Names of objects, and questions for `locate`, from a published scene file. Default: none.

    Raises
    ------
    InputError
        For arrays of wrong or different sizes, colors outside [0, 1], depth behind the camera or in millimeters, an
        invalid camera matrix, or a pose that is no rotation.

    Examples
    --------
    >>> camera = np.array([[2.0, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
    >>> view = View(np.zeros((2, 2, 3)), np.array([[1.0, 0], [1, 1]]), camera, np.eye(4))
    >>> view.seen.tolist(), view.points[0].tolist()
    ([[True, False], [True, True]], [-0.25, -0.25, 1.0])
    """

    rgb: np.ndarray
    depth: np.ndarray
    intrinsics: np.ndarray
    pose: np.ndarray
    name: str = field(default="view", kw_only=True)
    names: tuple[str, ...] = field(default=(), kw_only=True)
    questions: tuple[tuple[str, str, str], ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        for what, checked in (
            ("rgb", self._checked_rgb()),
            ("depth", self._checked_depth()),
            ("intrinsics", checked_matrix(self.intrinsics, f"{self.name}: intrinsics", (3, 3))),
            ("pose", checked_matrix(self.pose, f"{self.name}: pose", (4, 4))),
        ):
            checked.flags.writeable = False
            object.__setattr__(self, what, checked)
        if self.rgb.shape[:2] != self.depth.shape:
            raise InputError(
                f"{self.name}: the image is {_size(self.rgb)}, the depth {_size(self.depth)}. Expected equal sizes. "
                "Resize one of them, and the intrinsics if they belong to it."
            )
        self._check_camera()
        self._check_pose()

    def __repr__(self) -> str:
        return f"View({self.name!r}, {_size(self.rgb)}, {self.seen.mean():.0%} with depth)"

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        h, w = self.depth.shape
        return h, w

    @cached_property
    def seen(self) -> np.ndarray:
        """Mask (h, w) of pixels with known depth."""
        return np.isfinite(self.depth)

    @cached_property
    def points(self) -> np.ndarray:
        """Position of each pixel in the world: (h * w, 3) float64, row by row; NaN for unknown depth."""
        return moved(unproject(self.depth, self.intrinsics), self.pose)

    def scene(self) -> Scene:
        """Pixels with depth as a colored scan, row by row.

        Raises
        ------
        CloudError
            If no pixel has a depth.
        """
        seen = self.seen.reshape(-1)
        if not seen.any():
            raise CloudError(
                f"{self.name}: no pixel has a depth. Expected at least one. Check the depth, or give another view."
            )
        return Scene(self.points[seen], self.rgb.reshape(-1, 3)[seen], name=self.name)

    def _checked_rgb(self) -> np.ndarray:
        rgb = self._numbers("rgb")
        if rgb.ndim != 3 or rgb.shape[2] != 3:
            raise InputError(f"{self.name}: rgb has shape {rgb.shape}. Expected (h, w, 3). Give three channels.")
        if rgb.dtype == np.uint8:
            return rgb.astype(np.float32) / 255
        rgb = rgb.astype(np.float32)
        if not -0.01 <= rgb.min() <= rgb.max() <= 1.01:  # False for NaN too
            runs = f"{rgb.min():g} to {rgb.max():g}"
            raise InputError(f"{self.name}: rgb runs from {runs}. Expected bytes, or numbers from 0 to 1. Scale it.")
        return np.clip(rgb, 0, 1)

    def _checked_depth(self) -> np.ndarray:
        given = self._numbers("depth")
        if given.ndim != 2:
            raise InputError(f"{self.name}: depth has shape {given.shape}. Expected numbers (h, w). Give one channel.")
        with np.errstate(over="ignore"):  # infinity counts as unknown
            depth = np.array(given, dtype=np.float32)
        depth[(depth == 0) | ~np.isfinite(depth)] = np.nan
        known = depth[np.isfinite(depth)]
        if known.size and known.min() < 0:
            raise InputError(
                f"{self.name}: {(known < 0).mean():.0%} of the depth is below 0. Expected meters in front of the "
                "camera. If its camera looks along -z (OpenGL), negate the depth and turn the pose."
            )
        if known.size and np.median(known) > FARTHEST:
            raise InputError(
                f"{self.name}: half of the depth is beyond {np.median(known):g} m. Expected meters. Divide millimeters "
                "by 1000."
            )
        return depth

    def _numbers(self, what: str) -> np.ndarray:
        try:
            given = np.asarray(to_numpy(getattr(self, what)))
        except ValueError as error:
            raise InputError(
                f"{self.name}: {what} has rows of different lengths. Expected an image. Correct the rows."
            ) from error
        if given.dtype.kind not in "fiu" or not given.size:
            raise InputError(
                f"{self.name}: {what} is {given.dtype} {given.shape}. Expected an image of numbers. Convert it first."
            )
        return given

    def _check_camera(self) -> None:
        k = self.intrinsics
        if k[0, 0] <= 0 or k[1, 1] <= 0 or np.abs(k[[0, 1, 2, 2], [1, 0, 0, 1]]).max() > 1e-6 or k[2, 2] != 1:
            raise InputError(
                f"{self.name}: intrinsics are {k.tolist()}. Expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels, "
                "fx and fy above 0, without skew. Correct them."
            )

    def _check_pose(self) -> None:
        turn = self.pose[:3, :3]
        off = float(np.abs(turn @ turn.T - np.eye(3)).max())
        scale = float(np.cbrt(np.linalg.det(turn)))
        if off <= ROUNDING and scale > 0:
            return
        reason = "has scaled or skewed axes"
        if scale < 0:
            reason = "mirrors (its determinant is below 0)"
        elif np.abs(turn @ turn.T - scale**2 * np.eye(3)).max() <= ROUNDING:
            reason = f"scales by {scale:.3g}, so divide the rotation by it to get meters"
        raise InputError(
            f"{self.name}: the pose {reason}. Expected a rotation and a position, from camera to world. Correct it."
        )


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"

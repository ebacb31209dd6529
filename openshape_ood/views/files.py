"""Reading and writing of views."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import check_positive, given_path, require_memory
from openshape_ood.errors import CloudError, FileError, InputError
from openshape_ood.shapes.formats.npz import npz_arrays
from openshape_ood.shapes.pictures import opened, read_bounded
from openshape_ood.storage import DAMAGE, make_folder, save_whole, saving
from openshape_ood.views.geometry import floor_height, image_normals
from openshape_ood.views.published import read_pickle
from openshape_ood.views.view import View, ViewWarning

IMAGES = (".png", ".jpg", ".jpeg")
SUFFIXES = (".npz", *IMAGES, ".pkl")
MILLIMETERS = 1000.0  # per meter
PIXEL = 80  # bytes per pixel of a view, with its point and copies
PUBLISHED_PIXEL = 160  # bytes per pixel if the floor is detected too
MAX_SIDE = 8192  # pixels, maximum side of the image size that a file states
MAX_TEXT, MAX_TEXTS = 1000, 500  # maximum characters of a name in a file, maximum number of names or questions
OFF = 0.2  # maximum offset of a principal point from the image center, relative to half the side
RAISED = 0.02  # meters; a floor within this distance of z = 0 is not moved
OVER = 0.5  # minimum z component, in the world, of the camera's y axis in an image that is upside down


def load_view(
    path: str | os.PathLike[str],
    *,
    depth: str | os.PathLike[str] | None = None,
    camera: str | os.PathLike[str] | None = None,
    depth_scale: float | None = None,
) -> View:
    """Load a view from one or several files.

    Parameters
    ----------
    path : str or Path
        An .npz file with the arrays `rgb`, `depth`, `intrinsics` and `pose`; or a color image (.png, .jpg); or a folder
        with `rgb.png`; or a published scene file (.pkl), which is read without executing its code.
    depth, camera : str or Path, optional
        For a color image. depth: a 16-bit PNG; default: `depth.png` in the same folder. camera: a JSON file with
        "intrinsics" ((3, 3), or fx, fy, cx, cy), "pose" ((4, 4), camera to world) and optionally "depth_scale";
        default: `camera.json` in the same folder.
    depth_scale : float, optional
        Depth units per meter; overrides the JSON file. Default: 1000 for whole numbers, with a warning, else 1.

    Returns
    -------
    View
        A published scene file also gives `names` and `questions`.

    Raises
    ------
    FileError
        With the file's name, for a file that cannot be read or is hostile.
    InputError
        For invalid settings.

    Warns
    -----
    ViewWarning
        If the principal point belongs to the image rotated by 90 degrees, which is corrected. If the image is upside
        down, which is not corrected. If the floor of a published scene file is moved to z = 0. If whole-number depth is
        assumed to be in millimeters.
    """
    given = given_path(path, "path")
    if given.is_dir():
        given /= "rgb.png"
    scale = None if depth_scale is None else check_positive(depth_scale, "depth_scale")
    suffix = given.suffix.lower()
    if suffix not in SUFFIXES:
        raise FileError(
            f"{given} has the suffix {suffix!r}. Expected a view: {', '.join(SUFFIXES)}, or a folder. Convert it first."
        )
    if suffix not in IMAGES and (depth is not None or camera is not None):
        raise InputError(
            f"{given} contains depth and camera, but depth= or camera= is given too. Expected these only "
            "for an image. Leave them out."
        )
    if not given.is_file():
        raise FileError(f"{given}: there is no such file. Expected a view. Check the path.")
    try:
        if suffix in IMAGES:
            fields = _pair(given, depth, camera)
        elif suffix == ".npz":
            data = read_bounded(given)
            fields = {name.lower(): array for name, array in npz_arrays(data).items()}
            _check_memory(sum(one.nbytes for one in fields.values()), fields["depth"].shape, PIXEL, len(data))
        else:
            data = read_bounded(given)
            content = read_pickle(data)
            fields = published_arrays(content, len(data)) | published_texts(content)
        view = _view(fields, scale, given.parent.name if given.name == "rgb.png" else given.name)
    except FileError:
        raise
    except DAMAGE as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise FileError(f"cannot read the view {given}: {reason}") from error
    view = _with_principal_point(view)
    if view.pose[2, 1] > OVER:
        warnings.warn(
            f"{view.name}: by its pose the image is upside down. Expected a camera with y down. If its y is up, as in "
            "OpenGL, negate the second and third column of the rotation.",
            ViewWarning,
            stacklevel=2,
        )
    return on_floor(view) if suffix == ".pkl" else view


def save_view(view: View, path: str | os.PathLike[str]) -> Path:
    """Write a view for `load_view`.

    Parameters
    ----------
    view : View
    path : str or Path
        An .npz file stores exact values. A folder gets `rgb.png`, `depth.png` and `camera.json`: color is rounded to 8
        bits, depth to millimeters, or to coarser units if it exceeds 65 meters.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        For another suffix.
    FileError
        If writing fails.
    """
    from PIL import Image

    given = given_path(path, "path")
    if given.suffix.lower() == ".npz":
        with saving(given, "the view") as file:
            np.savez(file, rgb=view.rgb, depth=view.depth, intrinsics=view.intrinsics, pose=view.pose)
        return given
    if given.suffix:
        raise InputError(f"path is {os.fspath(path)}. Expected an .npz file or a folder. Change the suffix.")
    farthest = float(np.nanmax(view.depth)) if view.seen.any() else 0.0
    scale = min(MILLIMETERS, 65_000 / max(farthest, 1e-6))
    units = np.rint(np.nan_to_num(view.depth.astype(np.float64)) * scale)
    units[view.seen] = np.maximum(units[view.seen], 1)  # 0 is unknown
    camera = {"intrinsics": view.intrinsics.tolist(), "pose": view.pose.tolist(), "depth_scale": scale}
    folder, color = make_folder(given), np.rint(view.rgb * 255).astype(np.uint8)
    for name, pixels in (("rgb.png", color), ("depth.png", units.astype(np.uint16))):
        with saving(folder / name, "the view") as file:
            Image.fromarray(pixels).save(file, format="PNG")
    save_whole(folder / "camera.json", json.dumps(camera, indent=1).encode(), "the camera")
    return folder


def published_arrays(scene: Mapping[str, Any], held: int | None = None) -> dict[str, Any]:
    """Arrays of a view, from the content of a published scene file. held: size of an untrusted file in bytes.

    If the file has `img_shape` (width, height), color and depth are resized to it by nearest pixels. The intrinsics
    belong to the stored or to the resized image. The image whose center is nearer to the principal point is assumed.
    """
    for name in ("rgb", "depth", "cam_intr", "cam_extr"):
        if not isinstance(scene[name], np.ndarray):  # nested lists may need far more memory than their file
            raise CloudError(f"its {name!r} is a {type(scene[name]).__name__}. Expected an array. Save it as one.")
    rgb, depth, pose = scene["rgb"], scene["depth"], scene["cam_extr"]
    intrinsics, (h, w) = np.array(scene["cam_intr"][:3, :3], dtype=np.float64), depth.shape[:2]
    if "img_shape" in scene:
        w, h = (side if isinstance(side, int) else 0 for side in scene["img_shape"])
        if not (0 < w <= MAX_SIDE and 0 < h <= MAX_SIDE):
            raise CloudError(
                f"its img_shape is {scene['img_shape']!r:.80}. Expected a width and a height from 1 to "
                f"{MAX_SIDE}. Correct it."
            )
    if held is not None:
        _check_memory(0, (h, w), PUBLISHED_PIXEL, held)
    if "img_shape" in scene:
        ratio = np.array([w, h]) / depth.shape[::-1]
        middle = np.array(depth.shape[::-1]) / 2
        if np.abs(intrinsics[:2, 2] / middle - 1).max() <= np.abs(intrinsics[:2, 2] / (middle * ratio) - 1).max():
            intrinsics[:2, 2] = (intrinsics[:2, 2] + 0.5) * ratio - 0.5
            intrinsics[[0, 1], [0, 1]] *= ratio
        rgb, depth = _resized(rgb, (h, w)), _resized(depth, (h, w))
    return {"rgb": rgb, "depth": depth, "intrinsics": intrinsics, "pose": pose}


def published_texts(scene: Mapping[str, Any]) -> dict[str, Any]:
    """`names` and `questions` of a view from a published scene file; empty if it has none."""
    names = _texts(scene.get("ovssc_obj_classes", ()), "ovssc_obj_classes")
    listed = _listed(scene.get("descriptions", ()), "descriptions")
    questions = [_texts(one, "descriptions", 3) for one in listed]
    return {"names": tuple(dict.fromkeys(names)), "questions": tuple(dict.fromkeys(questions))}


def _texts(given: Any, what: str, count: int | None = None) -> tuple[str, ...]:
    """`given` as a tuple of strings. Raises `CloudError` for other values, and for a number other than `count`."""
    texts = _listed(given, what)
    if not all(isinstance(one, str) and one.strip() and len(one) <= MAX_TEXT for one in texts):
        raise CloudError(f"its {what!r} holds other values. Expected texts of 1 to {MAX_TEXT} characters. Correct it.")
    if count is not None and len(texts) != count:
        raise CloudError(
            f"its {what!r} has an entry of {len(texts)} texts. Expected target, relation, reference. Correct it."
        )
    return tuple(one.strip() for one in texts)


def _listed(given: Any, what: str) -> Sequence[Any]:
    if not isinstance(given, list | tuple):
        raise CloudError(f"its {what!r} is a {type(given).__name__}. Expected a list. Save it as one.")
    if len(given) > MAX_TEXTS:
        raise CloudError(f"its {what!r} has {len(given):,} entries. Expected at most {MAX_TEXTS}. Shorten it.")
    return given


def on_floor(view: View) -> View:
    """View with its floor, the lowest large horizontal surface, at z = 0; unchanged without a floor."""
    points = view.points.reshape(*view.shape, 3)
    normals = image_normals(points)
    kept = np.isfinite(normals).all(axis=-1)
    height = floor_height(points[kept], normals[kept]) if kept.any() else None
    if height is None or abs(height) < RAISED:
        return view
    warnings.warn(
        f"{view.name}: its floor was at z = {height:.2f} m. Networks expect it at 0. It was moved to 0.",
        ViewWarning,
        stacklevel=3,
    )
    pose = view.pose.copy()
    pose[2, 3] -= height
    return replace(view, pose=pose)


def _with_principal_point(view: View) -> View:
    """View with cx and cy exchanged if they belong to the image rotated by 90 degrees."""
    h, w = view.shape
    cx, cy = view.intrinsics[:2, 2] / [w / 2, h / 2]
    if not (cx > 1 + OFF and cy < 1 - OFF) and not (cx < 1 - OFF and cy > 1 + OFF):
        return view
    swapped = view.intrinsics.copy()
    swapped[[0, 1], 2] = swapped[[1, 0], 2]
    warnings.warn(
        f"{view.name}: the principal point ({view.intrinsics[0, 2]:g}, {view.intrinsics[1, 2]:g}) fits an image "
        f"{h} x {w}, but this one is {w} x {h}. cx and cy were exchanged. If this is wrong, correct the intrinsics.",
        ViewWarning,
        stacklevel=3,
    )
    return replace(view, intrinsics=swapped)


def _view(fields: Mapping[str, Any], scale: float | None, name: str) -> View:
    depth, stated = np.asarray(fields["depth"]), fields.get("depth_scale")
    if isinstance(stated, np.ndarray) and stated.size == 1:
        stated = stated.item()
    scale = scale or (None if stated is None else check_positive(stated, "depth_scale"))
    if scale is None and depth.dtype.kind in "iu":
        scale = MILLIMETERS
        warnings.warn(
            f"{name}: depth in whole numbers has no unit. It was taken as millimeters. If this is right, give "
            "depth_scale=1000 (units per meter).",
            ViewWarning,
            stacklevel=3,
        )
    if scale is not None:
        depth = depth.astype(np.float64) / scale
    texts = {key: fields[key] for key in ("names", "questions") if isinstance(fields.get(key), tuple)}
    return View(np.asarray(fields["rgb"]), depth, fields["intrinsics"], fields["pose"], name=name, **texts)


def _pair(path: Path, depth: Any, camera: Any) -> dict[str, Any]:
    """Color, depth and camera from three files. The camera refers to the stored image, so EXIF rotation is ignored."""
    files = [path.with_name("depth.png") if depth is None else given_path(depth, "depth")]
    files.append(path.with_name("camera.json") if camera is None else given_path(camera, "camera"))
    stated = json.loads(read_bounded(files[1]))
    if not isinstance(stated, dict):
        raise CloudError(
            f"{files[1]} holds a {type(stated).__name__}. Expected an object with intrinsics and pose. Correct it."
        )
    if lacking := [name for name in ("intrinsics", "pose") if name not in stated]:
        raise CloudError(
            f"{files[1]} has no {lacking[0]!r}. Expected intrinsics, pose and optionally depth_scale. Add it."
        )
    intrinsics = stated["intrinsics"]
    if isinstance(intrinsics, dict):
        fx, fy, cx, cy = (intrinsics[name] for name in ("fx", "fy", "cx", "cy"))
        intrinsics = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    rgb, units = _image(path, "RGB", files[0]), _image(files[0], None, path)
    if units.ndim != 2 or units.dtype.itemsize < 2:
        raise CloudError(f"{files[0]} is {units.dtype} {units.shape}. Expected a gray image of 16 bits. Convert it.")
    return {"rgb": rgb, "depth": units, "pose": stated["pose"]} | {
        "intrinsics": intrinsics,
        "depth_scale": stated.get("depth_scale"),
    }


def _image(path: Path, mode: str | None, other: Path) -> np.ndarray:
    with opened(path, PIXEL, beside=other.stat().st_size if other.is_file() else 0) as image:
        return np.asarray(image.convert(mode) if mode else image)


def _check_memory(given: int, shape: Sequence[int], each: int, held: int) -> None:
    """Raise an error if a file of `held` bytes needs far more memory: `given` bytes, and `each` bytes per pixel."""
    sides = " x ".join(map(str, shape[::-1]))
    require_memory(given + each * math.prod(shape), held, f"a view of {sides} pixels", whole=True)


def _resized(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    rows, columns = ((np.arange(new) * old) // new for new, old in zip(shape, image.shape[:2], strict=True))
    return image[rows][:, columns]

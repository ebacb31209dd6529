"""Conversion of views for training and evaluation: published files and the user's views; adds missing relevancies.

Published data sets divide their views into splits by `vool_split.pkl` and `ssc_split.pkl`, pickled dicts of paths.

A user's view is anything that `load_view` reads: a folder with rgb.png, depth.png and camera.json, an .npz or a .pkl
file. Its truth is a labelled scan `scan.*` in the same folder or a parent folder, in the world frame of the view's
pose, with names of the labels in `scan.names.json`.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.semabs.reader import SIDE, Datum, read_published, save_datum
from benchmarks.semabs.summary import SYNONYMS
from openshape_ood.errors import CloudError, FileError, InputError
from openshape_ood.scenes import load_names, load_scene
from openshape_ood.shapes.formats import SUFFIXES
from openshape_ood.shapes.pictures import read_bounded
from openshape_ood.storage import save_whole
from openshape_ood.views import load_view
from openshape_ood.views.geometry import BOUNDS, SCALE, in_bounds, moved, published_frame, signed_distance
from openshape_ood.views.published import read_pickle
from openshape_ood.views.relevancy.relevancy import SCALE as GAIN

if TYPE_CHECKING:
    from openshape_ood.views.relevancy import RelevancyEncoder

MOST = 200_000  # queries on surfaces, and as many in empty space
APART = 0.05  # least distance of an empty query from surfaces, in units of the bounds: 8 cm
SPACINGS = 3.0  # the same, as a multiple of the scan's point spacing; the larger distance is used
MAX_STEPS = 3_000_000  # instructions in a pickled file of splits; each path takes two
NEAR = 0.1  # meters; a point of the scan within this distance of the view's depth is visible


@dataclass(frozen=True)
class Settings:
    """Settings: image, extractor and split of published files; names in the user's views; preset and seed."""

    image: str = "rgb"
    extractor: str = "ours"
    names: tuple[str, ...] = ()
    preset: str = "ours"
    seed: int = 0
    clip: str = ""
    split: str = ""


def convert(
    source: Path,
    out: Path,
    settings: Settings,
    encoder: Callable[[], RelevancyEncoder],
    share: slice = slice(None),
    split_file: Path | None = None,
) -> Iterator[tuple[Path, bool]]:
    """Convert every view in `source` to an .npz file in `out`, unless it exists.

    Views are published .hdf5 files or, if there are none, the user's views.

    Parameters
    ----------
    encoder : callable
        Makes the encoder; called for the first view without relevancies.
    share : slice
        The views that this process converts.
    split_file : Path, optional
        File of the splits, see `split_views`.

    Yields
    ------
    tuple of Path and bool
        The file, and True if its relevancies were computed.

    Raises
    ------
    InputError
        If there are no views, or if `out` has views converted with other settings.
    """
    paths: list[Path] = sorted(source.rglob("*.hdf5")) or user_views(source, out)
    if settings.split:
        paths = split_views(source, settings.split, split_file)
    if not paths:
        raise InputError(
            f"there are no .hdf5 files and no views under {source}. Expected the published data set, or folders with "
            "rgb.png, depth.png and camera.json"
        )
    out.mkdir(parents=True, exist_ok=True)
    _check_settings(out / "convert.json", settings)
    for path in paths[share]:
        published = path.suffix == ".hdf5"
        target = out / f"{path.name.removesuffix('.hdf5') if published else _scene_id(path, source)}.npz"
        if target.is_file():
            yield target, False
            continue
        if published:
            datum = read_published(path, settings.image, settings.extractor)
        else:
            datum = user_datum(path, source, settings.names, settings.seed)
        lacking = not len(datum.relevancies) and (not published or len(labels_of(datum)) > 1)
        if lacking:
            datum = with_relevancies(datum, encoder(), settings.preset, settings.seed)
        save_datum(datum, target)
        yield target, lacking


def _check_settings(path: Path, settings: Settings) -> None:
    content = asdict(settings) | {"names": list(settings.names)}
    before = json.loads(path.read_bytes()) if path.is_file() else None
    if before == content:
        return
    if before is None or not any(path.parent.glob("*.npz")):  # a conversion that failed left no view
        save_whole(path, json.dumps(content, indent=1).encode(), "the settings")
    elif before | {"split": content["split"]} == content:
        raise InputError(
            f"{path.parent} has views of the split {before.get('split') or 'none'!r}, not of {content['split']!r}. "
            "Expected a folder for each split. Give another folder"
        )
    else:
        raise InputError(f"{path.parent} holds views that were converted with other settings. Give another folder")


def split_files(source: Path) -> list[Path]:
    """Files that divide a published data set into splits; the first one is for its evaluation."""
    return [path for path in (source / f"{name}_split.pkl" for name in ("vool", "ssc")) if path.is_file()]


def read_splits(path: Path) -> dict[str, list[str]]:
    """Paths of the views by split. Raises `FileError`; nothing of the file is executed."""
    try:
        found = read_pickle(read_bounded(path), max_steps=MAX_STEPS)
    except (CloudError, OSError) as error:
        raise FileError(f"cannot read {path} as splits of a data set: {error}") from error
    if not all(isinstance(own, list) and all(isinstance(one, str) for one in own) for own in found.values()):
        raise FileError(f"{path} holds no lists of paths by split")
    return found


def split_views(source: Path, split: str, split_file: Path | None = None) -> list[Path]:
    """Sorted files of a split, by `split_file` or the first of `split_files`.

    Raises `InputError` for an unknown split, and `FileError` for files that are missing or outside the data set.
    """
    files = [split_file] if split_file else split_files(source)
    if not files:
        raise InputError(f"{source} has no vool_split.pkl and no ssc_split.pkl. Give --split-file, or no --split")
    splits = read_splits(files[0])
    if split not in splits:
        raise InputError(f"{files[0]} has no split {split!r}; it has {', '.join(splits) or 'none'}")
    root = source.resolve()
    paths = sorted({root / one for one in splits[split]})
    wrong = [path for path in paths if not path.is_file() or not path.resolve().is_relative_to(root)]
    if wrong or not paths:
        first = f", such as {wrong[0].name}" if wrong else ""
        raise FileError(
            f"{files[0]}: {len(wrong)} of {len(paths)} views of {split} are not in {source}{first}. Expected all of "
            "them. Unpack the whole archive"
        )
    return paths


def _scene_id(path: Path, root: Path) -> str:
    return "-".join(path.relative_to(root).with_suffix("").parts) or root.resolve().name


def with_relevancies(datum: Datum, encoder: RelevancyEncoder, preset: str = "ours", seed: int = 0) -> Datum:
    """Add the relevancies of all names of a view, and their mean, which is subtracted later, as published.

    Raises `InputError` for fewer than two names: minus the mean, one relevancy would be 0.
    """
    labels = labels_of(datum)
    if len(labels) < 2:
        raise InputError(
            f"{datum.scene_id} has {len(labels)} names. Expected two or more, as their mean is subtracted. Give --names"
        )
    relevancies = encoder.encode_image(datum.rgb, labels, preset=preset, background=(), seed=seed)
    whole = torch.from_numpy(relevancies.values / np.float32(GAIN))
    maps = torch.nn.functional.interpolate(whole[None], (SIDE, SIDE), mode="nearest-exact")[0].numpy()
    return replace(datum, labels=np.array(labels, dtype="U"), relevancies=maps, mean=maps.mean(axis=0))


def labels_of(datum: Datum) -> list[str]:
    """Names that get a relevancy, as published: labels, visible classes, descriptions and their names, and synonyms."""
    triples = [tuple(one) for one in datum.descriptions.tolist()]
    triples += [(SYNONYMS.get(t, t), relation, SYNONYMS.get(r, r)) for t, relation, r in triples]
    names = [*datum.labels.tolist(), *datum.visible.tolist(), *(one for t, _, r in triples for one in (t, r))]
    names += [SYNONYMS[name] for name in names if name in SYNONYMS]
    names += [f"{t} {relation} a {r}" for t, relation, r in triples]
    spelled: dict[str, str] = {}
    for name in names:
        spelled.setdefault(name.casefold(), name)
    return list(spelled.values())


def user_views(folder: Path, out: Path) -> list[Path]:
    """Sorted files and folders in `folder` that `load_view` reads, without those in `out`."""
    paths = [path.parent for path in folder.rglob("rgb.png")]
    paths += [path for suffix in ("npz", "pkl") for path in folder.rglob(f"*.{suffix}") if path.stem != "scan"]
    return sorted(path for path in paths if out not in path.parents)


def user_datum(path: Path, root: Path, names: Sequence[str] = (), seed: int = 0) -> Datum:
    """A user's view with the true classes from its scan, without relevancies.

    names: by default all names of the scan. Raises `FileError`, and `InputError` for a view without a scan, or if no
    labelled point of the scan is in the view's bounds.
    """
    view, scene_id = load_view(path), _scene_id(path, root)
    frame = published_frame(view.pose)
    pose = frame @ view.pose
    points, objects, classes, spacing = _truth(_scan(path, root), frame)
    if not objects.any():  # no labels, or another world frame
        raise InputError(f"{path}: its scan has no labelled point within the bounds in front of the camera")
    rng = np.random.default_rng([seed, zlib.crc32(scene_id.encode())])
    kept = np.sort(rng.permutation(len(points))[:MOST])
    empty = _empty(points, len(kept), max(APART, SPACINGS * spacing), rng)
    points, objects = points[kept], objects[kept]
    seen = np.abs(signed_distance(points, view.depth, view.intrinsics, pose, NEAR / 5)) < 1
    shown = sorted({classes[i] for i in np.unique(objects[seen])} - {classes[0]})
    spelled = {name.casefold(): name for name in classes[1:]}
    wanted = [spelled.get(name.casefold(), name) for name in names] or classes[1:]
    return Datum(
        scene_id,
        np.rint(255 * view.rgb).astype(np.uint8),
        np.nan_to_num(view.depth),
        view.intrinsics,
        pose,
        BOUNDS.copy(),
        np.concatenate([points, empty]).astype(np.float32),
        np.concatenate([objects, np.zeros(len(empty), dtype=np.int64)]).astype(np.int32),
        np.array(classes, dtype="U"),
        np.array([name for name in shown if name in wanted], dtype="U"),
        np.array(wanted, dtype="U"),
        np.empty((0, SIDE, SIDE), np.float32),
        np.zeros((SIDE, SIDE), np.float32),
        np.empty((0, 3), dtype="U"),
        np.empty(0, dtype=np.int64),
    )


def _scan(path: Path, root: Path) -> Path:
    """The scan of a view: in its folder, or in the nearest parent folder up to `root`."""
    folders: Iterator[Path] = (one for one in (path, *path.parents) if one.is_dir() and one.is_relative_to(root))
    for folder in folders:
        scans = sorted(one for one in folder.glob("scan.*") if one.suffix.lower() in SUFFIXES)
        if scans:
            return scans[0]
    raise InputError(
        f"{path}: there is no scan.* in its folder or its parents up to {root}. Expected a scan with labels, for "
        "example scan.ply and scan.names.json. `save_scene` writes both"
    )


def _truth(scan: Path, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str], float]:
    """Points (n, 3) of a scan in the bounds, class of each (n,; 0 for none), names of the classes, point spacing."""
    scene, named = load_scene(scan), load_names(scan)
    if scene.labels is None:
        raise InputError(f"{scan} has no labels; expected a label for each point")
    named.pop(0, None)
    classes = ["empty", *named.values()]
    numbers = np.zeros(max(int(scene.labels.max()), *named, 0) + 1, dtype=np.int64)
    numbers[list(named)] = np.arange(1, len(classes))
    points = moved(scene.points, frame)
    inside = in_bounds(points, BOUNDS)
    return points[inside], numbers[scene.labels[inside]], classes, SCALE * scene.spacing()


def _empty(surface: np.ndarray, count: int, apart: float, rng: np.random.Generator) -> np.ndarray:
    """At most `count` random positions (m, 3) in the bounds, farther than `apart` from all surface points (n, 3)."""
    from scipy.spatial import KDTree

    places = rng.uniform(BOUNDS[0], BOUNDS[1], (count, 3))
    return places[KDTree(surface).query(places, distance_upper_bound=apart)[0] > apart]

"""Pictures with depth: read by the process that can be killed, completed; one that is generated."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.app.quotas import MAX_CLASSES, MAX_VIEW_PIXELS, READ_SECONDS
from openshape_ood.app.turns import Visitor
from openshape_ood.app.uploads import NOBODY, read_sealed
from openshape_ood.errors import CheckpointError, CloudError, ShapeFileError
from openshape_ood.views import View, load_view
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.files import IMAGES, SUFFIXES

if TYPE_CHECKING:  # the process that reads has no memory for torch
    from openshape_ood.novelty_map import NoveltyMap
    from openshape_ood.views.completion import CompletedView, Completer

GENERATED = "a generated view"
FURNITURE, FOREIGN = ("chair", "table", "sofa", "bed", "lamp"), "bicycle"
SEED = 3  # of a room of which the camera sees much
SIDE = 32  # cells along an edge of the grid
ANSWERED = 8 * MAX_VIEW_PIXELS * (4 + MAX_CLASSES)  # bytes: of each pixel color, depth and affinities
KINDS = (".json", *SUFFIXES)


@dataclass(frozen=True, eq=False)
class Look:
    """A view on the page; affinities: to the names that the visitor's file has; masks: of the generated room."""

    view: View
    affinities: Affinities | None = None
    masks: Callable[[str], np.ndarray] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        own = () if self.affinities is None else (self.affinities.values,)
        return sum(array.nbytes for array in (self.view.rgb, self.view.depth, *own))


def generated() -> Look:
    """Furniture, and one thing that is foreign to it."""
    from openshape_ood.synthetic.views import room_view

    made = room_view(SEED, categories=FURNITURE, foreign=[FOREIGN], objects=6, size=(144, 192))
    said = f"Generated: furniture and one {FOREIGN}. In place of CLIP's relevancy the true masks of the names are used."
    return Look(replace(made.view, name=GENERATED), None, made.mask, (said,))


@dataclass(frozen=True, eq=False)
class Completed:
    """A view with what its names fill, and what none of them explains."""

    found: CompletedView
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.found.view.name

    @property
    def map(self) -> NoveltyMap:
        return self.found.novelty

    def as_json(self) -> dict[str, Any]:
        return self.found.as_json()


def complete_look(look: Look, names: Sequence[str]) -> Completed:
    """The view completed, all names being known.

    Raises `OpenShapeError` with a message for the visitor: names that the affinities lack, weights that are not here.
    """
    from openshape_ood.synthetic.calibration import resolve
    from openshape_ood.views.completion import complete_view

    if look.masks is not None:
        masks = np.stack([look.masks(resolve(name) or name) for name in names])
        affinities = Affinities.from_masks(masks, names)
    elif look.affinities is not None:
        affinities = look.affinities.of(names)
    else:
        affinities = _encoder().encode_image(look.view.rgb, names, preset="quick")
    return Completed(complete_view(look.view, affinities, names, model=_completer(), side=SIDE), look.remarks)


@lru_cache(maxsize=1)
def _completer() -> Completer:
    from openshape_ood.views.completion import Completer

    return Completer.from_pretrained()


@lru_cache(maxsize=1)
def _encoder() -> Any:
    from openshape_ood.views.relevancy import RelevancyEncoder

    try:
        return RelevancyEncoder.from_pretrained()
    except CheckpointError as error:
        raise CheckpointError(
            f"without affinities a picture needs CLIP: {error}. Or drop affinities too, an .npz file of "
            "openshape-ood relevancy --out, with “affinities” in its name"
        ) from error


def read_look(paths: Sequence[Path], visitor: Visitor = NOBODY, **bounds: Any) -> Look:
    """Read uploaded files of one view together, as `read_upload` reads shapes."""
    first, beside = _sorted(paths)
    names = {f"{what}{path.suffix.lower()}": path for what, path in beside.items()}
    how: dict[str, Any] = {"settings": {"beside": list(names)}, "what": "view", "suffixes": KINDS, "beside": names}
    how |= {"least": READ_SECONDS * (1 + len(names)), **bounds}
    look = read_sealed(f"{__name__}:reader", first, visitor, _checked, most=ANSWERED, **how)
    if look.affinities is not None:
        look.affinities.check_fits(look.view)
    return look


def _sorted(paths: Sequence[Path]) -> tuple[Path, dict[str, Path]]:
    """The file that is the view, or its picture, and what belongs to it."""
    found: dict[str, list[Path]] = {"view": [], "depth": [], "camera": [], "affinities": []}
    for path in paths:
        stem, suffix = path.stem.casefold(), path.suffix.lower()
        word = "affinities" if "affinit" in stem or "relevanc" in stem else "depth" if "depth" in stem else "view"
        allowed = {"affinities": (".npz",), "depth": IMAGES, "view": SUFFIXES}[word]
        found["camera" if suffix == ".json" else word if suffix in allowed else "view"].append(path)
    image = len(found["view"]) == 1 and found["view"][0].suffix.lower() in IMAGES
    if (
        len(found["view"]) != 1
        or any(len(own) > 1 for own in found.values())
        or (image and not all(map(found.get, ("depth", "camera"))))
    ):
        raise ShapeFileError(
            f"a view is a picture, its depth (an image with “depth” in its name) and a camera (.json), dropped "
            f"together; or one .npz file; given: {', '.join(path.name for path in paths) or 'nothing'}"
        )
    return found["view"][0], {what: own[0] for what, own in found.items() if own and what != "view"}


def _checked(told: Any, rgb: np.ndarray, depth: np.ndarray, camera: np.ndarray, *values: np.ndarray, name: str) -> Look:
    """From the answer of `_read`."""
    pose, intrinsics = camera[:4], camera[4:7, :3]
    view = View(rgb, depth, intrinsics, pose, name=name)
    affinities = Affinities(values[0], tuple(map(str, told["names"]))) if values else None
    remarks = tuple(f"{said}." for said in told["said"])
    return Look(view, affinities, None, tuple(str(one).replace(str(told["name"]), name) for one in remarks))


def reader(beside: Sequence[str]) -> Callable[[str], tuple[Mapping[str, Any], list[np.ndarray]]]:
    """The task of the process that reads."""
    return lambda source: _read(Path(source), {Path(name).stem: name for name in beside})


def _read(source: Path, beside: Mapping[str, str]) -> tuple[Mapping[str, Any], list[np.ndarray]]:
    """Picture, depth, camera, affinities if there are; what else there is to say."""
    own = {what: source.parent / name for what, name in beside.items()}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        view = load_view(source, depth=own.get("depth"), camera=own.get("camera"))
    h, w = view.shape
    if h * w > MAX_VIEW_PIXELS:
        raise CloudError(f"it has {w} x {h} pixels; this page takes {MAX_VIEW_PIXELS:,} at most")
    arrays, names = [view.rgb, view.depth, np.concatenate([view.pose, np.eye(4)])], []
    arrays[2][4:7, :3] = view.intrinsics
    if "affinities" in beside:
        found = Affinities.load(own["affinities"])
        if len(found) > MAX_CLASSES:
            raise CloudError(f"the affinities are to {len(found)} names; this page takes {MAX_CLASSES} at most")
        names = list(found.names)
        arrays.append(found.values)
    told = [str(one.message) for one in said if issubclass(one.category, UserWarning)]
    return {"name": view.name, "said": told, "names": names}, arrays

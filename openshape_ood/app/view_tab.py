"""Tab for images with depth: reading in a child process, completion, and a generated view."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.app.fair_queue import Visitor
from openshape_ood.app.quotas import MAX_CLASSES, MAX_VIEW_PIXELS, READ_SECONDS
from openshape_ood.app.uploads import NOBODY, Answer, read_sealed
from openshape_ood.errors import CheckpointError, CloudError, ShapeFileError
from openshape_ood.views import View, load_view
from openshape_ood.views.affinities import Affinities
from openshape_ood.views.files import IMAGES, SUFFIXES

if TYPE_CHECKING:  # torch would exceed the memory limit of the reading process
    from openshape_ood.novelty_map import NoveltyMap
    from openshape_ood.views.completion import CompletedView, Completer

GENERATED = "a generated view"
FURNITURE, FOREIGN = ("chair", "table", "sofa", "bed", "lamp"), "bicycle"
SEED = 3  # seed of the generated room; the camera sees a large part of it
SIDE = 32  # cells per side of the grid
ANSWERED = 8 * MAX_VIEW_PIXELS * (4 + MAX_CLASSES)  # maximum bytes: color, depth and affinities of each pixel
KINDS = (".json", *SUFFIXES)


@dataclass(frozen=True, eq=False)
class ViewInput:
    """View on the page.

    affinities: from the visitor's file, if there is one. masks: function from a name to its true mask (h, w), only for
    the generated view. remarks: remarks for the visitor.
    """

    view: View
    affinities: Affinities | None = None
    masks: Callable[[str], np.ndarray] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        values = () if self.affinities is None else (self.affinities.values,)
        return sum(array.nbytes for array in (self.view.rgb, self.view.depth, *values))


def generated() -> ViewInput:
    """Generated view of furniture and one foreign object."""
    from openshape_ood.synthetic.views import room_view

    made = room_view(SEED, categories=FURNITURE, foreign=[FOREIGN], objects=6, size=(144, 192))
    remark = f"Generated: furniture and one {FOREIGN}. The true masks of the names replace CLIP's relevancy."
    return ViewInput(replace(made.view, name=GENERATED), None, made.mask, (remark,))


@dataclass(frozen=True, eq=False)
class ViewVerdict:
    """Result for a view: the completed names, and the space that no name explains."""

    completed: CompletedView
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.completed.view.name

    @property
    def map(self) -> NoveltyMap:
        return self.completed.novelty

    def as_json(self) -> dict[str, Any]:
        return self.completed.as_json()


def complete(given: ViewInput, names: Sequence[str], chosen: bool = True) -> ViewVerdict:
    """Complete a view: find the space filled by each name, and the space that no name explains.

    chosen: True if the visitor changed the names; otherwise, names in the file of the view take precedence. Questions
    in this file (target, relation, reference) are answered too. Raises `OpenShapeError` with a message for the visitor
    if names have no affinities, or weights are missing.
    """
    from openshape_ood.synthetic.calibration import resolve
    from openshape_ood.views.completion import complete_view
    from openshape_ood.views.completion.result import questions_of

    has = None if given.affinities is None else given.affinities.names
    questions, remarks = questions_of(given.view, has), list(given.remarks)
    if given.view.names and not chosen:
        names = [name for name in given.view.names if has is None or name in has] or list(has or ())
        remarks.append(f"Names of the file: {', '.join(names)}.")
    if questions:
        remarks.append(f"Questions of the file: {', '.join(map(' '.join, questions))}.")
        names = list(
            dict.fromkeys([*names, *(one for target, _, reference in questions for one in (target, reference))])
        )
    if given.masks is not None:
        masks = np.stack([given.masks(resolve(name) or name) for name in names])
        affinities = Affinities.from_masks(masks, names)
    elif given.affinities is not None:
        affinities = given.affinities.of(names)
    else:
        affinities = _encoder().encode_image(given.view.rgb, names, preset="quick")
    how: dict[str, Any] = {"questions": questions, "model": _completer(), "side": SIDE}
    return ViewVerdict(complete_view(given.view, affinities, names, **how), tuple(remarks))


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
            f"there are no affinities, and CLIP cannot be loaded: {str(error).rstrip('.')}. Expected one of them. Also "
            "drop an .npz file from openshape-ood relevancy --out, with “affinities” in its name."
        ) from error


def read_view(paths: Sequence[Path], visitor: Visitor = NOBODY, **bounds: Any) -> ViewInput:
    """Read the uploaded files of one view. bounds: limits for `read_sealed`."""
    first, beside = _sorted(paths)
    names = {f"{what}{path.suffix.lower()}": path for what, path in beside.items()}
    how: dict[str, Any] = {"settings": {"beside": list(names)}, "what": "view", "suffixes": KINDS, "beside": names}
    how |= {"least": READ_SECONDS * (1 + len(names)), **bounds}
    view = read_sealed(_read, first, visitor, _checked, most=ANSWERED, **how)
    if view.affinities is not None:
        view.affinities.check_fits(view.view)
    return view


def _sorted(paths: Sequence[Path]) -> tuple[Path, dict[str, Path]]:
    """Main file of a view (the view or its image), and a dictionary role -> additional file."""
    by_kind: dict[str, list[Path]] = {"view": [], "depth": [], "camera": [], "affinities": []}
    for path in paths:
        stem, suffix = path.stem.casefold(), path.suffix.lower()
        word = "affinities" if "affinit" in stem or "relevanc" in stem else "depth" if "depth" in stem else "view"
        allowed = {"affinities": (".npz",), "depth": IMAGES, "view": SUFFIXES}[word]
        by_kind["camera" if suffix == ".json" else word if suffix in allowed else "view"].append(path)
    image = len(by_kind["view"]) == 1 and by_kind["view"][0].suffix.lower() in IMAGES
    if (
        len(by_kind["view"]) != 1
        or any(len(files) > 1 for files in by_kind.values())
        or (image and not all(map(by_kind.get, ("depth", "camera"))))
    ):
        raise ShapeFileError(
            f"the files are {', '.join(path.name for path in paths) or 'missing'}. Expected an image, its depth image "
            "(with “depth” in its name) and a camera (.json), or one .npz file. Drop them together."
        )
    return by_kind["view"][0], {what: files[0] for what, files in by_kind.items() if files and what != "view"}


def _checked(
    answer: Any, rgb: np.ndarray, depth: np.ndarray, camera: np.ndarray, *values: np.ndarray, name: str
) -> ViewInput:
    """Validate the answer of `_read`, and make the result from it."""
    words = {"names": tuple(answer["listed"]), "questions": tuple(tuple(one) for one in answer["questions"])}
    view = View(rgb, depth, intrinsics=camera[4:7, :3], pose=camera[:4], name=name, **words)
    affinities = Affinities(values[0], tuple(map(str, answer["names"]))) if values else None
    remarks = tuple(f"{str(one).replace(str(answer['name']), name)}." for one in answer["warnings"])
    return ViewInput(view, affinities, None, remarks)


def _read(source: str, beside: Sequence[str]) -> Answer:
    """Task of the child process: image, depth, camera, affinities if present, warnings."""
    folder = Path(source).parent
    files = {Path(name).stem: folder / name for name in beside}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        view = load_view(Path(source), depth=files.get("depth"), camera=files.get("camera"))
    h, w = view.shape
    if h * w > MAX_VIEW_PIXELS:
        raise CloudError(f"the view has {w} x {h} pixels. Expected at most {MAX_VIEW_PIXELS:,}. Reduce its size.")
    if len(view.names) + 2 * len(view.questions) > MAX_CLASSES:
        raise CloudError(
            f"the view lists {len(view.names)} names and {len(view.questions)} questions. Expected at most "
            f"{MAX_CLASSES} names, where a question counts as two. Remove some."
        )
    camera = np.concatenate([view.pose, np.eye(4)])
    camera[4:7, :3] = view.intrinsics
    arrays, names = [view.rgb, view.depth, camera], []
    if "affinities" in files:
        affinities = Affinities.load(files["affinities"])
        if len(affinities) > MAX_CLASSES:
            raise CloudError(
                f"the affinities have {len(affinities)} names. Expected at most {MAX_CLASSES}. Save fewer names."
            )
        names = list(affinities.names)
        arrays.append(affinities.values)
    texts = [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
    listed = {"listed": view.names, "questions": view.questions}
    return {"name": view.name, "warnings": texts, "names": names, **listed}, arrays

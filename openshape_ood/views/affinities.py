"""Affinities: similarity of each pixel of an image with each of k names, from CLIP, masks or another method."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood import __version__
from openshape_ood.checks import BLOCK_ELEMENTS, given_path, to_numpy, words
from openshape_ood.encoders.protocols import ANONYMOUS, Identity, Provenance
from openshape_ood.encoders.text.encoder import clean_names
from openshape_ood.errors import InputError, UnknownNameError
from openshape_ood.novelty_map import Elements, NoveltyMap
from openshape_ood.scoring import Method, find_method, judge_similarities
from openshape_ood.shapes.formats.npz import loaded_npz
from openshape_ood.storage import saving

if TYPE_CHECKING:
    from pathlib import Path

    from openshape_ood.views.view import View

UNKNOWN = "unknown"
WHAT = "openshape_ood affinities 1"
PIXEL = 56  # bytes per pixel of an image and its novelty map, with copies
MASKS = Provenance(Identity("masks", "masks"), "masks", up="", version=__version__)
UNTOLD = Provenance(ANONYMOUS, "affinities", up="", version=__version__)


@dataclass(frozen=True, eq=False)
class Affinities:
    """Similarities of pixels with names.

    Attributes
    ----------
    values : ndarray (k, h, w) float32
        About -1 to 1; NaN means unknown.
    names : tuple of k str
    provenance : Provenance
    rgb : ndarray (h, w, 3) uint8, optional
        The image.
    """

    values: np.ndarray
    names: tuple[str, ...]
    provenance: Provenance = UNTOLD
    rgb: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        given, names = np.asarray(to_numpy(self.values)), tuple(clean_names(self.names))
        if given.dtype.kind not in "fbiu" or given.ndim != 3 or 0 in given.shape or len(given) != len(names):
            raise InputError(
                f"affinities are {given.dtype} {given.shape} for {len(names)} names. Expected numbers (k, h, w). Give "
                "one "
                "image a name."
            )
        values = given.astype(np.float32, copy=False)
        if np.isinf([np.nanmin(values), np.nanmax(values)] if not np.isnan(values).all() else [0]).any():
            raise InputError(
                "affinities hold infinity. Expected finite numbers, or NaN where nothing is known. Replace it by NaN."
            )
        picture, expected = self.rgb, (*values.shape[1:], 3)
        if picture is not None and (np.shape(picture) != expected or np.asarray(picture).dtype != np.uint8):
            raise InputError(
                f"the image is {np.asarray(picture).dtype} {np.shape(picture)}. Expected bytes {expected}, the size of "
                "the affinities. For a View give np.rint(255 * view.rgb).astype(np.uint8)."
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "names", names)

    @classmethod
    def from_masks(cls, masks: Any, names: Sequence[str], *, rgb: Any = None) -> Affinities:
        """Affinities from masks (k, h, w) of bool, which may overlap: 1 inside, 0 outside.

        >>> Affinities.from_masks(np.eye(2, dtype=bool)[None], ["chair"]).values[0].tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        given = np.asarray(to_numpy(masks))
        if given.dtype != bool:
            raise InputError(
                f"masks are of type {given.dtype}. Expected bool (k, h, w). Compare numbers with a threshold first."
            )
        return cls(given.astype(np.float32), tuple(names), MASKS, rgb)

    def check_fits(self, view: View) -> None:
        """Raise `InputError` for a view of another size."""
        if self.values.shape[1:] != view.shape:
            raise InputError(
                f"the affinities are of an image (h, w) of {self.values.shape[1:]}, {view.name} has {view.shape}. "
                "Expected equal sizes. Make the affinities from this view."
            )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> np.ndarray:
        """Affinities (h, w) of a name. Raises `UnknownNameError`."""
        return self.values[self.index([name])[0]]

    def novelty(
        self, known: Sequence[str] | None = None, *, method: str | Method = "max_cosine", temperature: float = 1.0
    ) -> NoveltyMap:
        """Novelty of pixels: 1 minus the largest affinity to a known name.

        Parameters
        ----------
        known : sequence of str, optional
            Subset of the names. Default: all.
        method : str or Method
            Default: 1 minus the largest affinity. Alternatives: "mcm", "energy", "entropy" or "margin", as in
            `score_novelty`.
        temperature : float
            Temperature of the alternatives: affinities are divided by it.

        Returns
        -------
        NoveltyMap
            Map of the h * w pixels. Unknown pixels have the class "unknown" and the lowest novelty of the map.

        Raises
        ------
        UnknownNameError
            For an unknown name or method.
        InputError
            For a method that cannot use affinities, and for a single known name if the method needs several.

        Examples
        --------
        >>> masks = np.array([[[True, False]], [[False, True]]])
        >>> Affinities.from_masks(masks, ["chair", "lamp"]).novelty(["chair"]).novelty.tolist()
        [0.0, 1.0]
        """
        rows, rule = self.index(known), find_method(method)
        names, (h, w) = [self.names[i] for i in rows], self.values.shape[1:]
        flat = self.values.reshape(len(self), -1)
        best, nearest = np.empty(h * w, dtype=np.float32), np.empty(h * w, dtype=np.int64)
        novelty = np.zeros(h * w)
        step = max(1, BLOCK_ELEMENTS // len(rows))
        for start in range(0, h * w, step):
            part = slice(start, start + step)
            block = flat[rows, part]
            nearest[part] = np.where(np.isnan(block), -np.inf, block).argmax(axis=0)
            best[part] = np.take_along_axis(block, nearest[None, part], axis=0)[0]
            novelty[part] = judge_similarities(np.where(np.isnan(block), -1, block).T, rule, temperature)
        unknown = np.isnan(best)
        novelty[unknown] = novelty[~unknown].min() if not unknown.all() else 0.0
        nearest[unknown] = len(names)
        classes = words([*names, *([UNKNOWN] if unknown.any() else [])])
        suffix = "" if rule.name == "max_cosine" else f", {rule.name}"
        picture = np.ones((h, w, 3), dtype=np.float32) if self.rgb is None else self.rgb / np.float32(255)
        return NoveltyMap(
            elements=Elements("pixels", picture.reshape(-1, 3), (h, w)),
            novelty=novelty,
            nearest=classes[nearest],
            classes=classes,
            baseline=float("nan"),
            threshold=None,
            provenance=replace(self.provenance, method=self.provenance.method + suffix),
            name="the image",
            up="",
            similarity=np.where(unknown, 0.0, best),
        )

    def rows(self) -> list[dict[str, Any]]:
        """One record per name: largest affinity, its pixel, mean, and fraction of pixels above half the largest.

        Without known pixels, the fraction is 0 and the other values are None.
        """
        records = []
        for name, values in zip(self.names, self.values, strict=True):
            record: dict[str, Any] = {"name": name, "peak": None, "row": None, "column": None, "mean": None}
            if not np.isnan(values).all():
                row, column = divmod(int(np.nanargmax(values)), values.shape[1])
                record |= {"peak": float(values[row, column]), "row": row, "column": column}
                record["mean"] = float(np.nanmean(values))
            above = 0.0 if record["peak"] is None else float((values > record["peak"] / 2).mean())
            records.append(record | {"share_above_half": above})
        return records

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write an .npz file atomically. Raises `InputError` for another suffix, `FileError`."""
        given = given_path(path, "path")
        if given.suffix.lower() != ".npz":
            raise InputError(f"path is {given}. Expected an .npz file. Change the suffix.")
        header = {"format": WHAT, "names": self.names, "provenance": self.provenance.as_json()}
        picture = {} if self.rgb is None else {"rgb": np.asarray(self.rgb)}
        with saving(given, "the affinities") as file:
            np.savez(file, allow_pickle=False, header=json.dumps(header), values=self.values, **picture)
        return given

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Affinities:
        """Read a file that `save` wrote. Raises `FileError` for any other file. No code in the file is executed."""
        with loaded_npz(path, "affinities", _made) as arrays:
            header = json.loads(arrays["header"].item())
            if header["format"] != WHAT:
                raise ValueError(f"its format is not {WHAT!r}")
            fields = header["provenance"]
            provenance = Provenance(**{**fields, "identity": Identity(**fields["identity"])})
            return cls(arrays["values"], tuple(header["names"]), provenance, arrays.get("rgb"))

    @classmethod
    def load_masks(cls, path: str | os.PathLike[str]) -> Affinities:
        """Masks from an .npz file with an array (h, w) of bool or non-negative integers for each name.

        No code in the file is executed. Raises `FileError` for any other file.
        """
        with loaded_npz(path, "masks", _made) as arrays:
            shapes = {name: one.shape for name, one in arrays.items()}
            if len(set(shapes.values())) > 1 or any(len(shape) != 2 for shape in shapes.values()):
                raise ValueError(
                    f"its arrays are {shapes}. Expected one array (h, w) per name. Save arrays of one size."
                )
            if wrong := [f"{name!r} is {one.dtype}" for name, one in arrays.items() if one.dtype.kind not in "biu"]:
                raise ValueError(
                    f"{wrong[0]}. Expected bool, or whole numbers, 0 outside. Save real-valued affinities with "
                    "`Affinities(values, names).save`."
                )
            values = np.empty((len(arrays), *next(iter(shapes.values()))), dtype=np.float32)
            for row, one in zip(values, arrays.values(), strict=True):
                row[:] = one > 0
            return cls(values, tuple(arrays), MASKS)

    def of(self, names: Sequence[str]) -> Affinities:
        """Affinities of some names, in this order. Raises `UnknownNameError`."""
        rows = self.index(names)
        return replace(self, values=self.values[rows], names=tuple(self.names[i] for i in rows))

    def plot(self, **options: Any) -> Any:
        """Plot, see `openshape_ood.plots.relevancy`; needs the extra `[plots]`."""
        from openshape_ood import plots

        return plots.relevancy(self, **options)

    def index(self, names: Sequence[str] | None = None) -> list[int]:
        """Indices of some of the names. Default: all. Raises `UnknownNameError`."""
        if names is None:
            return list(range(len(self)))
        place, wanted = {name.casefold(): i for i, name in enumerate(self.names)}, clean_names(names)
        if lacking := [name for name in wanted if name.casefold() not in place]:
            raise UnknownNameError(
                f"there are no affinities to {lacking[0]!r}. Expected one of {', '.join(self.names)}. Choose one, or "
                "compute affinities to it."
            )
        return [place[name.casefold()] for name in wanted]


def _made(arrays: dict[str, np.ndarray]) -> int:
    """Memory in bytes of affinities (k, h, w) as float32, and of their novelty map."""
    values = [one for one in arrays.values() if one.ndim > 1]
    return sum(4 * one.size for one in values) + PIXEL * max((math.prod(one.shape[-2:]) for one in values), default=0)

"""Shapes and known classes of one visitor. A `Session` is immutable: every change returns a new one."""

from __future__ import annotations

import re
import secrets
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Literal

import numpy as np

from openshape_ood.app.quotas import EXAMPLE_POINTS, MAX_CLASSES, MAX_EXAMPLES, MAX_NAME
from openshape_ood.app.uploads import kept_rows
from openshape_ood.decisions.threshold import Threshold
from openshape_ood.encoders.text.encoder import clean_names
from openshape_ood.errors import ClassNamesError, InputError
from openshape_ood.shapes.batches import AUTO
from openshape_ood.shapes.failure import Failure
from openshape_ood.shapes.points import check_up, exchange


@dataclass(frozen=True, eq=False)
class Shape:
    """Shape on the page.

    name: as given by the visitor; cloud (n, 3|6) float64 in its own frame and units; note: changes made on reading;
    stated: gravity axis stated by its file, "" for none.
    """

    name: str
    cloud: np.ndarray
    note: str = ""
    stated: str = ""

    def up(self, chosen: str, silent: str = "y") -> str:
        """Gravity axis: the chosen one; for "file" and "auto" the file's, else `silent`."""
        return (self.stated or silent) if chosen in ("file", AUTO) else check_up(chosen)


@dataclass(frozen=True, eq=False)
class Example:
    """Example of a known class: cloud (n, 3|6) float32, y up; key identifies equal examples."""

    name: str
    cloud: np.ndarray
    key: str


@dataclass(frozen=True, eq=False)
class Calibration:
    """The visitor's calibration: known shapes that are no examples, or a saved threshold."""

    shapes: tuple[Shape, ...] = ()
    threshold: Threshold | None = None
    key: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass(frozen=True, eq=False)
class Session:
    """State of a visitor's page.

    names (k,): known classes; examples: by class; shapes: on the page; shown: place of the shape on display; failures:
    dropped files that could not be read; calibration: the visitor's own.

    Examples of a removed class are kept, and used again if the class returns.
    """

    names: tuple[str, ...] = ()
    examples: tuple[tuple[str, Example], ...] = ()
    shapes: tuple[Shape, ...] = ()
    shown: int = 0
    failures: tuple[Failure, ...] = ()
    calibration: Calibration | None = None

    @property
    def shape(self) -> Shape | None:
        """Shape on display, None before the first."""
        return self.shapes[self.shown] if self.shapes else None

    @property
    def nbytes(self) -> int:
        """Bytes of all clouds."""
        calibration = self.calibration.shapes if self.calibration else ()
        clouds = [one.cloud for one in (*self.shapes, *calibration)]
        return sum(cloud.nbytes for cloud in (*clouds, *(example.cloud for _, example in self.examples)))

    def of(self, name: str) -> tuple[Example, ...]:
        """Examples of a class."""
        return tuple(example for owner, example in self.examples if owner == name)

    def known(self) -> dict[str, tuple[Example, ...]]:
        """Class -> its examples, empty for a class with only a name."""
        return {name: self.of(name) for name in self.names}

    @property
    def kind(self) -> Literal["names", "examples", "both"]:
        """Kind of known classes for `scoring.find_method`."""
        having = [bool(examples) for examples in self.known().values()]
        return "names" if not any(having) else "examples" if all(having) else "both"

    @property
    def key(self) -> Hashable:
        """Key equal for sessions with the same names and examples."""
        return tuple((name, tuple(example.key for example in examples)) for name, examples in self.known().items())

    def with_shapes(self, shapes: Sequence[Shape], failures: Sequence[Failure] = ()) -> Session:
        """Copy with other shapes on the page, the first on display."""
        return replace(self, shapes=tuple(shapes), shown=0, failures=tuple(failures))

    def with_names(self, text: str) -> Session:
        """Copy with the class names in a text. Raises `ClassNamesError` for no, too many or repeated names."""
        return replace(self, names=parse_names(text))

    def with_example(self, name: str, up: str) -> Session:
        """Copy with the shape on display as an example of class `name`; up: as in `Shape.up`.

        A new class is added to the names. Raises `InputError` without a shape, for an existing example, and beyond the
        page's limit.
        """
        if self.shape is None:
            raise InputError("there is no shape yet; drop one or pick an example first")
        if not name or not name.strip():
            raise ClassNamesError("choose the class of the shape, or type a new one")
        name, *others = parse_names(name, "the class is")
        if others:
            raise ClassNamesError(f"a shape is an example of one class; {1 + len(others)} are given: {name}, ...")
        name = next((known for known in self.names if known.casefold() == name.casefold()), name)
        if len(self.examples) >= MAX_EXAMPLES:
            raise InputError(f"there are {MAX_EXAMPLES} examples already, the maximum of this page")
        example = _example(self.shape, self.shape.up(up))
        if any(example.key == other.key for other in self.of(name)):
            raise InputError(f"{self.shape.name} is already an example of {name}")
        names = self.names if name in self.names else parse_names("\n".join([*self.names, name]))
        return replace(self, names=names, examples=(*self.examples, (name, example)))

    def without_examples(self) -> Session:
        """Copy with names only."""
        return replace(self, examples=())


def parse_names(text: str, what: str = "the known classes are") -> tuple[str, ...]:
    """Class names in a text, separated by lines or commas.

    >>> parse_names("chair, night_stand\\nsofa,")
    ('chair', 'night stand', 'sofa')

    Raises `ClassNamesError` for no, too many, too long or repeated names.
    """
    if len(text) > 2 * MAX_CLASSES * MAX_NAME:
        raise ClassNamesError(f"{what} a text of {len(text):,} characters; expected at most {MAX_CLASSES} names")
    names = tuple(clean_names([name for name in re.split(r"[,;\n]", text) if name.strip()]))
    if len(names) > MAX_CLASSES:
        raise ClassNamesError(f"{what} {len(names)} names; this page takes at most {MAX_CLASSES}")
    for name in names:
        if len(name) > MAX_NAME:
            raise ClassNamesError(f"{name[:MAX_NAME]}… has {len(name)} characters; this page takes at most {MAX_NAME}")
    return names


def _example(shape: Shape, up: str) -> Example:
    cloud = shape.cloud[kept_rows(len(shape.cloud), EXAMPLE_POINTS)]
    # centered: float32 would blur a scan far from its origin
    xyz = exchange(cloud[:, :3] - cloud[:, :3].mean(axis=0), up, "y")
    upright = np.concatenate([xyz, cloud[:, 3:]], axis=1).astype(np.float32)
    return Example(shape.name, upright, sha256(upright.tobytes()).hexdigest())

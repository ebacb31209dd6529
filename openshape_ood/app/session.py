"""One visitor's shape and known classes. Nothing here is shared: every change gives a new `Session`."""

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
    """A shape on the page: name, as the visitor gave it; cloud (n, 3|6) float64 in its own frame and units; note:
    what was done to it on reading; stated: the gravity axis its file states, "" where it states none.
    """

    name: str
    cloud: np.ndarray
    note: str = ""
    stated: str = ""

    def up(self, chosen: str, silent: str = "y") -> str:
        """The gravity axis: the one chosen, or for "file" and "auto" what the file states, else `silent`."""
        return (self.stated or silent) if chosen in ("file", AUTO) else check_up(chosen)


@dataclass(frozen=True, eq=False)
class Example:
    """A shape that belongs to a known class: cloud (n, 3|6) float32, y up; key tells equal ones apart."""

    name: str
    cloud: np.ndarray
    key: str


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a visitor gave to decide by: known shapes that are no examples, or a threshold made elsewhere."""

    shapes: tuple[Shape, ...] = ()
    threshold: Threshold | None = None
    key: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass(frozen=True, eq=False)
class Session:
    """names (k,): the known classes; examples: by class; shapes: those on the page, and the place of the one that is
    shown; failures: files dropped with them that were not read; calibration: of the visitor's own.

    Examples of a class that is taken out of the names are kept, and count again when it comes back.
    """

    names: tuple[str, ...] = ()
    examples: tuple[tuple[str, Example], ...] = ()
    shapes: tuple[Shape, ...] = ()
    shown: int = 0
    failures: tuple[Failure, ...] = ()
    calibration: Calibration | None = None

    @property
    def shape(self) -> Shape | None:
        """The shape that is shown, None before the first."""
        return self.shapes[self.shown] if self.shapes else None

    @property
    def nbytes(self) -> int:
        """Of all clouds."""
        calibration = self.calibration.shapes if self.calibration else ()
        clouds = [one.cloud for one in (*self.shapes, *calibration)]
        return sum(cloud.nbytes for cloud in (*clouds, *(example.cloud for _, example in self.examples)))

    def of(self, name: str) -> tuple[Example, ...]:
        """The examples of a class."""
        return tuple(example for owner, example in self.examples if owner == name)

    def known(self) -> dict[str, tuple[Example, ...]]:
        """Class -> its examples, none for a class known by name only."""
        return {name: self.of(name) for name in self.names}

    @property
    def kind(self) -> Literal["names", "examples", "both"]:
        """How the classes are known, as `scoring.find_method` takes it."""
        having = [bool(own) for own in self.known().values()]
        return "names" if not any(having) else "examples" if all(having) else "both"

    @property
    def key(self) -> Hashable:
        """Equal for sessions with the same names and examples."""
        return tuple((name, tuple(example.key for example in own)) for name, own in self.known().items())

    def with_shapes(self, shapes: Sequence[Shape], failures: Sequence[Failure] = ()) -> Session:
        """The same with other shapes on the page, the first of them shown."""
        return replace(self, shapes=tuple(shapes), shown=0, failures=tuple(failures))

    def with_names(self, text: str) -> Session:
        """The same with the class names in a text; raises `ClassNamesError` for none, too many, or one twice."""
        return replace(self, names=parse_names(text))

    def with_example(self, name: str, up: str) -> Session:
        """The same with the shape that is shown as an example of class `name`; up: as `Shape.up` takes it.

        A class that is new is added to the names. Raises `InputError` where there is no shape, for an example that
        the class has already, and for more than the page keeps.
        """
        if self.shape is None:
            raise InputError("there is no shape yet; drop one or pick an example first")
        if not name or not name.strip():
            raise ClassNamesError("choose the class that the shape belongs to, or type a new one")
        name, *others = parse_names(name, "the class is")
        if others:
            raise ClassNamesError(f"a shape is an example of one class; {1 + len(others)} are written: {name}, ...")
        name = next((known for known in self.names if known.casefold() == name.casefold()), name)
        if len(self.examples) >= MAX_EXAMPLES:
            raise InputError(f"there are {MAX_EXAMPLES} examples already, as many as this page keeps")
        example = _example(self.shape, self.shape.up(up))
        if any(example.key == other.key for other in self.of(name)):
            raise InputError(f"{self.shape.name} is an example of {name} already")
        names = self.names if name in self.names else parse_names("\n".join([*self.names, name]))
        return replace(self, names=names, examples=(*self.examples, (name, example)))

    def without_examples(self) -> Session:
        """The same with the names alone."""
        return replace(self, examples=())


def parse_names(text: str, what: str = "the known classes are") -> tuple[str, ...]:
    """Class names from a text, one a line or with commas between them.

    >>> parse_names("chair, night_stand\\nsofa,")
    ('chair', 'night stand', 'sofa')

    Raises `ClassNamesError` for none, too many, too long or repeated ones.
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
    # about its own middle: float32 would blur a scan that lies far from its origin
    xyz = exchange(cloud[:, :3] - cloud[:, :3].mean(axis=0), up, "y")
    upright = np.concatenate([xyz, cloud[:, 3:]], axis=1).astype(np.float32)
    return Example(shape.name, upright, sha256(upright.tobytes()).hexdigest())

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

    name: file name from the visitor. cloud: (n, 3|6) float64 in the file's frame and units. note: remarks from reading.
    stated: up axis stated by the file, "" for none.
    """

    name: str
    cloud: np.ndarray
    note: str = ""
    stated: str = ""

    def up(self, chosen: str, silent: str = "y") -> str:
        """Up axis: the chosen one. For "file" and "auto", the axis stated by the file, else `silent`."""
        return (self.stated or silent) if chosen in ("file", AUTO) else check_up(chosen)


@dataclass(frozen=True, eq=False)
class Example:
    """Example of a known class. cloud: (n, 3|6) float32, y up. key: equal for equal clouds."""

    name: str
    cloud: np.ndarray
    key: str


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration set of a visitor: known shapes that are no examples, or a saved threshold."""

    shapes: tuple[Shape, ...] = ()
    threshold: Threshold | None = None
    key: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass(frozen=True, eq=False)
class Session:
    """State of a visitor's page.

    names: k known classes. examples: pairs (class, example). shapes: shapes on the page. shown: index of the displayed
    shape. failures: dropped files that could not be read. calibration: calibration set of the visitor.

    Examples of a removed class are kept. They are used again if the class is added again.
    """

    names: tuple[str, ...] = ()
    examples: tuple[tuple[str, Example], ...] = ()
    shapes: tuple[Shape, ...] = ()
    shown: int = 0
    failures: tuple[Failure, ...] = ()
    calibration: Calibration | None = None

    @property
    def shape(self) -> Shape | None:
        """Displayed shape; None before the first one."""
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
        """Class name -> its examples, empty for a class with only a name."""
        return {name: self.of(name) for name in self.names}

    @property
    def kind(self) -> Literal["names", "examples", "both"]:
        """Kind of known classes for `scoring.find_method`."""
        has_examples = [bool(examples) for examples in self.known().values()]
        return "names" if not any(has_examples) else "examples" if all(has_examples) else "both"

    @property
    def key(self) -> Hashable:
        """Cache key, equal for sessions with the same names and examples."""
        return tuple((name, tuple(example.key for example in examples)) for name, examples in self.known().items())

    def with_shapes(self, shapes: Sequence[Shape], failures: Sequence[Failure] = ()) -> Session:
        """Copy with other shapes on the page. The first one is displayed."""
        return replace(self, shapes=tuple(shapes), shown=0, failures=tuple(failures))

    def with_names(self, text: str) -> Session:
        """Copy with the class names in a text. Raises `ClassNamesError` for missing, too many or repeated names."""
        return replace(self, names=parse_names(text))

    def with_example(self, name: str, up: str) -> Session:
        """Copy with the displayed shape as an example of class `name`. up: as in `Shape.up`.

        A new class is added to the names. Raises `InputError` if there is no shape, the example exists, or the visitor
        has the maximum of examples.
        """
        if self.shape is None:
            raise InputError("there is no shape yet. Expected a shape on the page. Drop one, or pick an example.")
        if not name or not name.strip():
            raise ClassNamesError(
                "no class is given. Expected the class of the shape. Type a known class or a new one."
            )
        name, *others = parse_names(name, "the class is")
        if others:
            raise ClassNamesError(
                f"{1 + len(others)} classes are given: {', '.join([name, *others][:3])}. "
                "Expected one class for the shape. Type one name."
            )
        name = next((known for known in self.names if known.casefold() == name.casefold()), name)
        if len(self.examples) >= MAX_EXAMPLES:
            raise InputError(
                f"you have {MAX_EXAMPLES} examples. Expected at most {MAX_EXAMPLES} on this page. "
                "Remove examples first."
            )
        example = _example(self.shape, self.shape.up(up))
        if any(example.key == other.key for other in self.of(name)):
            raise InputError(
                f"{self.shape.name} is already an example of {name}. Expected a new example. Choose another shape."
            )
        names = self.names if name in self.names else parse_names("\n".join([*self.names, name]))
        return replace(self, names=names, examples=(*self.examples, (name, example)))

    def without_examples(self) -> Session:
        """Copy without examples, only with names."""
        return replace(self, examples=())


def parse_names(text: str, what: str = "the known classes are") -> tuple[str, ...]:
    """Class names in a text, separated by lines or commas.

    >>> parse_names("chair, night_stand\\nsofa,")
    ('chair', 'night stand', 'sofa')

    Raises `ClassNamesError` for missing, too many, too long or repeated names. what: beginning of the message.
    """
    if len(text) > 2 * MAX_CLASSES * MAX_NAME:
        raise ClassNamesError(
            f"{what} a text of {len(text):,} characters. Expected at most {MAX_CLASSES} names. Shorten the text."
        )
    names = tuple(clean_names([name for name in re.split(r"[,;\n]", text) if name.strip()]))
    if len(names) > MAX_CLASSES:
        raise ClassNamesError(f"{what} {len(names)} names. Expected at most {MAX_CLASSES} on this page. Remove some.")
    for name in names:
        if len(name) > MAX_NAME:
            raise ClassNamesError(
                f"{name[:MAX_NAME]}… has {len(name)} characters. Expected at most {MAX_NAME} on this page. Shorten it."
            )
    return names


def _example(shape: Shape, up: str) -> Example:
    cloud = shape.cloud[kept_rows(len(shape.cloud), EXAMPLE_POINTS)]
    # centered, because float32 is too coarse for a scan far from its origin
    xyz = exchange(cloud[:, :3] - cloud[:, :3].mean(axis=0), up, "y")
    upright = np.concatenate([xyz, cloud[:, 3:]], axis=1).astype(np.float32)
    return Example(shape.name, upright, sha256(upright.tobytes()).hexdigest())

"""Format: the suffixes, conventions and readers of a file format."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from openshape_ood.shapes.fields import Table, as_columns
from openshape_ood.shapes.guards import SideFiles

if TYPE_CHECKING:
    from trimesh.parent import Geometry

Named = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Format:
    """A file format: its suffixes, its conventions and its readers.

    Readers take the content of a file. They check sizes in it before they allocate memory. They may raise any error.

    Attributes
    ----------
    suffixes : tuple of str
        In lower case, with the dot.
    cloud : callable, optional
        Reader of points: a cloud (n, 3|6) or columns by name. From a mesh, it reads the vertices. None: every file is a
        mesh.
    surface : callable, optional
        Reader of a mesh and its side files. From a file without faces, it reads points. None: every file is a cloud.
    has_faces : callable, optional
        Function that returns True for a mesh, False for a cloud. Required if there are both readers.
    select : callable, optional
        Reader of selected columns, for a format with many: coordinates, color and the columns with given names.
    pieces : callable, optional
        Reader of an open file in pieces of a million rows: coordinates, color and the columns with given names.
    up : str, optional
        Gravity axis by specification or convention. None: there is no convention.
    declared_up : callable, optional
        Function that returns the gravity axis that the content declares, or None; then `up` is used.
    declared_unit : callable, optional
        Function that returns the meters per unit that the content declares, or None.
    surveyed : bool
        True if coordinates are in meters by convention, so that any extent is plausible.
    install : mapping of str to str
        Install command of each package that the readers need. Default: `pip install` and the name of the package.
    """

    suffixes: tuple[str, ...]
    cloud: Callable[[bytes], Table] | None = None
    surface: Callable[[bytes, SideFiles], np.ndarray | Geometry] | None = None
    has_faces: Callable[[bytes], bool] | None = None
    select: Callable[[bytes, Collection[str]], Table] | None = None
    pieces: Callable[[BinaryIO, Collection[str]], Iterator[Named]] | None = None
    up: str | None = None
    declared_up: Callable[[bytes], str | None] | None = None
    declared_unit: Callable[[bytes], float | None] | None = None
    surveyed: bool = False
    install: Mapping[str, str] = field(default_factory=dict)

    def read(self, data: bytes, side: SideFiles) -> Table | Geometry:
        """Mesh if the content is a mesh, else points."""
        if self.surface is not None and self.holds_surface(data):
            return self.surface(data, side)
        if self.cloud is None:
            raise TypeError(f"the format {self.suffixes} has no reader")
        return self.cloud(data)

    def holds_surface(self, data: bytes) -> bool:
        """True if the content is a mesh."""
        return self.surface is not None and (self.has_faces is None or self.has_faces(data))

    def columns(self, data: bytes, others: Collection[str] = ()) -> Named:
        """Columns (n,) by name. Names are in lower case, without CloudCompare's prefix "scalar_".

        others: columns to read in addition to coordinates and color, for a format with `select`. Other formats return
        all columns. A format without a reader of points returns {}.
        """
        if self.cloud is None:
            return {}
        return as_columns(self.cloud(data) if self.select is None else self.select(data, others))

"""PLY, mesh or cloud, ascii or binary. This reader also takes mixed polygons, doubles and all types of colors."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.errors import CloudError
from openshape_ood.shapes.colors import named_color
from openshape_ood.shapes.fields import check_exact, named_cloud, row_pieces
from openshape_ood.shapes.formats.format import Format
from openshape_ood.shapes.guards import IMAGE_FORMATS, SideFiles, require_bytes

if TYPE_CHECKING:
    from trimesh import Trimesh

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "int64": "i8", "uint64": "u8",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
CODES = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q", "f4": "f", "f8": "d"}
WRITTEN = {"<f8": "double", "<f4": "float", "|u1": "uchar", "<i4": "int", "<u4": "uint"}
INDICES = ("vertex_indices", "vertex_index")
UV = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))


@dataclass
class Element:
    """Element of a PLY file.

    count: number of rows. properties: name, type, and for a list the type of its length, else "".
    """

    name: str
    count: int
    properties: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass
class Lists:
    """Column of a list property: length of the list in each row, and the values of all lists in one array."""

    counts: np.ndarray
    values: np.ndarray


Columns = dict[str, Any]  # by property: an array of scalars, or Lists


def read_ply(data: bytes, side: SideFiles) -> np.ndarray | Trimesh:
    """Read a mesh if the file has faces, else a cloud (n, 3|6)."""
    header, order, elements, body = _parts(data)
    tables = _tables(body, elements, order)
    if tables.get("face"):
        return _mesh(_vertex(tables), tables["face"], _texture(header, side))
    return named_cloud(_vertex(tables))


def ply_columns(data: bytes) -> dict[str, np.ndarray]:
    """Properties of the vertices, by name in lower case. Faces are not read."""
    _, order, elements, body = _parts(data)
    # only the elements up to the vertices are read
    place = next((i for i, element in enumerate(elements) if element.name == "vertex"), -1)
    vertex = _vertex(_tables(body, elements[: place + 1], order))
    return {name: column for name, column in vertex.items() if not isinstance(column, Lists)}


def has_faces(data: bytes) -> bool:
    """True if the header declares faces."""
    return any(element.name == "face" and element.count > 0 for element in _parts(data)[2])


def ply_layout(head: bytes) -> tuple[np.dtype, int, int]:
    """Layout of a binary PLY from its first bytes: type of a vertex, number of vertices, byte position of the first.

    Raises `CloudError` unless vertices are the first element.
    """
    _, order, elements, body = _parts(head)
    if not order or elements[0].name != "vertex" or any(length for _, _, length in elements[0].properties):
        raise CloudError(
            "it cannot be read in pieces. Expected a binary PLY whose vertices come first, without lists. Save it "
            "again."
        )
    dtype = np.dtype([(name, order + kind) for name, kind, _ in elements[0].properties])
    return dtype, elements[0].count, len(head) - len(body)


def ply_bytes(rows: np.ndarray, comments: Iterable[str] = ()) -> bytes:
    """Binary PLY of vertices from a structured array (n,). Fields, of types in `WRITTEN`, become properties."""
    return ply_header(rows.dtype, len(rows), comments) + rows.tobytes()


def ply_header(dtype: np.dtype, count: int, comments: Iterable[str] = ()) -> bytes:
    """Header of a binary PLY file of `count` vertices with the fields of `dtype`."""
    words = [f"comment {comment}" for comment in comments]
    properties = [f"property {WRITTEN[dtype[name].str]} {name}" for name in dtype.names or ()]
    lines = ["ply", "format binary_little_endian 1.0", *words, f"element vertex {count}", *properties]
    return "\n".join([*lines, "end_header", ""]).encode("ascii")


def _parts(data: bytes) -> tuple[str, str, list[Element], memoryview]:
    """Header, byte order, elements and body."""
    end = re.search(rb"\nend_header[ \t]*\r?\n", data[: 2**20])
    if data[:3] != b"ply" or end is None:
        raise CloudError("it has no PLY header. Expected one from 'ply' to 'end_header'. Check the file.")
    header = data[: end.start()].decode("latin-1")
    # a view without a copy, because a scan may take gigabytes
    return header, *_elements(header), memoryview(data)[end.end() :]


def _tables(body: memoryview, elements: list[Element], order: str) -> dict[str, Columns]:
    return _ascii_tables(body, elements) if order == "" else _binary_tables(body, elements, order)


def _vertex(tables: dict[str, Columns]) -> Columns:
    if not tables.get("vertex"):
        raise CloudError("it holds no points (no rows of 'vertex'). Expected at least one. Check the file.")
    return tables["vertex"]


def _elements(header: str) -> tuple[str, list[Element]]:
    """Byte order ("" for ascii) and elements of a header."""
    order, elements = None, []
    for words in (line.split() for line in header.splitlines()):
        match words:
            case ["format", kind, *_]:
                order = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}[kind]
            case ["element", name, count]:
                elements.append(Element(name, int(count)))
            case ["property", "list", length, kind, name]:
                elements[-1].properties.append((name.lower(), TYPES[kind], TYPES[length]))
            case ["property", kind, name]:
                elements[-1].properties.append((name.lower(), TYPES[kind], ""))
    if order is None:
        raise CloudError("its header names no format. Expected a line 'format'. Export it again.")
    return order, elements


def _ascii_tables(body: memoryview, elements: list[Element]) -> dict[str, Columns]:
    """Tables of an ascii body. Columns of floats become doubles; columns of integers get their declared type."""
    numbers = np.fromstring(bytes(body), dtype="<f8", sep=" ")
    doubles = [
        Element(e.name, e.count, [(name, "f8", length and "f8") for name, _, length in e.properties]) for e in elements
    ]
    tables = _binary_tables(memoryview(numbers.tobytes()), doubles, "<")
    for element in elements:
        for name, kind, _ in element.properties:
            if kind[0] != "f":
                column = tables[element.name][name]
                is_list = isinstance(column, Lists)
                if not is_list and kind in ("i8", "u8"):  # doubles cannot represent large integers
                    check_exact(column, f"its column {name!r}")
                tables[element.name][name] = (
                    Lists(column.counts, column.values.astype(kind)) if is_list else column.astype(kind)
                )
    return tables


def _binary_tables(body: memoryview, elements: list[Element], order: str) -> dict[str, Columns]:
    tables, at = {}, 0
    for element in elements:
        smallest = sum(np.dtype(length or kind).itemsize for _, kind, length in element.properties)
        if element.count < 0 or not element.properties:
            raise CloudError(
                f"its header declares {element.count} rows of {element.name!r}, with {len(element.properties)} "
                "properties. Expected 0 rows or more, with properties. Export it again."
            )
        require_bytes(element.count * smallest, len(body) - at, f"{element.count:,} rows of {element.name!r}")
        tables[element.name], at = _rows(body, at, element, order)
    return tables


def _rows(body: memoryview, at: int, element: Element, order: str) -> tuple[Columns, int]:
    """Columns of an element that starts at the byte `at`, and the byte of its end.

    If all rows have the size of the first row, they are read in one step, else row by row.
    """
    if element.count == 0:
        return {}, at
    fields: list[Any] = []
    lengths: dict[str, int] = {}
    first = at
    for name, kind, length in element.properties:
        if length:
            lengths[name] = _length(body, first, Struct(order + CODES[length]))
            fields += [(f"#{name}", order + length), (name, order + kind, (lengths[name],))]
            first += np.dtype(length).itemsize
        else:
            fields.append((name, order + kind))
        first += np.dtype(kind).itemsize * lengths.get(name, 1)
    dtype = np.dtype(fields)
    if element.count * dtype.itemsize <= len(body) - at:
        rows = np.frombuffer(body, dtype, element.count, at)
        if all((rows[f"#{name}"] == length).all() for name, length in lengths.items()):
            columns: Columns = {name: rows[name] for name, _, length in element.properties if not length}
            for name, number in lengths.items():
                columns[name] = Lists(np.full(len(rows), number), rows[name].reshape(-1))
            return columns, at + rows.nbytes
    return _ragged(body, at, element, order)


def _length(body: memoryview, at: int, kind: Struct) -> int:
    """Length of the list at the byte `at`. Raises `ShapeFileError` if the list is longer than the file."""
    require_bytes(at + kind.size, len(body), "a list")
    length = int(kind.unpack_from(body, at)[0])
    require_bytes(length, len(body) - at, "a list")
    return length


def _ragged(body: memoryview, at: int, element: Element, order: str) -> tuple[Columns, int]:
    properties = [
        (name, np.dtype(kind).itemsize, Struct(order + CODES[length]) if length else None)
        for name, kind, length in element.properties
    ]
    pieces: dict[str, list[memoryview]] = {name: [] for name, _, _ in properties}
    counts: dict[str, list[int]] = {name: [] for name, _, length in element.properties if length}
    what = f"the rows of {element.name!r}"
    for _ in range(element.count):
        for name, size, prefix in properties:
            number = 1
            if prefix is not None:
                number = _length(body, at, prefix)
                counts[name].append(number)
                at += prefix.size
            pieces[name].append(body[at : at + number * size])
            at += number * size
            require_bytes(at, len(body), what)
    columns: Columns = {}
    for name, kind, length in element.properties:
        values = np.frombuffer(b"".join(pieces[name]), order + kind)
        columns[name] = Lists(np.array(counts[name]), values) if length else values
    return columns, at


def _mesh(vertex: Columns, face: Columns, image: Any) -> Trimesh:
    from trimesh import Trimesh
    from trimesh.visual import TextureVisuals

    points = named_cloud(vertex)
    polygons = next((face[name] for name in INDICES if name in face), None)
    if not isinstance(polygons, Lists):
        raise CloudError(f"its faces have no list {' or '.join(INDICES)}. Expected one. Export it again.")
    corners, owner = _triangles(polygons)
    triangles = polygons.values[corners].astype(np.int64)
    if len(triangles) and (triangles.min() < 0 or triangles.max() >= len(points)):
        raise CloudError(
            f"its faces refer to vertices beyond its {len(points):,}. Expected indices of these. Repair the mesh."
        )
    uv = None if image is None else _uv(vertex, face, corners, triangles)
    if uv is not None:
        apart = np.arange(triangles.size).reshape(-1, 3)  # vertices per face, because texture coordinates may differ
        visual = TextureVisuals(uv=uv.reshape(-1, 2), image=image)
        return Trimesh(points[triangles.reshape(-1), :3], apart, visual=visual, process=False)
    painted = named_color(face, len(polygons.counts))
    by_vertex = points[:, 3:] if points.shape[1] == 6 else None
    by_face = None if painted is None or by_vertex is not None else painted[owner]
    return Trimesh(points[:, :3], triangles, vertex_colors=by_vertex, face_colors=by_face, process=False)


def _triangles(polygons: Lists) -> tuple[np.ndarray, np.ndarray]:
    """Fan triangulation: indices (m, 3) into the values of the polygons, and index (m,) of the polygon."""
    starts = np.cumsum(polygons.counts) - polygons.counts
    corners, owner = [np.empty((0, 3), int)], [np.empty(0, int)]
    for sides in np.unique(polygons.counts[polygons.counts > 2]):
        equal = np.flatnonzero(polygons.counts == sides)
        fan = np.stack([np.zeros(sides - 2, int), np.arange(1, sides - 1), np.arange(2, sides)], axis=1)
        corners.append((starts[equal, None, None] + fan).reshape(-1, 3))
        owner.append(np.repeat(equal, sides - 2))
    return np.concatenate(corners), np.concatenate(owner)


def _texture(header: str, side: SideFiles) -> Any:
    """Image named in `comment TextureFile`; None without a readable image."""
    named = re.search(r"(?im)^comment[ \t]+TextureFile[ \t]+(.+)$", header)
    if named is None:
        return None
    from PIL import Image

    try:
        return Image.open(io.BytesIO(side.get(named[1].strip())), formats=IMAGE_FORMATS)
    except OSError:
        side.check()
        return None


def _uv(vertex: Columns, face: Columns, corners: np.ndarray, triangles: np.ndarray) -> np.ndarray | None:
    """Texture coordinates (m, 3, 2) of all triangle corners, from the faces or the vertices; None if there are none."""
    by_face = face.get("texcoord")
    if isinstance(by_face, Lists) and len(by_face.values) == 2 * (corners.max(initial=-1) + 1):
        return by_face.values.reshape(-1, 2)[corners]
    pair = next((pair for pair in UV if set(pair) <= vertex.keys()), None)
    return None if pair is None else np.column_stack([vertex[name] for name in pair])[triangles]


FORMAT = Format(
    suffixes=(".ply",),
    cloud=ply_columns,
    surface=read_ply,
    has_faces=has_faces,
    pieces=partial(row_pieces, ply_layout),
)

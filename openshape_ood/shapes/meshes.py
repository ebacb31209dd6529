"""Meshes: trimesh reads them, and their surfaces are sampled here."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from openshape_ood.checks import check_seed
from openshape_ood.errors import CloudError, InputError
from openshape_ood.shapes import guards
from openshape_ood.shapes.guards import SideFiles
from openshape_ood.shapes.points import check_cloud, unit_colors

if TYPE_CHECKING:
    from trimesh import Scene, Trimesh
    from trimesh.parent import Geometry

GREY = 0.4  # what the encoder's training data shows where a shape has no color
MAX_FACES = 50_000_000
TRIMESH_DIFFUSE = (102, 102, 102, 255)  # what trimesh makes up for a material without color
TRIMESH_TEXEL = (100, 100, 100, 255)  # and the texture it makes up, 2 x 2 of these, for coordinates without image


def read_obj(data: bytes, side: SideFiles) -> Geometry:
    return _parse(_as_utf8(data), "obj", side)


def _as_utf8(data: bytes) -> bytes:
    """Text in whichever encoding: only names in it are not ASCII, and trimesh would guess with one more package."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1").encode("utf-8")
    return data


def read_off(data: bytes, side: SideFiles) -> Geometry:
    guards.check_off(data)
    scene = _parse(data, "off", side)
    if data.lstrip().startswith(b"COFF"):
        _color_off(next(iter(scene.geometry.values())), data)
    return scene


def _color_off(mesh: Any, data: bytes) -> None:
    """Vertex colors of a COFF file, which trimesh leaves out: they follow the coordinates in a vertex's line."""
    lines = (line.partition(b"#")[0].split() for line in data.partition(b"COFF")[2].splitlines())
    _, *rows = [words for words in lines if words]
    if all(len(row) >= 6 for row in rows[: len(mesh.vertices)]):
        rgb = np.array([row[3:6] for row in rows[: len(mesh.vertices)]], dtype=np.float64)
        mesh.visual.vertex_colors = unit_colors(rgb, "its colors")


def read_stl(data: bytes, side: SideFiles) -> Geometry:
    guards.check_stl(data)
    return _parse(data, "stl", side)


def read_glb(data: bytes, side: SideFiles) -> Geometry:
    text, binary = guards.split_glb(data)
    guards.check_gltf(text, binary, side)
    return _parse(data, "glb", side)


def read_gltf(data: bytes, side: SideFiles) -> Geometry:
    guards.check_gltf(data, b"", side)
    return _parse(data, "gltf", side)


def read_dae(data: bytes, side: SideFiles) -> Geometry:
    """COLLADA, whose numbers pycollada reads in single precision."""
    import trimesh
    from trimesh.exchange.dae import load_collada

    document = guards.check_collada(data)
    _prefer_vertex_color(document)
    # what pycollada parses is written anew from what was checked, so the two cannot differ
    parts = load_collada(io.BytesIO(ElementTree.tostring(document)), resolver=side)
    side.check()
    for part in parts["geometry"].values():
        part["process"] = False
    scene = trimesh.load_scene(parts)
    if side.missing:
        _forget_stand_ins(scene)
    return scene


def _prefer_vertex_color(document: ElementTree.Element) -> None:
    """trimesh lets a plain material hide vertex colors, so where nothing is textured colored parts lose theirs."""
    if document.find(".//{*}library_images/{*}image") is not None:
        return
    for part in document.findall(".//{*}mesh/*[@material]"):
        if part.find("{*}input[@semantic='COLOR']") is not None:
            del part.attrib["material"]


def _forget_stand_ins(scene: Any) -> None:
    """Where a COLLADA texture is missing trimesh says white, which is not the color of anything."""
    for mesh in scene.geometry.values():
        material = getattr(mesh.visual, "material", None)
        if material is not None and material.baseColorTexture is None and np.all(material.baseColorFactor == 255):
            material.baseColorFactor = None


def _parse(data: bytes, kind: str, side: SideFiles) -> Scene:
    import trimesh

    # process=True would merge vertices and silently drop those that are NaN
    source: Any = io.BytesIO(data)
    resolver: Any = side
    scene = trimesh.load_scene(source, file_type=kind, resolver=resolver, process=False)
    side.check()
    return scene


def sample_mesh(mesh_or_scene: Geometry, points: int = 10_000, seed: int = 0, name: str = "the mesh") -> np.ndarray:
    """Points drawn evenly over the surface of a trimesh Trimesh or Scene: (points, 3), or (points, 6) with color.

    A PointCloud, or a Scene of nothing else, comes whole. Scenes are flattened with their transforms. Raises
    `CloudError`, with `name` in it, for what has no surface and no points, `InputError` for `points` or `seed`.
    """
    check_draw(points, seed)
    parts = _parts(mesh_or_scene, name)
    surfaces = [(part, matrix) for part, matrix in parts if len(getattr(part, "faces", ()))]
    if surfaces:
        return _sample_surfaces(surfaces, points, np.random.RandomState(seed), name)
    clouds = [_points_of(part, matrix) for part, matrix in parts if hasattr(part, "colors") and len(part.vertices)]
    if not clouds:
        raise CloudError(f"{name} has no faces and no points")
    xyz, rgb = (np.concatenate(columns) for columns in zip(*clouds, strict=True))
    return check_cloud(_with_color(xyz, rgb), name)


def check_draw(points: int, seed: int) -> None:
    if not isinstance(points, (int, np.integer)) or points < 1:
        raise InputError(f"points={points!r}, expected a whole number from 1 up")
    check_seed(seed)


def _parts(shape: Any, name: str) -> list[tuple[Any, np.ndarray]]:
    """Every placed geometry with its (4, 4) matrix, in an order that does not depend on node names."""
    import trimesh

    if isinstance(shape, (trimesh.Trimesh, trimesh.PointCloud)):
        return [(shape, np.eye(4))]
    if not isinstance(shape, trimesh.Scene):
        raise CloudError(f"{name} is a {type(shape).__name__}, expected a trimesh Trimesh, Scene or PointCloud")
    placed = [shape.graph.get(node) for node in shape.graph.nodes_geometry]
    order = {geometry: place for place, geometry in enumerate(shape.geometry)}
    # nodes of unnamed glTF parts are named at random, so sorting by node would not repeat
    placed.sort(key=lambda item: (order[item[1]], item[0].tobytes()))
    return [(shape.geometry[geometry], matrix) for matrix, geometry in placed]


def _sample_surfaces(
    surfaces: list[tuple[Trimesh, np.ndarray]], points: int, rng: np.random.RandomState, name: str
) -> np.ndarray:
    total = sum(len(mesh.faces) for mesh, _ in surfaces)
    if total > MAX_FACES:
        raise CloudError(f"{name} places {total:,} faces, more than {MAX_FACES:,}; simplify it first")
    areas = [_areas(mesh, matrix, name) for mesh, matrix in surfaces]
    faces = _draw_faces(np.concatenate(areas), points, rng, name)
    weights = _draw_weights(points, rng)
    ends = np.cumsum([len(area) for area in areas])
    owner = np.searchsorted(ends, faces, side="right")
    xyz, rgb, textures = np.empty((points, 3)), np.full((points, 3), np.nan), Textures()
    # parts that share a texture follow each other, so that it is decoded once
    for place in sorted(np.unique(owner), key=lambda place: id(_image(surfaces[place][0]))):
        mesh, matrix = surfaces[place]
        rows = np.flatnonzero(owner == place)
        face = faces[rows] - (ends[place] - len(areas[place]))
        xyz[rows] = _place(mesh, matrix, face, weights[rows])
        color = _color(mesh, face, weights[rows], textures)
        if color is not None:
            rgb[rows] = color
    return _with_color(xyz, rgb)


def _with_color(xyz: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """Where only some parts have color the others (NaN) are gray; where none has, there is no color."""
    bare = np.isnan(rgb).any(axis=1)
    if bare.all():
        return xyz
    rgb[bare] = GREY
    return np.hstack([xyz, rgb])


def _corners(mesh: Trimesh, matrix: np.ndarray, name: str) -> np.ndarray:
    """(faces, 3, 3) corners where the scene places them."""
    vertices = np.asarray(mesh.vertices, dtype=np.float64)
    faces = np.asarray(mesh.faces)
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise CloudError(f"{name} has faces that refer to vertices beyond its {len(vertices):,}")
    return (vertices @ matrix[:3, :3].T + matrix[:3, 3])[faces]


def _areas(mesh: Trimesh, matrix: np.ndarray, name: str) -> np.ndarray:
    corners = _corners(mesh, matrix, name)
    if not np.isfinite(corners).all():
        raise CloudError(f"{name} has vertices that are NaN or infinite")
    edges = corners[:, 1:] - corners[:, :1]
    return np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1) / 2


def _draw_faces(areas: np.ndarray, points: int, rng: np.random.RandomState, name: str) -> np.ndarray:
    """Faces drawn with probability proportional to their area."""
    ends = np.cumsum(areas)
    if not 0 < ends[-1] < np.inf:
        raise CloudError(f"{name} has no face with a finite area above 0 (total {ends[-1]})")
    return np.searchsorted(ends, rng.random_sample(points) * ends[-1], side="right").clip(max=len(areas) - 1)


def _draw_weights(points: int, rng: np.random.RandomState) -> np.ndarray:
    """(points, 3) barycentric weights, even over a triangle."""
    root, split = np.sqrt(rng.random_sample(points)), rng.random_sample(points)
    return np.stack([1 - root, root * (1 - split), root * split], axis=1)


def _place(mesh: Trimesh, matrix: np.ndarray, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
    corners = np.asarray(mesh.vertices, dtype=np.float64)[np.asarray(mesh.faces)[face]]
    return _blend(corners @ matrix[:3, :3].T + matrix[:3, 3], weights)


def _blend(corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values (n, 3 corners, k) at barycentric weights (n, 3)."""
    return np.einsum("nck,nc->nk", corners, weights)


def _color(mesh: Trimesh, face: np.ndarray, weights: np.ndarray, textures: Textures) -> np.ndarray | None:
    """(n, 3) colors at points of a mesh, None where it has none."""
    visual: Any = mesh.visual
    if visual.kind == "face":
        return visual.face_colors[face, :3] / 255
    if visual.kind == "vertex":
        return _blend(visual.vertex_colors[mesh.faces[face], :3] / 255, weights)
    if visual.kind != "texture" or visual.material is None:
        return None
    return _texture_color(mesh, face, weights, textures)


def _texture_color(mesh: Trimesh, face: np.ndarray, weights: np.ndarray, textures: Textures) -> np.ndarray | None:
    """The texture, else vertex colors that came with the material, else the material's one color."""
    visual: Any = mesh.visual
    flat = _material_color(visual.material)
    pixels = textures.pixels(_image(mesh))
    if pixels is not None and visual.uv is not None and len(visual.uv) == len(mesh.vertices):
        texels = _look_up(pixels, _blend(visual.uv[mesh.faces[face], :2], weights))
        # glTF multiplies a texture by the material's color; an OBJ texture replaces it
        return texels if flat is None or hasattr(visual.material, "diffuse") else texels * flat
    painted = visual.vertex_attributes.get("color")
    if painted is not None and len(painted) == len(mesh.vertices):
        return _blend(_painted(painted)[mesh.faces[face], :3], weights)
    return None if flat is None else np.broadcast_to(flat, (len(face), 3))


def _painted(colors: np.ndarray) -> np.ndarray:
    return colors if colors.dtype.kind == "f" else colors / np.iinfo(colors.dtype).max


def _material_color(material: Any) -> np.ndarray | None:
    """The one color of a material, None where the file gave it none and trimesh would make one up."""
    if hasattr(material, "diffuse"):
        made_up = np.array_equal(material.diffuse, TRIMESH_DIFFUSE) and "kd" not in material.kwargs
        return None if made_up else material.diffuse[:3] / 255
    factor = getattr(material, "baseColorFactor", None)
    return None if factor is None else factor[:3] / 255


def _image(mesh: Trimesh) -> Any:
    """The color texture of a mesh as a PIL image, None without one; trimesh's stand-in for none does not count."""
    material = getattr(mesh.visual, "material", None)
    image = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
    if image is None or (image.size == (2, 2) and image.format is None and image.getcolors() == [(4, TRIMESH_TEXEL)]):
        return None
    return image


class Textures:
    """Decodes textures, and keeps only the last: a scene may have many, each of hundreds of megabytes."""

    def __init__(self) -> None:
        self._image: Any = None
        self._pixels: np.ndarray | None = None

    def pixels(self, image: Any) -> np.ndarray | None:
        """(height, width, 3) 8-bit pixels, None without an image that can be decoded."""
        if image is not self._image:
            self._image, self._pixels = image, _decode(image)
        return self._pixels


def _decode(image: Any) -> np.ndarray | None:
    from PIL import Image

    guards.check_pixels(image.size, "texture")
    try:
        if getattr(image, "fp", None) is None:
            return np.asarray(image.convert("RGB"))
        image.fp.seek(0)  # a twin, because an image keeps its pixels for ever once they are decoded
        return np.asarray(Image.open(image.fp, formats=guards.IMAGE_FORMATS).convert("RGB"))
    except (OSError, SyntaxError, ValueError):  # cut off or damaged: as good as missing
        return None


def _look_up(pixels: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Nearest texels at (n, 2) texture coordinates, origin at the lower left, repeating beyond the image."""
    height, width = pixels.shape[:2]
    inside = np.nan_to_num(np.where((uv < 0) | (uv > 1), uv - np.floor(uv), uv))
    column = np.minimum((inside[:, 0] * width).astype(int), width - 1)
    row = np.minimum(((1 - inside[:, 1]) * height).astype(int), height - 1)
    return pixels[row, column] / 255


def _points_of(part: Any, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (n, 3) and colors (n, 3), NaN without, of a PointCloud."""
    points = np.asarray(part.vertices, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    colored = len(part.colors) == len(points)
    return points, part.colors[:, :3] / 255 if colored else np.full(points.shape, np.nan)


@contextmanager
def silent_logger() -> Iterator[None]:
    """Keep trimesh from logging what it shrugs off about a file."""
    logger = logging.getLogger("trimesh")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # its modules log through children, which inherit the level
    try:
        yield
    finally:
        logger.setLevel(before)

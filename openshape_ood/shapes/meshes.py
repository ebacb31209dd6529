"""OBJ, GLB, glTF, OFF, STL and COLLADA: trimesh reads them, behind guards."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from openshape_ood.checks import check_seed, check_whole
from openshape_ood.errors import CloudError
from openshape_ood.shapes import guards
from openshape_ood.shapes.guards import SideFiles
from openshape_ood.shapes.points import check_cloud, unit_colors

if TYPE_CHECKING:
    from trimesh import Scene, Trimesh
    from trimesh.parent import Geometry

GRAY = 0.4  # what the encoder's training data shows where a shape has no color
MAX_FACES = 50_000_000
TRIMESH_DIFFUSE = (102, 102, 102, 255)  # what trimesh makes up for a material without color
TRIMESH_TEXEL = (100, 100, 100, 255)  # and the texture it makes up, 2 x 2 of these, for coordinates without image


def read_obj(data: bytes, side: SideFiles) -> Geometry:
    """Text in whichever encoding: only names in it are not ASCII, and trimesh would guess with one more package."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data = data.decode("latin-1").encode("utf-8")
    return _parse(data, "obj", side)


def read_off(data: bytes, side: SideFiles) -> Geometry:
    guards.check_off(data)
    scene = _parse(data, "off", side)
    if data.lstrip().startswith(b"COFF"):
        # trimesh leaves out the vertex colors, which follow the coordinates in a vertex's line
        mesh: Any = next(iter(scene.geometry.values()))
        lines = (line.partition(b"#")[0].split() for line in data.partition(b"COFF")[2].splitlines())
        rows = [words for words in lines if words][1 : len(mesh.vertices) + 1]
        if all(len(row) >= 6 for row in rows):
            rgb = np.array([row[3:6] for row in rows], dtype=np.float64)
            mesh.visual.vertex_colors = unit_colors(rgb, "its colors")
    return scene


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
    if document.find(".//{*}library_images/{*}image") is None:
        # trimesh lets a plain material hide vertex colors, so colored parts lose theirs
        for colored in document.findall(".//{*}mesh/*[@material]"):
            if colored.find("{*}input[@semantic='COLOR']") is not None:
                del colored.attrib["material"]
    # what pycollada parses is written anew from what was checked, so the two cannot differ
    parts = load_collada(io.BytesIO(ElementTree.tostring(document)), resolver=side)
    side.check()
    for part in parts["geometry"].values():
        part["process"] = False
    scene = trimesh.load_scene(parts)
    for mesh in scene.geometry.values() if side.missing else ():
        # where a texture is missing trimesh says white, which is not the color of anything
        material: Any = getattr(mesh.visual, "material", None)
        if material is not None and material.baseColorTexture is None and np.all(material.baseColorFactor == 255):
            material.baseColorFactor = None
    return scene


def _parse(data: bytes, kind: str, side: SideFiles) -> Scene:
    import trimesh

    # process=True would merge vertices and silently drop those that are NaN
    source: Any = io.BytesIO(data)
    resolver: Any = side
    scene = trimesh.load_scene(source, file_type=kind, resolver=resolver, process=False)
    side.check()
    return scene


def sample_mesh(mesh_or_scene: Geometry, points: int = 10_000, seed: int = 0, name: str = "the mesh") -> np.ndarray:
    """Points drawn evenly over the surface of a trimesh Trimesh, Scene or PointCloud, in its own frame and units.

    (points, 3) xyz float64, or (points, 6) with rgb in [0, 1]. A PointCloud, or a Scene of nothing else, comes whole.
    Scenes are flattened with their transforms; where only some of their parts have color the others are gray. Raises
    `CloudError`, calling it `name`, for what has no surface and no points, `InputError` for impossible numbers.
    """
    check_draw(points, seed)
    parts = _parts(mesh_or_scene, name)
    surfaces = [(part, matrix) for part, matrix in parts if len(getattr(part, "faces", ()))]
    if surfaces:
        return _sample_surfaces(surfaces, points, np.random.RandomState(seed), name)
    clouds = [(part, matrix) for part, matrix in parts if hasattr(part, "colors") and len(part.vertices)]
    if not clouds:
        raise CloudError(f"{name} has no faces and no points")
    xyz = np.concatenate([_placed(part, matrix) for part, matrix in clouds])
    rgb = np.full(xyz.shape, np.nan)
    ends = np.cumsum([len(part.vertices) for part, _ in clouds])
    for end, (part, _) in zip(ends, clouds, strict=True):
        if len(part.colors) == len(part.vertices):
            rgb[end - len(part.vertices) : end] = part.colors[:, :3] / 255
    return check_cloud(_with_color(xyz, rgb), name)


def check_draw(points: int, seed: int) -> None:
    """Raises `InputError` for a number of points or a seed that cannot be."""
    check_whole(points, "points")
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


def _placed(part: Any, matrix: np.ndarray) -> np.ndarray:
    """Vertices (n, 3) where the scene places them."""
    return np.asarray(part.vertices, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def _sample_surfaces(
    surfaces: list[tuple[Trimesh, np.ndarray]], points: int, rng: np.random.RandomState, name: str
) -> np.ndarray:
    total = sum(len(mesh.faces) for mesh, _ in surfaces)
    if total > MAX_FACES:
        raise CloudError(f"{name} places {total:,} faces, more than {MAX_FACES:,}; simplify it first")
    sums = np.cumsum(np.concatenate([_areas(mesh, matrix, name) for mesh, matrix in surfaces]))
    if not 0 < sums[-1] < np.inf:
        raise CloudError(f"{name} has no face with a finite area above 0 (total {sums[-1]})")
    faces = np.searchsorted(sums, rng.random_sample(points) * sums[-1], side="right").clip(max=total - 1)
    # barycentric weights, even over a triangle
    root, split = np.sqrt(rng.random_sample(points)), rng.random_sample(points)
    weights = np.stack([1 - root, root * (1 - split), root * split], axis=1)
    ends = np.cumsum([len(mesh.faces) for mesh, _ in surfaces])
    owner = np.searchsorted(ends, faces, side="right")
    xyz, rgb = np.empty((points, 3)), np.full((points, 3), np.nan)
    images = [_image(mesh) for mesh, _ in surfaces]
    image, pixels = None, None
    # parts that share a texture follow each other, and only one is held: each may be of hundreds of megabytes
    for place in sorted(np.unique(owner), key=lambda place: id(images[place])):
        mesh, matrix = surfaces[place]
        rows = np.flatnonzero(owner == place)
        face = faces[rows] - (ends[place] - len(mesh.faces))
        corners = np.asarray(mesh.vertices, dtype=np.float64)[np.asarray(mesh.faces)[face]]
        xyz[rows] = _blend(corners @ matrix[:3, :3].T + matrix[:3, 3], weights[rows])
        if images[place] is not image:
            image, pixels = images[place], _decode(images[place])
        color = _color(mesh, face, weights[rows], pixels)
        if color is not None:
            rgb[rows] = color
    return _with_color(xyz, rgb)


def _with_color(xyz: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """Where only some parts have color the others (NaN) are gray; where none has, there is no color."""
    bare = np.isnan(rgb).any(axis=1)
    if bare.all():
        return xyz
    rgb[bare] = GRAY
    return np.hstack([xyz, rgb])


def _areas(mesh: Trimesh, matrix: np.ndarray, name: str) -> np.ndarray:
    """Of the faces, where the scene places them."""
    faces = np.asarray(mesh.faces)
    if faces.min() < 0 or faces.max() >= len(mesh.vertices):
        raise CloudError(f"{name} has faces that refer to vertices beyond its {len(mesh.vertices):,}")
    corners = _placed(mesh, matrix)[faces]
    if not np.isfinite(corners).all():
        raise CloudError(f"{name} has vertices that are NaN or infinite")
    edges = corners[:, 1:] - corners[:, :1]
    return np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1) / 2


def _blend(corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values (n, 3 corners, k) at barycentric weights (n, 3)."""
    return np.einsum("nck,nc->nk", corners, weights)


def _color(mesh: Trimesh, face: np.ndarray, weights: np.ndarray, pixels: np.ndarray | None) -> np.ndarray | None:
    """(n, 3) colors at points of a mesh: its texture, else vertex colors, else the material's, if any."""
    visual: Any = mesh.visual
    if visual.kind == "face":
        return visual.face_colors[face, :3] / 255
    if visual.kind == "vertex":
        return _blend(visual.vertex_colors[mesh.faces[face], :3] / 255, weights)
    if visual.kind != "texture" or visual.material is None:
        return None
    flat = _material_color(visual.material)
    if pixels is not None and visual.uv is not None and len(visual.uv) == len(mesh.vertices):
        texels = _look_up(pixels, _blend(visual.uv[mesh.faces[face], :2], weights))
        # glTF multiplies a texture by the material's color; an OBJ texture replaces it
        return texels if flat is None or hasattr(visual.material, "diffuse") else texels * flat
    painted = visual.vertex_attributes.get("color")
    if painted is not None and len(painted) == len(mesh.vertices):
        painted = painted if painted.dtype.kind == "f" else painted / np.iinfo(painted.dtype).max
        return _blend(painted[mesh.faces[face], :3], weights)
    return None if flat is None else np.broadcast_to(flat, (len(face), 3))


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


def _decode(image: Any) -> np.ndarray | None:
    """(height, width, 3) 8-bit pixels, None for what cannot be decoded."""
    if image is None:
        return None
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

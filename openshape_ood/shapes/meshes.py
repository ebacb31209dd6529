"""Parsing of meshes by trimesh, and sampling of points from their surfaces."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.checks import check_seed, check_whole, memory_for
from openshape_ood.errors import CloudError
from openshape_ood.shapes import guards
from openshape_ood.shapes.points import check_cloud

if TYPE_CHECKING:
    from trimesh import Scene, Trimesh
    from trimesh.parent import Geometry

GRAY = 0.4  # gray of uncolored shapes in the encoder's training data
MAX_FACES = 50_000_000
MAX_DRAWN = 10_000_000  # maximum points that `sample_spaced` samples
DRAWN = 2**20  # points whose random numbers are drawn at once
PIECE = 2**17  # points computed at once
SAMPLED = 96  # bytes of memory of a sampled point, with all copies
STRIP = 4 * 2**20  # texture pixels processed per step
TRIMESH_DIFFUSE = (102, 102, 102, 255)  # default of trimesh for a material without color
TRIMESH_TEXEL = (100, 100, 100, 255)  # color of trimesh's default texture, 2 x 2 pixels, for a missing image


def trimesh_scene(data: bytes, kind: str, files: Any) -> Scene:
    """Parse a scene with trimesh, without merging vertices.

    files: side files that the content may refer to, bytes by name.
    """
    import trimesh

    source: Any = io.BytesIO(data)
    # process=True would merge vertices and silently drop NaN
    return trimesh.load_scene(source, file_type=kind, resolver=files, process=False)


def sample_mesh(mesh_or_scene: Geometry, points: int = 10_000, seed: int = 0, name: str = "the mesh") -> np.ndarray:
    """Sample points uniformly from the surface of a trimesh Trimesh, Scene or PointCloud, in its own frame and units.

    The result is (points, 3) xyz float64, or (points, 6) with rgb in [0, 1]. A PointCloud, or a Scene of point clouds
    only, is returned whole. The transforms of a Scene are applied. If only some parts have color, the others are gray.
    Raises `CloudError` if there is no surface and no point, `InputError` for invalid `points` or `seed`. name: name of
    the mesh in messages.
    """
    check_draw(points, seed)
    parts = _parts(mesh_or_scene, name)
    surfaces = _surfaces(parts)
    if surfaces:
        rng = np.random.RandomState(seed)
        return _drawn(surfaces, *_area_sums(surfaces, name), [points], rng)
    return _clouds(parts, name)


def sample_spaced(
    mesh_or_scene: Geometry, spacing: float, seed: int = 0, name: str = "the mesh", most: int = MAX_DRAWN
) -> np.ndarray:
    """Sample as `sample_mesh`, with one point per square of side `spacing`, in the units of the mesh.

    The points are random, so the median distance to the nearest neighbor is about half of `spacing`. Raises
    `CloudError` if more than `most` points are needed.
    """
    parts = _parts(mesh_or_scene, name)
    surfaces = _surfaces(parts)
    if not surfaces:
        return _clouds(parts, name)
    sums, ends = _area_sums(surfaces, name)
    count = sums[-1] / spacing**2
    if not count <= most:
        raise CloudError(
            f"{name} has an area of {sums[-1]:.4g} square units: {count:,.0f} points at a spacing of {spacing:.4g}. "
            f"Expected at most {most:,}. Check the unit, or give a larger spacing."
        )
    total, rng = max(1, round(count)), np.random.RandomState(seed)
    return _drawn(surfaces, sums, ends, [min(DRAWN, total - start) for start in range(0, total, DRAWN)], rng)


def _drawn(
    surfaces: list[tuple[Trimesh, np.ndarray]],
    sums: np.ndarray,
    ends: np.ndarray,
    sizes: Sequence[int],
    rng: np.random.RandomState,
) -> np.ndarray:
    """Random points (n, 3|6) on surfaces, in steps of `sizes` points. sums, ends: as from `_area_sums`."""
    points, at = np.empty((sum(sizes), 3)), 0
    # each step decodes the textures again, so there are fewer steps if there are textures
    piece = PIECE * ((4 if len(points) > DRAWN else 2) if texture_bytes(surfaces) else 1)
    for size in sizes:
        numbers = np.stack([rng.random_sample(size) for _ in range(3)])
        for start in range(0, size, piece):
            xyz, rgb = _draw(surfaces, sums, ends, numbers[:, start : start + piece])
            if points.shape[1] == 3 and not np.isnan(rgb).all():
                points = np.hstack([points, np.full(points.shape, np.nan)])
            points[at : at + len(xyz), :3] = xyz
            points[at : at + len(xyz), 3:] = rgb[:, : points.shape[1] - 3]
            at += len(xyz)
    return _with_gray(points)


def most_points(mesh_or_scene: Geometry, held: int, each: int = SAMPLED) -> int:
    """Maximum number of points that may be sampled from a file of `held` bytes. each: bytes of memory per point."""
    surfaces = _surfaces(_parts(mesh_or_scene, "it"))
    return max(0, (memory_for(held) - texture_bytes(surfaces)) // each)


def texture_bytes(surfaces: list[tuple[Trimesh, np.ndarray]]) -> int:
    """Bytes of memory to decode the largest texture."""
    images = (_image(mesh) for mesh, _ in surfaces)
    return max((4 * image.size[0] * image.size[1] for image in images if image is not None), default=0)


def _surfaces(parts: list[tuple[Any, np.ndarray]]) -> list[tuple[Trimesh, np.ndarray]]:
    return [(part, matrix) for part, matrix in parts if len(getattr(part, "faces", ()))]


def _clouds(parts: list[tuple[Any, np.ndarray]], name: str) -> np.ndarray:
    clouds = [(part, matrix) for part, matrix in parts if hasattr(part, "colors") and len(part.vertices)]
    if not clouds:
        raise CloudError(f"{name} has no faces and no points. Expected a mesh or a cloud. Check the file.")
    xyz = np.concatenate([_placed(part, matrix) for part, matrix in clouds])
    rgb = np.full(xyz.shape, np.nan)
    ends = np.cumsum([len(part.vertices) for part, _ in clouds])
    for end, (part, _) in zip(ends, clouds, strict=True):
        if len(part.colors) == len(part.vertices):
            rgb[end - len(part.vertices) : end] = part.colors[:, :3] / 255
    return check_cloud(_with_gray(np.hstack([xyz, rgb])), name)


def check_draw(points: int, seed: int) -> None:
    """Raise `InputError` for an invalid number of points or seed."""
    check_whole(points, "points")
    check_seed(seed)


def is_trimesh(value: Any) -> bool:
    """True for a Trimesh, Scene or PointCloud of trimesh, without importing trimesh."""
    # if trimesh is not imported, the value cannot be one of its objects
    trimesh = sys.modules.get("trimesh")
    return trimesh is not None and isinstance(value, trimesh.Trimesh | trimesh.Scene | trimesh.PointCloud)


def _parts(shape: Any, name: str) -> list[tuple[Any, np.ndarray]]:
    """Geometry and world matrix (4, 4) of each node that has a geometry, in an order independent of node names."""
    import trimesh

    if isinstance(shape, (trimesh.Trimesh, trimesh.PointCloud)):
        return [(shape, np.eye(4))]
    if not isinstance(shape, trimesh.Scene):
        raise CloudError(
            f"{name} is a {type(shape).__name__}. Expected a Trimesh, Scene or PointCloud of trimesh. Convert it."
        )
    matrices = _matrices(shape.graph)
    placed = [(matrices[node], shape.graph.transforms.node_data[node]["geometry"]) for node in matrices]
    order = {geometry: place for place, geometry in enumerate(shape.geometry)}
    # parts of glTF without a name get random node names, so an order by node name would differ from run to run
    placed.sort(key=lambda item: (order[item[1]], item[0].tobytes()))
    return [(shape.geometry[geometry], matrix) for matrix, geometry in placed]


def _matrices(graph: Any) -> dict[Any, np.ndarray]:
    """World matrix (4, 4) of every node with a geometry.

    Each matrix is computed once, from the matrix of its parent. trimesh would compute the whole path of each node.
    """
    from trimesh.transformations import fix_rigid

    parents, edges, known = graph.transforms.parents, graph.transforms.edge_data, {graph.base_frame: np.eye(4)}
    for node in graph.nodes_geometry:
        path = [node]
        while path[-1] not in known:
            if path[-1] not in parents or len(path) > len(parents):
                raise CloudError(
                    f"node {node!r} of the scene is not connected to its root. Expected a tree. Export it again."
                )
            path.append(parents[path[-1]])
        for above, below in itertools.pairwise(reversed(path)):
            known[below] = known[above] @ edges[above, below].get("matrix", known[graph.base_frame])
    # as in trimesh, because products of many rotations lose precision
    return {node: fix_rigid(known[node], max_deviance=1e-5) for node in graph.nodes_geometry}


def _placed(part: Any, matrix: np.ndarray) -> np.ndarray:
    """Vertices (n, 3) in the scene's frame."""
    return np.asarray(part.vertices, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def _area_sums(surfaces: list[tuple[Trimesh, np.ndarray]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative area of all faces, and cumulative face count at the end of each surface."""
    total = sum(len(mesh.faces) for mesh, _ in surfaces)
    if total > MAX_FACES:
        raise CloudError(f"{name} places {total:,} faces. Expected at most {MAX_FACES:,}. Simplify it first.")
    ends = np.cumsum([len(mesh.faces) for mesh, _ in surfaces])
    sums = np.empty(total)
    for end, (mesh, matrix) in zip(ends, surfaces, strict=True):
        sums[end - len(mesh.faces) : end] = _areas(mesh, matrix, name)
    np.cumsum(sums, out=sums)
    if not 0 < sums[-1] < np.inf:
        raise CloudError(
            f"{name} has no face with a finite area above 0 (total {sums[-1]}). Expected one. Check its vertices."
        )
    return sums, ends


def _draw(
    surfaces: list[tuple[Trimesh, np.ndarray]], sums: np.ndarray, ends: np.ndarray, numbers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) and colors (n, 3) from random numbers (3, n) in [0, 1). Colors are NaN where a part has none."""
    points = numbers.shape[1]
    faces = np.searchsorted(sums, numbers[0] * sums[-1], side="right").clip(max=len(sums) - 1)
    # barycentric weights, uniform over a triangle
    root, split = np.sqrt(numbers[1]), numbers[2]
    weights = np.stack([1 - root, root * (1 - split), root * split], axis=1)
    owner = np.searchsorted(ends, faces, side="right")
    xyz, rgb = np.empty((points, 3)), np.full((points, 3), np.nan)
    uv, tint, texture = np.empty((points, 2)), np.ones((points, 3)), np.full(points, -1)
    contents: dict[Any, int] = {}
    images: list[Any] = []
    for place in np.unique(owner):
        mesh, matrix = surfaces[place]
        rows = np.flatnonzero(owner == place)
        face = faces[rows] - (ends[place] - len(mesh.faces))
        corners = np.asarray(mesh.vertices, dtype=np.float64)[np.asarray(mesh.faces)[face]]
        xyz[rows] = _blend(corners @ matrix[:3, :3].T + matrix[:3, 3], weights[rows])
        color = _color(mesh, face, weights[rows])
        if color is not None:
            rgb[rows] = color
        image = _image(mesh)
        if image is not None:
            texture[rows] = contents.setdefault(_content(image), len(images))
            images += [image] if len(contents) > len(images) else []
            uv[rows] = _blend(mesh.visual.uv[mesh.faces[face], :2], weights[rows])
            tint[rows] = _tint(mesh.visual.material)
    for number, image in enumerate(images):  # one image at a time, because each may take hundreds of megabytes
        rows = np.flatnonzero(texture == number)
        texels = _texels(image, uv[rows])
        if texels is not None:
            rgb[rows] = texels * tint[rows]
    return xyz, rgb


def _with_gray(cloud: np.ndarray) -> np.ndarray:
    """Cloud (n, 6) with gray instead of NaN colors; (n, 3) if all colors are NaN."""
    bare = np.isnan(cloud[:, 3:]).any(axis=1)
    if bare.all() or cloud.shape[1] == 3:
        return cloud[:, :3]
    cloud[bare, 3:] = GRAY
    return cloud


def _areas(mesh: Trimesh, matrix: np.ndarray, name: str) -> np.ndarray:
    """Areas of the faces in the scene's frame."""
    faces = np.asarray(mesh.faces)
    if faces.min() < 0 or faces.max() >= len(mesh.vertices):
        raise CloudError(
            f"{name} has faces that refer to vertices beyond its {len(mesh.vertices):,}. Expected indices of these. "
            "Repair the mesh."
        )
    corners = _placed(mesh, matrix)[faces]
    if not np.isfinite(corners).all():
        raise CloudError(f"{name} has vertices that are NaN or infinite. Expected finite numbers. Repair the mesh.")
    edges = corners[:, 1:] - corners[:, :1]
    return np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1) / 2


def _blend(corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values (n, k) at points in triangles: mean of the values (n, 3, k) of the corners, with weights (n, 3)."""
    return np.einsum("nck,nc->nk", corners, weights)


def _color(mesh: Trimesh, face: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """Colors (n, 3) at points of a mesh, from its faces, vertices or material; None if these have no color.

    Textures are not used. face, weights: face (n,) and barycentric weights (n, 3) of the points.
    """
    visual: Any = mesh.visual
    if visual.kind == "face":
        return visual.face_colors[face, :3] / 255
    if visual.kind == "vertex":
        return _blend(visual.vertex_colors[mesh.faces[face], :3] / 255, weights)
    if visual.kind != "texture" or visual.material is None:
        return None
    painted = visual.vertex_attributes.get("color")
    if painted is not None and len(painted) == len(mesh.vertices):
        painted = painted if painted.dtype.kind == "f" else painted / np.iinfo(painted.dtype).max
        return _blend(painted[mesh.faces[face], :3], weights)
    flat = _material_color(visual.material)
    return None if flat is None else np.broadcast_to(flat, (len(face), 3))


def _tint(material: Any) -> Any:
    """Factor for the colors of a texture: in glTF the color of the material; 1 in OBJ, whose texture replaces it."""
    flat = None if hasattr(material, "diffuse") else _material_color(material)
    return 1.0 if flat is None else flat


def _material_color(material: Any) -> np.ndarray | None:
    """Color of a material; None if the file has none, so that the color is a default of trimesh."""
    if hasattr(material, "diffuse"):
        made_up = np.array_equal(material.diffuse, TRIMESH_DIFFUSE) and "kd" not in material.kwargs
        return None if made_up else material.diffuse[:3] / 255
    factor = getattr(material, "baseColorFactor", None)
    return None if factor is None else factor[:3] / 255


def _image(mesh: Trimesh) -> Any:
    """Texture of a mesh as a PIL image; None without texture coordinates, and for the default texture of trimesh."""
    visual: Any = mesh.visual
    material = getattr(visual, "material", None)
    image = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
    if image is None or visual.uv is None or len(visual.uv) != len(mesh.vertices):
        return None
    made_up = image.size == (2, 2) and image.format is None and image.getcolors() == [(4, TRIMESH_TEXEL)]
    return None if made_up else image


def _content(image: Any) -> Any:
    """Key of an image's content, equal for images opened from the same bytes."""
    file = getattr(image, "fp", None)
    return file.getvalue() if isinstance(file, io.BytesIO) else id(image)


def _texels(image: Any, uv: np.ndarray) -> np.ndarray | None:
    """Colors (n, 3) of the nearest pixels of an image at texture coordinates (n, 2); None if it cannot be decoded.

    (0, 0) is the lower left corner and (1, 1) the upper right. Beyond them, the image repeats.
    """
    from PIL import Image

    guards.check_pixels(image.size, "texture")
    width, height = image.size
    inside = np.nan_to_num(np.where((uv < 0) | (uv > 1), uv - np.floor(uv), uv))
    column = np.minimum((inside[:, 0] * width).astype(int), width - 1)
    row = np.minimum(((1 - inside[:, 1]) * height).astype(int), height - 1)
    texels, rows = np.empty((len(uv), 3)), max(1, STRIP // width)
    try:
        if getattr(image, "fp", None) is not None:
            image.fp.seek(0)  # opened again, because an image object keeps its decoded pixels in memory
            image = Image.open(image.fp, formats=guards.IMAGE_FORMATS)
        for strip in np.unique(row // rows):  # in strips, because a whole array would double the memory
            top = int(strip) * rows
            pixels = np.asarray(image.crop((0, top, width, min(top + rows, height))).convert("RGB"))
            here = row // rows == strip
            texels[here] = pixels[row[here] - top, column[here]]
    except (OSError, SyntaxError, ValueError):  # truncated or damaged image
        return None
    return texels / 255

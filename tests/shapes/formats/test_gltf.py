"""glTF: materials, and numbers that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hostile_shapes
import pytest
import trimesh
from format_files import SQUARE, assert_halves, glb, gltf_triangle, halves, refused, refused_if, write

from openshape_ood.shapes.reading import load_shape


def test_a_texture_inside_a_glb(tmp_path: Path) -> None:
    image = halves(tmp_path / "halves.png")
    visual = trimesh.visual.TextureVisuals(
        uv=SQUARE[:, :2], material=trimesh.visual.material.PBRMaterial(baseColorTexture=image)
    )
    square = trimesh.Trimesh(SQUARE, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)
    assert_halves(load_shape(write(tmp_path / "square.glb", square.export(file_type="glb"))))


@pytest.mark.parametrize("factor, color", [(None, 1.0), ([0.2, 0.2, 0.2, 1], 0.2)])
def test_specular_glossiness_has_its_diffuse_color(tmp_path: Path, factor: Any, color: float) -> None:
    halves(tmp_path / "halves.png")
    square = trimesh.Trimesh(SQUARE, [[0, 1, 2], [0, 2, 3]], process=False)
    square.visual = trimesh.visual.TextureVisuals(uv=SQUARE[:, :2])
    export = trimesh.Scene(square).export(file_type="gltf")
    tree = json.loads(export.pop("model.gltf"))
    for name, content in export.items():
        write(tmp_path / name, content)
    gloss = {"diffuseTexture": {"index": 0}, **({"diffuseFactor": factor} if factor else {})}
    tree["materials"] = [{"extensions": {"KHR_materials_pbrSpecularGlossiness": gloss}}]
    tree |= {"textures": [{"source": 0}], "images": [{"uri": "halves.png"}]}
    tree["meshes"][0]["primitives"][0]["material"] = 0
    points = load_shape(write(tmp_path / "square.gltf", json.dumps(tree)), points=50)
    points[:, 3:] /= color
    assert_halves(points)


@pytest.mark.parametrize(
    "change",
    [
        {"accessors": {"count": 2**40}},
        {"accessors": {"count": -3}},
        {"accessors": {"byteOffset": 2**40}},
        {"bufferViews": {"byteLength": 2**40}},
        {"bufferViews": {"byteOffset": 30}},
        {"bufferViews": {"byteStride": 2**30}},
        {"buffers": {"byteLength": 2**40}},
        {"accessors": {"count": 2**34, "bufferView": None}},
        {"accessors": {"count": 2**34, "bufferView": None, "sparse": {"count": 1}}},
    ],
    ids=str,
)
def test_gltf_counts(tmp_path: Path, change: dict[str, dict[str, Any]]) -> None:
    tree = gltf_triangle()
    for kind, values in change.items():
        tree[kind][0].update(values)
        tree[kind][0] = {key: value for key, value in tree[kind][0].items() if value is not None}
    for suffix, content in (("gltf", json.dumps(tree).encode()), ("glb", glb(tree))):
        with refused("would take|Expected a number"):
            load_shape(write(tmp_path / f"bad.{suffix}", content))


def test_gltf_that_uses_its_bytes_a_million_times(tmp_path: Path) -> None:
    tree = gltf_triangle(triangles=30_000)
    tree["meshes"][0]["primitives"] *= 2000
    with refused("bomb"):
        load_shape(write(tmp_path / "bomb.gltf", json.dumps(tree)))


def test_compressed_gltf_says_so(tmp_path: Path) -> None:
    tree = gltf_triangle() | {"extensionsRequired": ["KHR_draco_mesh_compression"]}
    with refused("KHR_draco_mesh_compression.*without compression"):
        load_shape(write(tmp_path / "draco.gltf", json.dumps(tree)))


@pytest.mark.parametrize("shorter, fits", [(0, True), (1, False)])
def test_images_inside_a_gltf_do_not_overlap(tmp_path: Path, shorter: int, fits: bool) -> None:
    image, every = hostile_shapes.png(2, junk=200), range(20)
    tree, binary = hostile_shapes.gltf([image])
    tree["bufferViews"] = tree["bufferViews"][:2] + [
        {"buffer": 0, "byteOffset": 60, "byteLength": len(image) - n * shorter} for n in every
    ]
    tree["images"] = [{"bufferView": 2 + n} for n in every]
    tree["textures"] = [{"source": n} for n in every]
    tree["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": n}}} for n in every]
    part = tree["meshes"][0]["primitives"][0]
    tree["meshes"] = [{"primitives": [{**part, "material": n} for n in every]}]
    (tmp_path / "a.glb").write_bytes(hostile_shapes.glb(tree, binary))
    # the same place again and again is one image
    with refused_if(not fits, "its images are larger together than the file"):
        assert load_shape(tmp_path / "a.glb", points=9).shape == (9, 6)

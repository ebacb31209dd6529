"""Shape files of at most 1 MB, each made to cost far more than it is: time, memory, or both."""

from __future__ import annotations

import base64
import io
import itertools
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()
CORNERS = np.array([[0, 0], [1, 0], [0, 1]], "<f4").tobytes()
MAKERS: dict[str, Callable[[Path], Path]] = {}


def maker(suffix: str) -> Callable[[Callable[..., bytes | str]], Callable[..., bytes | str]]:
    """Enters what makes the content of a file, in a folder that it may put side files in."""

    def enter(content: Callable[..., bytes | str]) -> Callable[..., bytes | str]:
        def make(folder: Path) -> Path:
            made = content(folder)
            path = folder / f"{content.__name__}.{suffix}"
            path.write_bytes(made.encode() if isinstance(made, str) else made)
            assert path.stat().st_size <= 2**20, f"{path.name} is of {path.stat().st_size} bytes"
            return path

        MAKERS[content.__name__] = make
        return content

    return enter


@cache
def png(side: int, mode: int = 2, junk: int = 0) -> bytes:
    """A black image of side x side pixels, gray (0), of color (2) or with alpha (6), after `junk` empty chunks."""
    size = side * (1 + side * {0: 1, 2: 3, 6: 4}[mode])
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = squeeze.compress(bytes(2**20)) + squeeze.flush(zlib.Z_FULL_FLUSH)  # of which any number may follow
    rest = squeeze.compress(bytes(size % 2**20)) + squeeze.flush()
    rows = b"\x78\xda" + block * (size // 2**20) + rest + struct.pack(">I", size % 65521 << 16 | 1)
    head = struct.pack(">IIBBBBB", side, side, 8, mode, 0, 0, 0)
    chunks = [b"IHDR" + head, *[b"juNk"] * junk, b"IDAT" + rows, b"IEND"]
    framed = (struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def encoded(side: int, kind: str, mode: str = "RGB", **options: Any) -> bytes:
    """A black image, written by Pillow."""
    from PIL import Image

    out = io.BytesIO()
    Image.new(mode, (side, side)).save(out, kind, **options)
    return out.getvalue()


def jpeg_of_many_scans(side: int, size: int) -> bytes:
    """A gray progressive JPEG of zeros whose shortest scan is repeated until it is of `size` bytes."""
    data = encoded(side, "JPEG", "L", progressive=True)
    starts = [at.start() for at in re.finditer(b"\xff\xda", data)] + [len(data) - 2]
    scan = min((data[a:b] for a, b in itertools.pairwise(starts)), key=len)
    return data[:-2] + scan * ((size - len(data)) // len(scan)) + data[-2:]


def gltf(images: list[bytes] = [], **changes: Any) -> tuple[dict[str, Any], bytes]:  # noqa: B006
    """A triangle whose texture is the first image, if there is one: the document, and its one buffer."""
    binary, views = TRIANGLE + CORNERS, [(0, 36), (36, 24)]
    for image in images:
        views.append((len(binary), len(image)))
        binary += image
    tree = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}} if images else {}}],
        "textures": [{"source": n} for n in range(len(images))],
        "images": [{"bufferView": 2 + n, "mimeType": "image/png"} for n in range(len(images))],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5126, "count": 3, "type": "VEC2"},
        ],
        "bufferViews": [{"buffer": 0, "byteOffset": at, "byteLength": size} for at, size in views],
        "buffers": [{"byteLength": len(binary)}],
    }
    return {**tree, **changes}, binary


def glb(tree: dict[str, Any], binary: bytes) -> bytes:
    text, binary = json.dumps(tree, separators=(",", ":")).encode(), binary + bytes(-len(binary) % 4)
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def embedded(tree: dict[str, Any], binary: bytes) -> str:
    tree["buffers"][0]["uri"] = "data:;base64," + base64.b64encode(binary).decode()
    return json.dumps(tree, separators=(",", ":"))


# glTF


def _gloss(side: int) -> bytes:
    textures = {"diffuseTexture": {"index": 0}, "specularGlossinessTexture": {"index": 1}}
    material = {"extensions": {"KHR_materials_pbrSpecularGlossiness": textures}}
    return glb(*gltf([png(side), png(side, 6)], materials=[material]))


@maker("glb")
def specular_glossiness_of_2048(folder: Path) -> bytes:
    return _gloss(2048)


@maker("glb")
def specular_glossiness_of_8192(folder: Path) -> bytes:
    return _gloss(8192)


@maker("glb")
def specular_glossiness_a_hundred_times(folder: Path) -> bytes:
    textures = {"diffuseTexture": {"index": 0}, "specularGlossinessTexture": {"index": 1}}
    material = {"extensions": {"KHR_materials_pbrSpecularGlossiness": textures}}
    return glb(*gltf([png(1024), png(1024, 6)], materials=[material] * 100))


@maker("glb")
def texture_of_8192(folder: Path) -> bytes:
    return glb(*gltf([png(8192)]))


def _textures(images: list[bytes]) -> bytes:
    """Every texture on a triangle of its own."""
    part = {"attributes": {"POSITION": 0, "TEXCOORD_0": 1}}
    return glb(*gltf(
        images,
        meshes=[{"primitives": [{**part, "material": n} for n in range(len(images))]}],
        materials=[{"pbrMetallicRoughness": {"baseColorTexture": {"index": n}}} for n in range(len(images))],
    ))  # fmt: skip


@maker("glb")
def many_textures(folder: Path) -> bytes:
    return _textures([png(4096 - n, 0) for n in range(50)])


@maker("glb")
def texture_of_webp(folder: Path) -> bytes:
    return _textures([encoded(5000, "WEBP", lossless=True, method=0)])


@maker("glb")
def texture_of_tiff(folder: Path) -> bytes:
    return _textures([encoded(5200, "TIFF", "RGBA", compression="tiff_adobe_deflate")])


@maker("glb")
def texture_of_gif(folder: Path) -> bytes:
    return _textures([encoded(7000, "GIF", "P")])


@maker("glb")
def texture_of_many_scans(folder: Path) -> bytes:
    return _textures([jpeg_of_many_scans(4000, 10**6)])


@maker("glb")
def chain_of_15000_nodes(folder: Path) -> bytes:
    nodes = [{"mesh": 0, "translation": [1, 0, 0], "children": [n + 1]} for n in range(14_999)]
    return glb(*gltf(nodes=[*nodes, {"mesh": 0}]))


@maker("glb")
def instances_of_one_mesh(folder: Path) -> bytes:
    faces = np.arange(24_000, dtype=np.uint8) % 3
    tree, binary = gltf()
    tree["bufferViews"].append({"buffer": 0, "byteOffset": len(binary), "byteLength": len(faces)})
    tree["accessors"].append({"bufferView": 2, "componentType": 5121, "count": len(faces), "type": "SCALAR"})
    tree["meshes"] = [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 2}]}]
    tree |= {"nodes": [{"mesh": 0}] * 4_000, "scenes": [{"nodes": list(range(4_000))}]}
    return glb(tree, binary + faces.tobytes())


@maker("glb")
def instances_of_a_triangle(folder: Path) -> bytes:
    return glb(*gltf(nodes=[{"mesh": 0}] * 50_000, scenes=[{"nodes": list(range(50_000))}]))


@maker("glb")
def primitives(folder: Path) -> bytes:
    return glb(*gltf(meshes=[{"primitives": [{"attributes": {"POSITION": 0}}] * 25_000}]))


@maker("glb")
def nodes_of_many_primitives(folder: Path) -> bytes:
    tree = gltf(meshes=[{"primitives": [{"attributes": {"POSITION": 0}}] * 1_000}])[0]
    return glb(tree | {"nodes": [{"mesh": 0}] * 1_000, "scenes": [{"nodes": list(range(1_000))}]}, gltf()[1])


@maker("glb")
def materials(folder: Path) -> bytes:
    return glb(*gltf(materials=[{"pbrMetallicRoughness": {"baseColorFactor": [1, 0, 0, 1]}}] * 14_000))


@maker("gltf")
def images_in_one_buffer(folder: Path) -> str:
    tree, binary = gltf([png(2)])
    tree["images"] *= 5_000
    return embedded(tree, binary + bytes(570_000))


@maker("gltf")
def images_of_many_chunks(folder: Path) -> str:
    tree, binary = gltf([png(2, junk=40_000)])
    tree["images"] *= 5_000
    return embedded(tree, binary)


@maker("gltf")
def side_image_named_often(folder: Path) -> str:
    (folder / "side.png").write_bytes(png(2) + bytes(10**6))
    tree, binary = gltf([png(2)])
    return embedded(tree | {"images": [{"uri": "side.png"}] * 1_400}, binary)


@maker("gltf")
def side_buffer_named_often(folder: Path) -> str:
    (folder / "side.bin").write_bytes(TRIANGLE + CORNERS + bytes(10**6))
    tree, _ = gltf()
    return json.dumps(tree | {"buffers": [{"uri": "side.bin", "byteLength": 60}] * 1_400})


# OBJ

OBJ = "mtllib {}\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\n"


@maker("obj")
def material_at_every_face(folder: Path) -> str:
    faces = "".join(f"usemtl m{n}\nf 1 2 3\n" for n in range(25_000))
    return OBJ + "v 0 0 1\n" * 50_000 + faces


@maker("obj")
def two_materials_in_turn(folder: Path) -> str:
    return OBJ + "".join(f"usemtl m{n % 2}\nf 1 2 3\n" for n in range(55_000))


@maker("obj")
def one_texture_of_many_materials(folder: Path) -> str:
    (folder / "side.png").write_bytes(png(2, junk=80_000))
    (folder / "side.mtl").write_text("newmtl m\nmap_Kd side.png\n" * 1_000)
    return OBJ.format("side.mtl") + "usemtl m\nf 1/1 2/2 3/3\n"


@maker("obj")
def many_spellings_of_one_texture(folder: Path) -> str:
    (folder / "side.png").write_bytes(png(2) + bytes(10**6))
    (folder / "side.mtl").write_text("".join(f"newmtl m{n}\nmap_Kd {'./' * n}side.png\n" for n in range(900)))
    return OBJ.format("side.mtl") + "".join(f"usemtl m{n}\nf 1/1 2/2 3/3\n" for n in range(900))


# STL, OFF, PLY


@maker("stl")
def solids(folder: Path) -> str:
    facet = "facet\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\n"
    return (f"solid a\n{facet}endsolid\n") * 15_000


@maker("stl")
def empty_solids(folder: Path) -> str:
    return "solid\nfacet\nendsolid\n" * 45_000


@maker("off")
def polygon_of_many_corners(folder: Path) -> str:
    return "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n400000 " + "0 1 2 " * 133_333 + "0\n"


@maker("ply")
def comment_of_spaces(folder: Path) -> str:
    head = f"ply\nformat ascii 1.0\ncomment TextureFile x{' ' * 500_000}y\nelement vertex 3\n"
    axes = "".join(f"property float {axis}\n" for axis in "xyz")
    return head + axes + ("element face 1\nproperty list uchar int vertex_indices\nend_header\n"
                          "0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")  # fmt: skip


@maker("ply")
def lists_without_values(folder: Path) -> bytes:
    axes = "".join(f"property uchar {axis}\n" for axis in "xyz")
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex 3\n{axes}element face 1000000\n"
    body = bytes([0, 0, 0, 1, 0, 0, 0, 1, 0]) + b"\0" * 999_996 + bytes([3, 0, 1, 2])
    return (head + "property list uchar uchar vertex_indices\nend_header\n").encode() + body


@maker("ply")
def polygon_of_bytes(folder: Path) -> bytes:
    axes = "".join(f"property uchar {axis}\n" for axis in "xyz")
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex 3\n{axes}element face 1\n"
    body = bytes([0, 0, 0, 1, 0, 0, 0, 1, 0]) + struct.pack("<I", 999_999) + bytes([0, 1, 2]) * 333_333
    return (head + "property list uint uchar vertex_indices\nend_header\n").encode() + body


# COLLADA

DAE = (
    '<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1"><asset>{asset}</asset>{head}'
    '<library_geometries><geometry id="g"><mesh><source id="p">'
    '<float_array id="a" count="9">0 0 0 1 0 0 0 1 0</float_array><technique_common>'
    '<accessor source="#a" count="3" stride="3"><param name="X" type="float"/><param name="Y" type="float"/>'
    '<param name="Z" type="float"/></accessor></technique_common></source>'
    '<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>{faces}</mesh></geometry>'
    '</library_geometries><library_visual_scenes><visual_scene id="s"><node id="root">{nodes}</node></visual_scene>'
    '</library_visual_scenes><scene><instance_visual_scene url="#s"/></scene></COLLADA>'
)
FACES = '<triangles count="1"><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2</p></triangles>'
INSTANCE = '<instance_geometry url="#g"/>'


def dae(asset: str = "", head: str = "", faces: str = FACES, nodes: str = INSTANCE) -> str:
    return DAE.format(asset=asset, head=head, faces=faces, nodes=nodes)


@maker("dae")
def comments_that_never_end(folder: Path) -> str:
    return "<COLLADA>" + "<!--" * 60_000


@maker("dae")
def nodes_that_double(folder: Path) -> str:
    library = "".join(
        f'<node id="n{n}">' + 2 * (f'<instance_node url="#n{n - 1}"/>' if n else INSTANCE) + "</node>"
        for n in range(17)
    )  # fmt: skip
    return dae(head=f"<library_nodes>{library}</library_nodes>", nodes='<instance_node url="#n16"/>')


@maker("dae")
def instances_of_many_polygons(folder: Path) -> str:
    polygons = '<polylist count="{0}"><input semantic="VERTEX" source="#v" offset="0"/><vcount>{1}</vcount><p>{2}</p>'
    faces = polygons.format(10_000, "4 " * 10_000, "0 1 2 1 " * 10_000) + "</polylist>"
    return dae(faces=faces, nodes=INSTANCE * 800)


@maker("dae")
def instances_of_many_triangles(folder: Path) -> str:
    return dae(faces=FACES.replace("0 1 2", "0 1 2 " * 80_000).replace('"1"', '"80000"'), nodes=INSTANCE * 18_000)


@maker("dae")
def instances_of_a_triangle_in_collada(folder: Path) -> str:
    return dae(nodes=INSTANCE * 30_000)


@maker("dae")
def nodes_in_collada(folder: Path) -> str:
    return dae(nodes=INSTANCE + "<node/>" * 140_000)


@maker("dae")
def nodes_in_nodes(folder: Path) -> str:
    return dae(nodes="<node>" * 70_000 + INSTANCE + "</node>" * 70_000)


@maker("dae")
def effects(folder: Path) -> str:
    (folder / "side.png").write_bytes(png(2, junk=80_000))
    image = '<library_images><image id="i"><init_from>side.png</init_from></image></library_images>'
    effect = (
        '<effect id="e{0}"><profile_COMMON><newparam sid="a"><surface type="2D"><init_from>i</init_from></surface>'
        '</newparam><newparam sid="b"><sampler2D><source>a</source></sampler2D></newparam><technique sid="c"><lambert>'
        '<diffuse><texture texture="b"/></diffuse></lambert></technique></profile_COMMON></effect>'
    )
    material = '<material id="m{0}"><instance_effect url="#e{0}"/></material>'
    every = range(2_300)
    return dae(head=f"{image}<library_effects>{''.join(effect.format(n) for n in every)}</library_effects>"
                    f"<library_materials>{''.join(material.format(n) for n in every)}</library_materials>")  # fmt: skip


# clouds


@maker("pcd")
def compressed_cloud(folder: Path) -> bytes:
    count = 29_000_000
    copy = bytes([7 << 5, 255, 0])  # of 264 bytes
    packed = b"\0\1" + b"\0\0" + copy * ((3 * count - 2) // 264)
    rest = 3 * count - 2 - 264 * ((3 * count - 2) // 264)
    packed += b"".join(bytes([len(run) - 1]) + run for run in (bytes(rest)[at : at + 32] for at in range(0, rest, 32)))
    header = (
        f"VERSION 0.7\nFIELDS x y z\nSIZE 1 1 1\nTYPE U U U\nCOUNT 1 1 1\nWIDTH {count}\nHEIGHT 1\nPOINTS {count}\n"
    )
    return (header + "DATA binary_compressed\n").encode() + struct.pack("<II", len(packed), 3 * count) + packed


def _npz(shape: tuple[int, ...], **arrays: np.ndarray) -> bytes:
    """Arrays, and under `points` bytes of nearly all zeros in a shape."""
    points = np.zeros(shape, np.uint8)
    points[0] = 1
    out = io.BytesIO()
    np.savez_compressed(out, points=points, **arrays)
    return out.getvalue()


@maker("npz")
def deflated_bytes(folder: Path) -> bytes:
    return _npz((26_000_000, 3))


@maker("npz")
def deflated_points_and_colors(folder: Path) -> bytes:
    return _npz((3_000_000, 3), colors=np.zeros((3_000_000, 3), np.uint8))


@maker("npz")
def arrays_in_an_archive(folder: Path) -> bytes:
    out, one = io.BytesIO(), io.BytesIO()
    np.save(one, np.eye(3))
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(3_000):
            archive.writestr(f"{n}.npy", one.getvalue())
    return out.getvalue()


@maker("npy")
def array_of_bytes(folder: Path) -> bytes:
    points = np.zeros((349_000, 3), np.uint8)
    points[0] = 1
    out = io.BytesIO()
    np.save(out, points)
    return out.getvalue()


@maker("txt")
def shortest_numbers(folder: Path) -> str:
    return "1 2 3\n" + "0 0 0\n" * 170_000


@maker("txt")
def one_line(folder: Path) -> str:
    return "0 " * 500_000


@maker("laz")
def laz_of_one_place(folder: Path) -> bytes:
    import laspy

    header = laspy.LasHeader(point_format=2, version="1.2")
    las, out = laspy.LasData(header), io.BytesIO()
    las.points = laspy.ScaleAwarePointRecord.zeros(3_000_000, header=header)
    las.X[0] = 1
    las.write(out, do_compress=True)
    return out.getvalue()

"""Structured files made up by hypothesis: each token is of its format, and nothing else need fit."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from benchmarks.fuzzing.mutated import packed_glb

small = st.integers(-1, 4)
whole = st.one_of(
    small, small, small, st.sampled_from((7, 36, 255, 65536, 2**20, 2**31 - 1, 2**31, 2**32, 2**53, 2**63))
)
number = st.one_of(small, st.floats(-2, 2, width=16), st.sampled_from((1e9, -1e30, 1e308, float("nan"), float("inf"))))
place = st.sampled_from(
    ("side.bin", "side.png", "side.mtl", "../secret.png", "/etc/hostname", "http://127.0.0.1:9/x", "")
)
BYTES = struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0) + struct.pack("<6H", 0, 1, 2, 0, 2, 1) + bytes(16)
URI = "data:application/octet-stream;base64," + base64.b64encode(BYTES).decode()


def lines(*words: Any, least: int = 0, most: int = 40) -> Any:
    return st.lists(st.one_of(*words), min_size=least, max_size=most)


def row(head: str, *cells: Any) -> Any:
    """A line of a word and cells."""
    return st.tuples(*cells).map(lambda found: " ".join([head, *map(str, found)]).strip())


# glTF

maybe = {"name": st.sampled_from(("a", "b", "")), "extras": st.none()}
numbers = st.lists(number, max_size=17)
indices = st.lists(small, max_size=4)
image = st.fixed_dictionaries({}, optional={"uri": place, "bufferView": small, "mimeType": st.just("image/png")})
texture = st.fixed_dictionaries({"index": small}, optional={"texCoord": whole})
material = st.fixed_dictionaries(
    {},
    optional={
        "pbrMetallicRoughness": st.fixed_dictionaries({}, optional={
            "baseColorFactor": numbers, "baseColorTexture": texture, "metallicRoughnessTexture": texture}),
        "extensions": st.fixed_dictionaries({}, optional={
            "KHR_materials_pbrSpecularGlossiness": st.fixed_dictionaries({}, optional={
                "diffuseFactor": numbers, "diffuseTexture": texture, "specularGlossinessTexture": texture})}),
        "emissiveTexture": texture,
    },
)  # fmt: skip
attributes = st.dictionaries(
    st.sampled_from(("POSITION", "NORMAL", "TEXCOORD_0", "COLOR_0", "JOINTS_0", "_X")), small, max_size=4
)
primitive = st.fixed_dictionaries(
    {"attributes": attributes}, optional={"indices": small, "mode": st.integers(0, 6), "material": small}
)
accessor = st.fixed_dictionaries(
    {
        "componentType": st.sampled_from((5120, 5121, 5122, 5123, 5125, 5126, 5126, 5126, 0)),
        "count": st.one_of(st.just(3), whole),
        "type": st.sampled_from(("SCALAR", "VEC2", "VEC3", "VEC3", "VEC3", "VEC4", "MAT4", "X")),
    },
    optional={
        "bufferView": small,
        "byteOffset": whole,
        "min": numbers,
        "normalized": st.booleans(),
        "sparse": st.fixed_dictionaries({"count": whole, "indices": st.fixed_dictionaries({"bufferView": small})}),
    },
)
view = st.fixed_dictionaries(
    {"buffer": st.just(0) | small, "byteLength": st.just(36) | whole},
    optional={"byteOffset": whole, "byteStride": whole},
)
node = st.fixed_dictionaries(
    {},
    optional={
        "children": indices, "mesh": small, "matrix": numbers, "rotation": numbers, "scale": numbers,
        "translation": numbers, "camera": small, "skin": small, **maybe,
    },
)  # fmt: skip
tables = {
    "scenes": st.fixed_dictionaries({"nodes": indices}, optional=maybe), "nodes": node,
    "meshes": st.fixed_dictionaries({"primitives": st.lists(primitive, max_size=3)}, optional=maybe),
    "accessors": accessor, "bufferViews": view, "materials": material, "images": image,
    "textures": st.fixed_dictionaries({}, optional={"source": small, "sampler": small}),
    "samplers": st.fixed_dictionaries({}, optional={"wrapS": whole}),
    "animations": st.fixed_dictionaries({}, optional=maybe),
}  # fmt: skip
gltf = st.fixed_dictionaries(
    {"asset": st.just({"version": "2.0"}), **{name: st.lists(table, max_size=4) for name, table in tables.items()}},
    optional={
        "scene": small,
        "buffers": st.lists(
            st.fixed_dictionaries({"byteLength": whole}, optional={"uri": st.just(URI) | place}), max_size=3
        ),
        "extensionsRequired": st.lists(st.sampled_from(("KHR_draco_mesh_compression", "EXT_x")), max_size=1),
    },
)


def _glb(found: dict[str, Any]) -> bytes:
    return packed_glb(json.dumps(found).encode(), struct.pack("<I4s", len(BYTES), b"BIN\0") + BYTES)


# text

three = row("", number, number, number)
obj = lines(
    row("v", three), row("v", three), row("v", three, three), row("vn", three), row("vt", number, number),
    row("f", whole, whole, whole), row("f", *[st.integers(1, 5)] * 3), row("l", whole, whole),
    st.tuples(*[whole] * 6).map(lambda n: "f {}/{} {}//{} {}/{}/1".format(*n)), row("usemtl", st.sampled_from("mn")),
    row("mtllib", place), row("g", place), row("o", place), row("s", whole),
    st.sampled_from(("#", "f", "v 1", "\\", "curv")),
).map("\n".join)  # fmt: skip
stl = lines(
    row("solid", place), row("facet normal", three), st.just("outer loop"), row("vertex", three), row("vertex", three),
    row("vertex", three), st.sampled_from(("endloop", "endfacet", "endsolid")),
).map(lambda found: "solid x\n" + "\n".join(found))  # fmt: skip
faces = lines(row("3", small, small, small), row("", whole, whole, whole))
off = st.tuples(
    st.sampled_from(("OFF", "COFF", "NOFF", "# x\nOFF", "")), row("", whole, whole, whole), lines(three), faces
).map(lambda found: "\n".join([*found[:2], *found[2], *found[3]]))
rows = lines(three, row("", three, three))
head = st.sampled_from(("", "x y z", "x,y,z,r,g,b", "#"))
text_table = st.tuples(head, rows).map(lambda found: "\n".join([found[0], *found[1]]))
body = st.binary(max_size=200) | lines(three, row("3", small, small, small)).map(
    lambda found: "\n".join(found).encode()
)

# headers

kind = st.sampled_from(("char", "uchar", "short", "int", "uint", "float", "float", "float", "double", "int64", "x"))
field = st.sampled_from(("x", "y", "z", "x", "y", "z", "red", "green", "blue", "nx", "intensity", "vertex_indices"))
prop = row("property", kind, field) | row("property list", kind, kind, st.just("vertex_indices"))
what = st.sampled_from(("vertex", "vertex", "face", "edge", "tristrips"))
elements = st.lists(st.tuples(what, whole, st.lists(prop, max_size=7)), max_size=4)
order = st.sampled_from(("ascii", "binary_little_endian", "binary_big_endian"))
column = st.tuples(field, st.sampled_from((1, 2, 4, 4, 4, 8, 3, -1)), st.sampled_from("FFFIUX"), st.just(1) | whole)
columns = st.lists(column, min_size=2, max_size=7)
packing = st.sampled_from(("ascii", "binary", "binary_compressed"))


@st.composite
def ply(draw: Any) -> bytes:
    found = ["ply", f"format {draw(order)} 1.0", "comment x"]
    for name, count, props in draw(elements):
        found += [f"element {name} {count}", *props]
    return "\n".join([*found, "end_header", ""]).encode() + draw(body)


@st.composite
def pcd(draw: Any) -> bytes:
    heads, table = ("FIELDS", "SIZE", "TYPE", "COUNT"), zip(*draw(columns), strict=True)
    found = [" ".join([name, *map(str, values)]) for name, values in zip(heads, table, strict=True)]
    found += [f"WIDTH {draw(whole)}", f"HEIGHT {draw(whole)}"]
    found += [f"POINTS {draw(whole)}"] if draw(st.booleans()) else []
    return "\n".join([*found, f"DATA {draw(packing)}", ""]).encode() + draw(body)


# COLLADA

values = st.lists(number, max_size=12).map(lambda found: " ".join(map(str, found)))
ids = st.sampled_from(("#a", "#b", "#a-p", "#none", "a", "file.dae#a", "http://127.0.0.1:9/x#a"))
transform = st.sampled_from(("matrix", "rotate", "translate", "scale", "lookat", "skew"))
nodes = st.recursive(
    ids.map(lambda url: f'<instance_geometry url="{url}"/>')
    | ids.map(lambda url: f'<instance_node url="{url}"/>')
    | st.tuples(transform, values).map(lambda found: f"<{found[0]}>{found[1]}</{found[0]}>"),
    lambda inner: st.lists(inner, max_size=4).map(lambda found: f'<node id="a">{"".join(found)}</node>'),
    max_leaves=12,
)
polygons = st.sampled_from(("triangles", "polylist", "polygons", "lines"))
GEOMETRY = (
    '<geometry id="a"><mesh><source id="a-p"><float_array id="a-f" count="{0}">{1}</float_array><technique_common>'
    '<accessor source="#a-f" count="{2}" stride="3"><param name="X" type="float"/><param name="Y" type="float"/>'
    '<param name="Z" type="float"/></accessor></technique_common></source><vertices id="a-v">'
    '<input semantic="POSITION" source="{3}"/></vertices><{4} count="{5}">'
    '<input semantic="VERTEX" source="#a-v" offset="0"/><vcount>3 3</vcount><p>{6}</p></{4}></mesh></geometry>'
)
geometry = st.tuples(whole, values, whole, ids, polygons, whole, values).map(lambda found: GEOMETRY.format(*found))
DAE = (
    '<?xml version="1.0"?><COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1"><asset>'
    '<unit meter="{0}"/><up_axis>{1}</up_axis></asset><library_geometries>{2}</library_geometries>'
    '<library_visual_scenes><visual_scene id="s">{3}</visual_scene></library_visual_scenes>'
    '<scene><instance_visual_scene url="#s"/></scene></COLLADA>'
)
axis = st.sampled_from(("X_UP", "Y_UP", "Z_UP", ""))
dae = st.tuples(
    number, axis, st.lists(geometry, max_size=2).map("".join), st.lists(nodes, max_size=4).map("".join)
).map(lambda found: DAE.format(*found))

# suffix -> files of it
FORMATS: dict[str, Any] = {
    ".gltf": gltf.map(json.dumps), ".glb": gltf.map(_glb), ".obj": obj, ".stl": stl, ".off": off, ".xyz": text_table,
    ".csv": text_table, ".ply": ply(), ".pcd": pcd(), ".dae": dae,
}  # fmt: skip


def generate(suffix: str, count: int, number: int) -> Iterator[bytes]:
    """`count` files at most, the same for the same seed `number`."""
    found: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate], verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(FORMATS[suffix])
    def collect(content: str | bytes) -> None:
        found.append(content.encode() if isinstance(content, str) else content)

    collect()
    yield from found

"""Structured files made up by hypothesis: each token is of its format, and nothing else need fit."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from tests.fuzzing.mutated import packed_glb

small = st.integers(-1, 4)
whole = st.one_of(
    small, small, small, st.sampled_from((7, 36, 255, 65536, 2**20, 2**31 - 1, 2**31, 2**32, 2**53, 2**63))
)
strange = st.sampled_from((1e9, -1e30, 1e308, float("nan"), float("inf")))
number = st.integers(0, 15).flatmap(lambda drawn: strange if drawn == 1 else small | st.floats(-2, 2, width=16))
place = st.sampled_from(
    ("large.png", "side.bin", "side.png", "side.mtl", "../secret.png", "/etc/hostname", "http://127.0.0.1:9/x", "")
)
BYTES = struct.pack("<9f", 0, 0, 0, 1, 0, 0, 0, 1, 0) + struct.pack("<6H", 0, 1, 2, 0, 2, 1) + bytes(16)
URI = "data:application/octet-stream;base64," + base64.b64encode(BYTES).decode()


def often(value: Any, other: Any) -> Any:
    """`value`, as it should be, seven times of eight: a file wrong in every field is refused by the first one."""
    return st.integers(0, 7).flatmap(lambda drawn: other if drawn == 1 else st.just(value))


def lines(*words: Any, least: int = 0, most: int = 40) -> Any:
    return st.lists(st.one_of(*words), min_size=least, max_size=most)


def row(head: str, *cells: Any) -> Any:
    """A line of a word and cells."""
    return st.tuples(*cells).map(lambda found: " ".join([head, *map(str, found)]).strip())


# glTF

maybe = {"name": st.sampled_from(("a", "b", "")), "extras": st.none()}
numbers = st.lists(number, max_size=17)
index = st.integers(0, 511).map(lambda drawn: {5: -1, 9: 9, 11: 2**31}.get(drawn, drawn % 2))
indices = st.lists(index, max_size=4)
image = st.fixed_dictionaries({}, optional={"uri": place, "bufferView": index, "mimeType": st.just("image/png")})
texture = st.fixed_dictionaries({"index": index}, optional={"texCoord": whole})
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
    st.sampled_from(("NORMAL", "TEXCOORD_0", "COLOR_0", "JOINTS_0", "_X")), index, max_size=3
).map(lambda found: {"POSITION": 0} | found)
primitive = st.fixed_dictionaries(
    {"attributes": attributes}, optional={"indices": index, "mode": often(4, st.integers(0, 7)), "material": index}
)
accessor = st.fixed_dictionaries(
    {
        "componentType": often(5126, st.sampled_from((5120, 5121, 5122, 5123, 5125, 0))),
        "count": often(3, whole),
        "type": often("VEC3", st.sampled_from(("SCALAR", "VEC2", "VEC4", "MAT4", "X"))),
    },
    optional={
        "bufferView": index,
        "byteOffset": often(0, whole),
        "min": numbers,
        "normalized": st.booleans(),
        "sparse": st.fixed_dictionaries({"count": whole, "indices": st.fixed_dictionaries({"bufferView": index})}),
    },
)
view = st.fixed_dictionaries(
    {"buffer": st.just(0) | small, "byteLength": st.just(36) | whole},
    optional={"byteOffset": whole, "byteStride": whole},
)
node = st.fixed_dictionaries(
    {},
    optional={
        "children": indices, "mesh": index, "matrix": numbers, "rotation": numbers, "scale": numbers,
        "translation": numbers, "camera": index, "skin": index, **maybe,
    },
)  # fmt: skip
tables = {
    "scenes": st.fixed_dictionaries({"nodes": indices}, optional=maybe), "nodes": node,
    "meshes": st.fixed_dictionaries({"primitives": st.lists(primitive, max_size=3)}, optional=maybe),
    "accessors": accessor, "bufferViews": view, "materials": material, "images": image,
    "textures": st.fixed_dictionaries({}, optional={"source": index, "sampler": index}),
    "samplers": st.fixed_dictionaries({}, optional={"wrapS": whole}),
    "animations": st.fixed_dictionaries({}, optional=maybe),
}  # fmt: skip


def many(name: str, table: Any) -> Any:
    return st.lists(table, min_size=1, max_size=3).map(
        lambda found: [*([FIRST[name]] if name in FIRST else []), *found]
    )


buffer = st.fixed_dictionaries({"byteLength": often(len(BYTES), whole), "uri": often(URI, place)})
buffers = st.lists(buffer, min_size=1, max_size=3)
# the first of each table is right: what is wrong in the others is come to
FIRST: dict[str, Any] = {
    "scenes": {"nodes": [0, 1]}, "nodes": {"mesh": 0},
    "meshes": {"primitives": [{"attributes": {"POSITION": 0}, "material": 0}]},
    "accessors": {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
    "bufferViews": {"buffer": 0, "byteLength": 36}, "images": {"uri": "side.png"}, "textures": {"source": 0},
    "materials": {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}},
}  # fmt: skip
gltf = st.fixed_dictionaries(
    {
        "asset": st.just({"version": "2.0"}),
        "buffers": buffers,
        **{name: many(name, table) for name, table in tables.items()},
    },
    optional={
        "scene": often(0, small),
        "extensionsRequired": often([], st.just(["KHR_draco_mesh_compression"]) | st.just(["EXT_x"])),
    },
)


def _glb(found: dict[str, Any]) -> bytes:
    del found["buffers"][0]["uri"]  # that is the chunk behind
    return packed_glb(json.dumps(found).encode(), struct.pack("<I4s", len(BYTES), b"BIN\0") + BYTES)


def _grown(found: tuple[dict[str, Any], tuple[int, str]]) -> dict[str, Any]:
    """With so many nodes more: each the child of the last, or all of one parent with the same mesh."""
    document, (more, how) = found
    nodes: list[Any] = document["nodes"]
    first = len(nodes)
    for i in range(first, first + more):
        nodes.append({"children": [i + 1]} if how == "chain" and i + 1 < first + more else {"mesh": 0})
    if more:
        nodes[0] = {"children": [first] if how == "chain" else list(range(first, first + more))}
    return document


growth = often((0, ""), st.tuples(st.sampled_from((2, 300, 15_000)), st.sampled_from(("chain", "star"))))
gltf = st.tuples(gltf, growth).map(_grown)

# text

three = row("", number, number, number)
obj = lines(
    row("v", three), row("v", three), row("v", three, three), row("vn", three), row("vt", number, number),
    row("f", index, index, index), row("f", *[st.integers(1, 3)] * 3), row("f", *[st.integers(-3, -1)] * 3),
    row("l", whole, whole), st.tuples(*[index] * 6).map(lambda n: "f {}/{} {}//{} {}/{}/1".format(*n)),
    row("usemtl", st.sampled_from("mn")),
    row("mtllib", place), row("g", place), row("o", place), row("s", whole),
    st.sampled_from(("#", "f", "v 1", "\\", "curv")),
).map(lambda found: "\n".join(["v 0 0 0", "v 1 0 0", "v 0 1 0", *found]))  # fmt: skip
FACET = "facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet"
stl = lines(
    st.just(FACET), st.just(FACET),
    row("solid", place), row("facet normal", three), st.just("outer loop"), row("vertex", three), row("vertex", three),
    row("vertex", three), st.sampled_from(("endloop", "endfacet", "endsolid")),
).map(lambda found: "\n".join(["solid x", FACET, *found]))  # fmt: skip
faces = often("3 0 1 2", row("3", small, small, small) | row("", whole, whole, whole))
off = st.tuples(
    often("OFF", st.sampled_from(("COFF", "NOFF", "# x\nOFF", ""))),
    often("4 2 0", row("", whole, whole, whole)),
    st.lists(three, min_size=3, max_size=5),
    st.lists(faces, min_size=1, max_size=3),
).map(lambda found: "\n".join([*found[:2], *found[2], *found[3]]))
rows = lines(three, row("", three, three))
head = st.sampled_from(("", "x y z", "x,y,z,r,g,b", "#"))
text_table = st.tuples(head, rows).map(lambda found: "\n".join([found[0], *found[1]]))
text_body = lines(three, row("3", index, index, index)).map(
    lambda found: "\n".join(["0 0 0", "1 0 0", "0 1 0", *found]).encode()
)
body = st.binary(min_size=36, max_size=200) | text_body

# headers

kind = st.sampled_from(("char", "uchar", "short", "int", "uint", "float", "float", "float", "double", "int64", "x"))
field = st.sampled_from(("x", "y", "z", "x", "y", "z", "red", "green", "blue", "nx", "intensity", "vertex_indices"))
prop = row("property", kind, field) | row("property list", kind, kind, st.just("vertex_indices"))
what = often("face", st.sampled_from(("edge", "tristrips", "vertex")))
elements = st.lists(st.tuples(what, whole, st.lists(prop, max_size=7)), max_size=4)
order = st.sampled_from(("ascii", "binary_little_endian", "binary_big_endian"))
column = st.tuples(
    st.sampled_from(("red", "green", "blue", "rgb", "_", "_", "intensity", "x")),
    often(4, st.sampled_from((1, 2, 8, 3, -1))), often("F", st.sampled_from("IUX")), often(1, whole),
)  # fmt: skip
XYZ = [(axis, 4, "F", 1) for axis in "xyz"]
columns = st.lists(column, max_size=4)
packing = st.sampled_from(("ascii", "binary", "binary_compressed"))


@st.composite
def ply(draw: Any) -> bytes:
    found = ["ply", f"format {draw(order)} 1.0", "comment x"]
    if draw(often(True, st.just(False))):
        found += [f"element vertex {draw(often(3, whole))}", *(f"property float {axis}" for axis in "xyz")]
    for name, count, props in draw(elements):
        found += [f"element {name} {count}", *props]
    return "\n".join([*found, "end_header", ""]).encode() + draw(body)


@st.composite
def pcd(draw: Any) -> bytes:
    cells = zip(*XYZ[draw(often(0, small)) :], *draw(columns), ("_", 4, "F", 1), strict=True)
    heads = ("FIELDS", "SIZE", "TYPE", "COUNT")
    found = [" ".join([name, *map(str, values)]) for name, values in zip(heads, cells, strict=True)]
    found += [f"WIDTH {draw(often(3, whole))}", f"HEIGHT {draw(often(1, whole))}"]
    found += [f"POINTS {draw(often(3, whole))}"] if draw(st.booleans()) else []
    return "\n".join([*found, f"DATA {draw(packing)}", ""]).encode() + draw(body)


# COLLADA

values = st.lists(often(1, number), max_size=12).map(lambda found: " ".join(map(str, found)))
ids = st.sampled_from(
    ("#a", "#a", "#a", "#a-p", "#a-p", "#a-p", "#b", "#none", "a", "file.dae#a", "http://127.0.0.1:9/x#a")
)
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

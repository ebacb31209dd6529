"""A small sound file of every kind that the library reads: what mutations begin with."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.encoders.protocols import Identity, Provenance

DIM = 8
IDENTITY = Identity("tiny", "tiny/text.safetensors", "ab" * 32)
SIDE_FILES = (
    *("side.mtl", "side.png", "side.bin", "large.png", "rgb.png", "depth.png", "camera.json"),
    *("shard.parquet", "manifest.json"),
)  # beside them, which they may refer to


def write_sound(folder: Path) -> dict[str, list[Path]]:
    """Sound files by kind, and beside them the side files."""
    found: dict[str, list[Path]] = {}
    for kind, write in WRITERS.items():
        (folder / kind).mkdir()
        write(folder / kind)
        if kind in ("view", "depth", "shards"):
            write_companions(folder / kind)
        found[kind] = sorted(p for p in (folder / kind).iterdir() if p.is_file() and p.name not in SIDE_FILES)
    return found


def write_side_files(folder: Path) -> None:
    """A material, its texture, a large one of few bytes and a buffer, for files that name them."""
    from PIL import Image

    (folder / "side.mtl").write_text("newmtl m\nKd 0.5 0.2 0.1\nmap_Kd side.png\n", encoding="ascii")
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(folder / "side.png")
    Image.new("1", (2048, 2048)).save(folder / "large.png")
    (folder / "side.bin").write_bytes(np.arange(64, dtype="<f4").tobytes())


def write_companions(folder: Path) -> None:
    """A sound view of three files and a sound folder of shards, of which one file at a time is exchanged."""
    from openshape_ood.views import save_view

    save_view(_view(), folder)
    if find_spec("pyarrow"):
        _write_shards(folder, "shard.parquet", "manifest.json")


def _write_shapes(folder: Path) -> None:
    write_side_files(folder)
    _write_meshes(folder)
    cloud = np.random.default_rng(0).normal(size=(20, 6))
    cloud[:, 3:] = np.abs(cloud[:, 3:]) % 1
    np.save(folder / "cloud.npy", cloud)
    np.savez(folder / "plain.npz", points=cloud[:, :3], colors=(cloud[:, 3:] * 255).astype(np.uint8))
    np.savez_compressed(folder / "packed.npz", points=cloud.astype(np.float32))
    for suffix, delimiter in (("txt", " "), ("xyz", "\t"), ("csv", ",")):
        head = "x,y,z,red,green,blue" if suffix == "csv" else ""
        np.savetxt(folder / f"cloud.{suffix}", cloud, "%.4f", delimiter, header=head, comments="")
    _write_pcd(folder, cloud.astype("<f4"))
    if find_spec("laspy"):
        _write_las(folder, cloud)


def _write_meshes(folder: Path) -> None:
    import trimesh
    from PIL import Image

    box = trimesh.creation.box()
    painted = box.copy()
    painted.visual.vertex_colors = np.arange(32, dtype=np.uint8).reshape(8, 4)
    textured = box.copy()
    image = Image.open(folder / "side.png").convert("RGB")
    textured.visual = trimesh.visual.TextureVisuals(box.vertices[:, :2], image=image)
    scene = trimesh.Scene([painted, textured])
    scene.add_geometry(box, transform=trimesh.transformations.rotation_matrix(1, [0, 1, 0]))
    contents: dict[str, Any] = {
        "text.ply": painted.export(file_type="ply", encoding="ascii"),
        "binary.ply": textured.export(file_type="ply"),
        "points.ply": trimesh.PointCloud(box.vertices, colors=painted.visual.vertex_colors).export(file_type="ply"),
        "box.off": box.export(file_type="off"),
        "binary.stl": box.export(file_type="stl"),
        "text.stl": box.export(file_type="stl_ascii"),
        "scene.glb": scene.export(file_type="glb"),
        "box.dae": textured.export(file_type="dae"),
        "painted.obj": painted.export(file_type="obj"),
        "textured.obj": "mtllib side.mtl\nusemtl m\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n",
    }
    files = scene.export(file_type="gltf")
    document = files.pop("model.gltf")
    for name, value in files.items():  # inside, so that mutations are of them too
        uri = b"data:application/octet-stream;base64," + base64.b64encode(value)
        document = document.replace(name.encode(), uri)
    contents["scene.gltf"] = document
    for name, content in contents.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)


def _write_pcd(folder: Path, cloud: np.ndarray) -> None:
    n = len(cloud)
    head = (
        "VERSION 0.7\nFIELDS x y z intensity a b\nSIZE 4 4 4 4 4 4\nTYPE F F F F F F\nCOUNT 1 1 1 1 1 1\n"
        f"WIDTH {n}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {n}\nDATA "
    ).encode()
    text = io.StringIO()
    np.savetxt(text, cloud, "%.4f")
    columns = np.ascontiguousarray(cloud.T).tobytes()
    # LZF of literal runs only
    runs = [columns[i : i + 32] for i in range(0, len(columns), 32)]
    packed = b"".join(bytes([len(run) - 1]) + run for run in runs)
    sizes = struct.pack("<II", len(packed), len(columns))
    for name, body in {
        "ascii": text.getvalue().encode(), "binary": cloud.tobytes(), "binary_compressed": sizes + packed
    }.items():  # fmt: skip
        (folder / f"{name}.pcd").write_bytes(head + name.encode() + b"\n" + body)


def _write_las(folder: Path, cloud: np.ndarray) -> None:
    import laspy

    las = laspy.LasData(laspy.LasHeader(point_format=2, version="1.2"))
    las.x, las.y, las.z = cloud[:, :3].T
    las.red, las.green, las.blue = (cloud[:, 3:].T * 65535).astype(np.uint16)
    las.write(folder / "cloud.las")
    if find_spec("lazrs"):
        las.write(folder / "cloud.laz")


def _vectors(count: int) -> np.ndarray:
    drawn = np.random.default_rng(1).normal(size=(count, DIM))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def _write_stores(folder: Path) -> None:
    from openshape_ood.embedding_store import Failed, Header, Rows, write_embeddings

    header = Header(Provenance(IDENTITY, up="y", version="0"), DIM, 0.07, points=4)
    ids = [f"{name}/{i}" for name in ("chair", "lamp") for i in range(4)]
    rows = Rows(ids, [f"/in/{id}" for id in ids], ["y"] * 8, _vectors(8), [Failed("x", "/in/x", "no cloud")])
    for suffix in ("npz", "safetensors", *(["parquet"] if find_spec("pyarrow") else [])):
        write_embeddings(folder / f"store.{suffix}", rows, header)


def _write_known(folder: Path) -> None:
    from openshape_ood.known import KnownClasses
    from openshape_ood.known.memory import MemoryBank

    labels, rows = np.arange(4) % 2, _vectors(4)
    bank = MemoryBank(rows, labels, rows[:, :3], np.arange(4), "tokens", 0.2)
    both = KnownClasses(("chair", "lamp"), IDENTITY, _vectors(2), _vectors(3), rows, labels, bank, 0.07)
    both.save(folder / "both.safetensors")
    KnownClasses(("chair", "lamp"), IDENTITY, examples=rows, labels=labels).save(folder / "examples.safetensors")


def _write_detectors(folder: Path) -> None:
    from openshape_ood.sklearn_api import NoveltyDetector

    for method in ("prototype_distance", "knn", "mahalanobis"):
        detector = NoveltyDetector(method, k=2).fit(_vectors(12), ["chair", "lamp"] * 6)
        detector.save(folder / f"{method}.safetensors")


def _write_thresholds(folder: Path) -> None:
    from openshape_ood.decisions.threshold import Threshold

    Threshold(0.5).save(folder / "number.json")
    Threshold.from_novelty(np.linspace(0, 1, 40), 0.9).save(folder / "scores.json")


def _write_registries(folder: Path) -> None:
    import openshape_ood.registry as registry

    content = (Path(registry.__file__).parent / "checkpoints.toml").read_text(encoding="utf-8")
    (folder / "own.toml").write_text(content.replace("[vit", "[own_vit").replace("[tiny", "[own_tiny"), "utf-8")


def _write_checkpoints(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    state = {"proj.weight": torch.ones(3, 4), "proj.bias": torch.zeros(3), "count": torch.tensor(7)}
    save_file(state, folder / "weights.safetensors")
    own: dict[str, Any] = {f"module.{key}": tensor for key, tensor in state.items()}
    content = {"state_dict": own, "logit_scale": {"x": torch.ones(1)}, "epoch": np.float64(3)}
    torch.save(content, folder / "zip.pt")
    torch.save(content, folder / "old.pt", _use_new_zipfile_serialization=False)


def _write_lists(folder: Path) -> None:
    (folder / "list.csv").write_text("path,id,up\na.ply,one,y\nb/c.obj,two,z\n", encoding="utf-8")
    if find_spec("pyarrow"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table({"path": ["a.ply", "b/c.obj"] * 4, "id": list("abcdefgh"), "up": ["y", "z"] * 4})
        pq.write_table(table, folder / "list.parquet")


def _scene() -> Any:
    from openshape_ood.scenes import Scene

    drawn = np.random.default_rng(2)
    points, labels = drawn.random((30, 3)) * [4, 3, 2.5], drawn.integers(0, 3, 30)
    return Scene(points, drawn.random((30, 3)).astype(np.float32), labels, labels)


def _write_scans(folder: Path) -> None:
    from openshape_ood.scenes import save_scene

    scene = _scene()
    save_scene(scene, folder / "scan.ply", names={1: "chair", 2: "lamp"})
    (folder / "scan.names.json").unlink(missing_ok=True)
    rows = np.column_stack([scene.points, scene.color, scene.labels, scene.instances])
    np.savetxt(folder / "scan.txt", rows, "%.4f", header="x y z red green blue label instance_id", comments="")
    arrays = {"points": scene.points, "colors": scene.color, "labels": scene.labels, "instances": scene.instances}
    np.savez_compressed(folder / "scan.npz", **arrays)
    _write_pcd(folder, rows[:, :6].astype("<f4"))
    if find_spec("laspy"):
        _write_las(folder, rows[:, :6])
    write_side_files(folder)
    _write_meshes(folder)


def _write_labels(folder: Path) -> None:
    from openshape_ood.scenes import save_scene
    from openshape_ood.scenes.saving import NAMES, save_labels

    save_labels(np.arange(9), folder / "labels.txt")
    save_scene(_scene(), folder / "scan.ply", names={1: "chair", 2: "lamp"})
    (folder / f"scan{NAMES}").rename(folder / "names.json")


def _map(rows: np.ndarray) -> Any:
    from openshape_ood.novelty_map import Elements, NoveltyMap

    novelty, classes = np.linspace(0, 1, len(rows)), np.array(["chair", "lamp"])
    nearest = classes[np.arange(len(rows)) % 2]
    provenance = Provenance(IDENTITY, up="y", version="0")
    return NoveltyMap(Elements("points", rows), novelty, nearest, classes, 0.1, None, provenance, name="it", up="y")


def _write_maps(folder: Path) -> None:
    _map(np.random.default_rng(3).random((20, 6))).save(folder / "map.ply")


def _write_pictures(folder: Path) -> None:
    from PIL import Image

    drawn = np.random.default_rng(4).integers(0, 255, (12, 14, 4), dtype=np.uint8)
    image, exif = Image.fromarray(drawn), Image.Exif()
    exif[0x112] = 6
    for suffix in ("png", "webp", "tif", "tga"):
        image.save(folder / f"color.{suffix}")
    image.convert("RGB").save(folder / "color.jpg", exif=exif)
    image.convert("RGB").save(folder / "slow.jpg", progressive=True)
    image.convert("RGB").save(folder / "color.bmp")
    image.convert("P").save(folder / "color.gif", save_all=True, append_images=[image.convert("P")])
    Image.fromarray(drawn[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    image.convert("P").save(folder / "palette.png")
    image.convert("RGB").save(folder / "packed.tif", compression="tiff_adobe_deflate")


def _view() -> Any:
    from openshape_ood.views import View

    camera, pose = np.array([[20.0, 0, 9.5], [0, 20, 7.5], [0, 0, 1]]), np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    pose[2, 3] = 1.5
    drawn = np.random.default_rng(5)
    return View(drawn.random((16, 20, 3)), 2 + drawn.random((16, 20)), camera, pose)


def _write_views(folder: Path) -> None:
    import json
    import pickle

    from openshape_ood.views import save_view

    view = _view()
    save_view(view, folder / "exact.npz")
    whole = {"rgb": (view.rgb * 255).astype(np.uint8), "depth": (view.depth * 1000).astype(np.uint16)}
    camera = {"intrinsics": view.intrinsics, "pose": view.pose}
    np.savez_compressed(folder / "packed.npz", **whole, **camera, depth_scale=1000)
    found = {**whole, "depth": view.depth, "cam_intr": view.intrinsics, "cam_extr": view.pose, "img_shape": (40, 32)}
    (folder / "published.pkl").write_bytes(pickle.dumps(found, protocol=4))
    told = {name: array.tolist() for name, array in camera.items()}
    (folder / "other.json").write_text(json.dumps({**told, "depth_scale": 1000}), encoding="utf-8")
    _write_pictures(folder)
    for path in folder.iterdir():
        if path.suffix not in (".npz", ".pkl", ".json") and path.name != "color.png":
            path.unlink()
    from PIL import Image

    Image.fromarray(whole["rgb"]).save(folder / "color.png")


def _write_depths(folder: Path) -> None:
    from PIL import Image

    Image.fromarray((_view().depth * 1000).astype(np.uint16)).save(folder / "units.png")


def _write_masks(folder: Path) -> None:
    drawn = np.random.default_rng(6).random((3, 12, 14)) > 0.5
    np.savez_compressed(folder / "masks.npz", **dict(zip(("chair", "lamp", "sofa"), drawn, strict=True)))
    np.savez(folder / "numbers.npz", chair=drawn[0].astype(np.uint8), lamp=drawn[1].astype(np.uint8))


def _write_affinities(folder: Path) -> None:
    from openshape_ood.views.affinities import Affinities

    values = np.random.default_rng(7).random((2, 12, 14)).astype(np.float32)
    picture = (values[[0, 1, 1]].transpose(1, 2, 0) * 255).astype(np.uint8)
    Affinities(values, ("chair", "lamp"), rgb=picture).save(folder / "affinities.npz")


def _write_surfaces(folder: Path) -> None:
    from openshape_ood.surfaces import SurfaceModel
    from openshape_ood.surfaces.model import SETTINGS

    drawn = np.random.default_rng(8).random((24, 16, 16, 3)).astype(np.float32)
    for name in ("mean", "pca"):
        made = SurfaceModel.fit(list(drawn), reconstructor=name, size=16).save(folder / name)
        (made / SETTINGS).rename(folder / f"{name}.safetensors")
        made.rmdir()


def _write_comparators(folder: Path) -> None:
    import openshape_ood.registry as registry

    small = Path(registry.__file__).parent / "tiny" / "whitened.safetensors"
    (folder / "whitened.safetensors").write_bytes(small.read_bytes())


def _write_shards(folder: Path, shard: str = "sound.parquet", manifest: str = "sound.json") -> None:
    import shutil
    import tempfile

    from openshape_ood.embedding_store import Header, Rows
    from openshape_ood.embedding_store.folder import open_folder, write_shard

    header = Header(Provenance(IDENTITY, up="y", version="0"), DIM, 0.07, points=4)
    ids = [f"chair/{i}" for i in range(6)]
    with tempfile.TemporaryDirectory() as top:
        store = Path(top) / "store"
        open_folder(store, header)
        write_shard(store, Rows(ids, [f"/in/{id}" for id in ids], ["y"] * 6, _vectors(6)), header)
        shutil.copy(next(store.glob("embeddings/*.parquet")), folder / shard)
        shutil.copy(store / "manifest.json", folder / manifest)


def _write_h5(folder: Path) -> None:
    import h5py

    for name, how in (("plain", {}), ("packed", {"compression": "gzip"})):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file.create_dataset("data", data=np.random.default_rng(9).random((4, 16, 3)).astype(np.float32), **how)
            file.create_dataset("label", data=np.arange(4)[:, None], **how)


# how files are read (see `readers`) -> what writes sound ones
WRITERS: dict[str, Callable[[Path], None]] = {
    "shape": _write_shapes,
    "store": _write_stores,
    "known": _write_known,
    "detector": _write_detectors,
    "threshold": _write_thresholds,
    "registry": _write_registries,
    "checkpoint": _write_checkpoints,
    "list": _write_lists,
    "scan": _write_scans,
    "labels": _write_labels,
    "map": _write_maps,
    "picture": _write_pictures,
    "view": _write_views,
    "depth": _write_depths,
    "masks": _write_masks,
    "affinities": _write_affinities,
    "surface": _write_surfaces,
    "comparator": _write_comparators,
    **({"shards": _write_shards} if find_spec("pyarrow") else {}),
    **({"h5": _write_h5} if find_spec("h5py") else {}),
}

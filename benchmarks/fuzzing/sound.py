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
SIDE_FILES = ("side.mtl", "side.png", "side.bin", "large.png")  # beside them, which they may refer to


def write_sound(folder: Path) -> dict[str, list[Path]]:
    """Sound files by door, and beside them the side files."""
    found: dict[str, list[Path]] = {}
    for door, write in WRITERS.items():
        (folder / door).mkdir()
        write(folder / door)
        found[door] = sorted(path for path in (folder / door).iterdir() if path.name not in SIDE_FILES)
    return found


def write_side_files(folder: Path) -> None:
    """A material, its texture, a large one of few bytes and a buffer, for files that name them."""
    from PIL import Image

    (folder / "side.mtl").write_text("newmtl m\nKd 0.5 0.2 0.1\nmap_Kd side.png\n", encoding="ascii")
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(folder / "side.png")
    Image.new("1", (2048, 2048)).save(folder / "large.png")
    (folder / "side.bin").write_bytes(np.arange(64, dtype="<f4").tobytes())


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


# how files are read (see `doors`) -> what writes sound ones
WRITERS: dict[str, Callable[[Path], None]] = {
    "shape": _write_shapes,
    "store": _write_stores,
    "known": _write_known,
    "detector": _write_detectors,
    "threshold": _write_thresholds,
    "registry": _write_registries,
    "checkpoint": _write_checkpoints,
    "list": _write_lists,
}

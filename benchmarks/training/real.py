"""Real shapes of `evaluate_tiny --real DIR`, and an encoder's figures on them.

`real.toml` maps file names to classes and sources. No training uses these shapes. The files are measured directly, and
meshes also through the simulated scanner, which gives several clouds per mesh.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.threedos import generated
from benchmarks.threedos.splits import load_split
from openshape_ood import KnownClasses, ShapeEncoder, TextEncoder
from openshape_ood.errors import InputError
from openshape_ood.scoring import default_method, judge
from openshape_ood.shapes.formats import SUFFIXES
from openshape_ood.shapes.reading import file_up
from openshape_ood.shapes.shape import SURFACES
from openshape_ood.synthetic import scan
from openshape_ood.synthetic.mesh import Mesh

TABLES = Path(__file__).with_name("real.toml")
EXTENT = 1.2  # diagonal in meters that meshes are scaled to
SCANS, DRAWS = 10, 100  # scans per mesh; random halves of known names


def real_files(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> list[tuple[Path, str, str]]:
    """Shapes in a folder that are in `real.toml`: file, class and up axis."""
    tables = tomllib.loads(TABLES.read_text(encoding="utf-8"))
    named = (p for p in sorted(folder.rglob("*")) if p.stem in tables["is"] and p.suffix.lower() in suffixes)
    files = [(p, tables["is"][p.stem], tables["up"].get(p.stem, file_up(p))) for p in named]
    if not files:
        raise InputError(f"{folder} has none of the shapes in benchmarks/training/real.toml; expected some of them")
    return files


def real_meshes(folder: Path) -> dict[str, list[Mesh]]:
    """Class -> meshes in a folder, y up."""
    import trimesh

    meshes: dict[str, list[Mesh]] = {}
    for path, name, up in real_files(folder, SURFACES):
        whole: Any = trimesh.load_scene(path, skip_materials=True).to_geometry()
        if not len(getattr(whole, "faces", ())):
            continue
        xyz = np.asarray(whole.vertices) * EXTENT / np.linalg.norm(np.ptp(whole.vertices, axis=0))
        if up == "z":
            xyz = np.stack([xyz[:, 0], xyz[:, 2], -xyz[:, 1]], axis=1)
        mesh = Mesh(xyz, np.asarray(whole.faces), np.zeros(len(whole.faces), dtype=np.int64))
        meshes.setdefault(name, []).append(mesh.grounded())
    return meshes


def figures(folder: Path, encoder: ShapeEncoder, text: TextEncoder) -> dict[str, Any]:
    """Accuracy among all names, and AUROC with half of them known, for the files and for scans of their meshes."""
    files = real_files(folder)
    labels = np.array([name for _, name, _ in files])
    names = sorted(set(labels))
    queries = encoder.encode([path for path, _, _ in files], up=[up for _, _, up in files])
    nearest = nearest_names(queries, names, text)
    meshes = [(name, mesh) for name, each in real_meshes(folder).items() for mesh in each]
    clouds = [scan(mesh, 2048, i, severity=generated.SEVERITY) for _, mesh in meshes for i in range(SCANS)]
    of_scans = np.repeat([name for name, _ in meshes], SCANS)
    scans = encoder.encode(clouds, up="y")
    return {
        "classes": len(names),
        "shapes": len(files),
        "accuracy": float(np.mean(nearest == labels)),
        "auroc": half_known(queries, labels, text),
        "benchmark": benchmark_classes(queries, labels, text),
        "scans": len(scans),
        "scans_accuracy": float(np.mean(nearest_names(scans, names, text) == of_scans)),
        "scans_auroc": half_known(scans, of_scans, text),
        "each": [{"file": p.name, "is": name, "found": str(f)} for (p, name, _), f in zip(files, nearest, strict=True)],
    }


def nearest_names(queries: np.ndarray, names: Sequence[str], text: TextEncoder) -> np.ndarray:
    known = KnownClasses.from_names(list(names), text)
    return np.array(names)[judge(queries, known, default_method(known)).nearest]


def half_known(queries: np.ndarray, labels: np.ndarray, text: TextEncoder) -> float:
    """Mean AUROC over draws; in each draw a random half of the names is known."""
    names, areas = np.unique(labels), []
    for draw in range(DRAWS):
        kept = np.random.RandomState(draw).permutation(len(names))[: len(names) // 2]
        known = KnownClasses.from_names(names[kept].tolist(), text)
        novelty = judge(queries, known, default_method(known)).novelty
        areas.append(roc_auc_score(~np.isin(labels, names[kept]), novelty))
    return float(np.mean(areas))


def benchmark_classes(queries: np.ndarray, labels: np.ndarray, text: TextEncoder) -> dict[str, Any]:
    """Accuracy among the classes of 3DOS only."""
    splits = [load_split(name) for name in ("sr1", "sr2")]
    classes = {g for s in splits for c in s.known + s.novel2 for g in c.generated}
    kept = np.isin(labels, sorted(classes))
    names = sorted(set(labels[kept]))
    right = nearest_names(queries[kept], names, text) == labels[kept] if names else np.zeros(0, dtype=bool)
    return {"classes": len(names), "shapes": int(kept.sum()), "accuracy": float(right.mean()) if names else None}

"""What can be downloaded: the colored cloud as PLY, all figures as JSON."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

from openshape_ood.app.surfaces import Compared
from openshape_ood.app.verdicts import RoomVerdict, ShapeVerdict, Shown
from openshape_ood.scenes import SceneResult, save_scene
from openshape_ood.storage import save_whole
from openshape_ood.views.completion import CompletedView


def save_results(verdict: Shown | CompletedView | Compared, root: Path, color: str = "novelty") -> tuple[Path, Path]:
    """Write the PLY and the JSON into a new folder below `root` whose name cannot be guessed.

    color: of `pictures.COLORS_OF_ROOMS`, for a room.
    """
    folder = root / secrets.token_hex(16)
    folder.mkdir(mode=0o700, parents=True)
    if isinstance(verdict, CompletedView):
        stem, told = safe_stem(verdict.view.name), verdict.as_json()
        cloud = verdict.novelty.save(folder / f"{stem}.novelty.ply")
    elif isinstance(verdict, Compared):
        stem, told = safe_stem(verdict.result.name), verdict.as_json()
        cloud = verdict.result.map.save(folder / f"{stem}.novelty.ply")
    elif isinstance(verdict, RoomVerdict):
        stem, told = safe_stem(verdict.scene.scene.name), _report_of_room(verdict)
        cloud = _save_room(verdict.scene, folder / f"{stem}.{color}.ply", color)
    else:
        stem, told = safe_stem(verdict.shape.name), report(verdict)
        cloud = verdict.novelty_map.save(folder / f"{stem}.novelty.ply")
    figures = json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)
    return cloud, save_whole(folder / f"{stem}.novelty.json", figures.encode("utf-8"), "the figures")


def _save_room(found: SceneResult, path: Path, color: str) -> Path:
    """With novelties, or with labels and objects."""
    if color == "novelty":
        return found.map.save(path)
    return save_scene(found.painted()[0], path, color="instance" if color == "object" else "label")


def _report_of_room(verdict: RoomVerdict) -> dict[str, Any]:
    """labels: what those of the PLY mean."""
    examples = {name: len(own) for name, own in verdict.session.known().items()}
    labels = {str(label): name for label, name in verdict.scene.painted()[1].items()}
    own = {"examples": examples, "calibrated_on": verdict.basis.kind or None, "remarks": verdict.remarks}
    return {**verdict.scene.as_json(), **own, "labels": labels}


def remove_results(folder: str) -> None:
    """Forget what `save_results` wrote."""
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def safe_stem(name: str) -> str:
    """A file name without its suffix, of plain letters, digits, dots, dashes and underscores.

    >>> safe_stem("../my chair<b>.v2.glb"), safe_stem("..")
    ('my_chair_b_.v2', 'shape')
    """
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(name).stem)[:60].lstrip(".")
    return stem or "shape"


def report(verdict: ShapeVerdict) -> dict[str, Any]:
    """Every figure on the page, for machines."""
    session = verdict.session
    record, found, patches = verdict.result.as_json(), verdict.novelty_map, verdict.novelty_map.patches
    rows = [{**row, "shape": shape.name} for row, shape in zip(record.pop("shapes"), session.shapes, strict=True)]
    several = {"shapes": [rows[i] for i in verdict.order()]} if len(rows) > 1 else {}
    return {
        **record,
        "examples": {name: len(examples) for name, examples in session.known().items()},
        "calibrated_on": verdict.basis.kind or None,
        **several,
        "failures": {failure.source: failure.error for failure in session.failures},
        **rows[verdict.shown],
        "points": len(verdict.shape.cloud),
        "novelty_map": {
            "by": found.provenance.method,
            "compared": verdict.compared,
            "colors": [float(bound) for bound in found.bounds()],
            "patch_centers": patches.centers.round(6).tolist() if patches else [],
            "patch_novelty": patches.novelty.astype(float).round(6).tolist() if patches else [],
            "patch_nearest": patches.nearest.tolist() if patches else [],
        },
    }

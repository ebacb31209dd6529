"""Downloads: the colored cloud as PLY, and all values of a result as JSON."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from pathlib import Path

from openshape_ood.app.surface_tab import SurfaceVerdict
from openshape_ood.app.verdicts import ScanVerdict, ShapeVerdict
from openshape_ood.app.view_tab import ViewVerdict
from openshape_ood.scenes import save_scene
from openshape_ood.storage import save_whole

Shown = ShapeVerdict | ScanVerdict | ViewVerdict | SurfaceVerdict  # results that the page draws


def save_results(shown: Shown, root: Path, color: str = "novelty") -> tuple[Path, Path]:
    """Write PLY and JSON to a new folder with a random name in `root`, and return both paths.

    color: for a scan, one of `pictures.COLORS_OF_SCANS`.
    """
    folder, stem = root / secrets.token_hex(16), safe_stem(shown.name)
    folder.mkdir(mode=0o700, parents=True)
    if isinstance(shown, ScanVerdict) and color != "novelty":
        by = "instance" if color == "object" else "label"
        cloud = save_scene(shown.scene.painted()[0], folder / f"{stem}.{color}.ply", color=by)
    else:
        cloud = shown.map.save(folder / f"{stem}.novelty.ply")
    figures = json.dumps(shown.as_json(), indent=2, ensure_ascii=False, allow_nan=False)
    return cloud, save_whole(folder / f"{stem}.novelty.json", figures.encode("utf-8"), "the figures")


def remove_results(folder: Path) -> None:
    """Remove a folder of `save_results`."""
    shutil.rmtree(folder, ignore_errors=True)


def safe_stem(name: str) -> str:
    """File name without suffix, reduced to letters, digits, dots, dashes and underscores.

    >>> safe_stem("../my chair<b>.v2.glb"), safe_stem("..")
    ('my_chair_b_.v2', 'shape')
    """
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(name).stem)[:60].lstrip(".")
    return stem or "shape"

"""What can be downloaded: the colored cloud as PLY, all figures as JSON."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

from openshape_ood.app.scoring import COVERAGE, SCANS, Verdict
from openshape_ood.app.session import Session
from openshape_ood.storage import save_whole


def save_results(verdict: Verdict, session: Session, root: Path) -> tuple[Path, Path]:
    """Write the PLY and the JSON into a new folder below `root` whose name cannot be guessed."""
    folder = root / secrets.token_hex(16)
    folder.mkdir(mode=0o700, parents=True)
    stem = safe_stem(verdict.shape.name)
    cloud = verdict.novelty_map.save(folder / f"{stem}.novelty.ply")
    figures = json.dumps(report(verdict, session), indent=2, ensure_ascii=False, allow_nan=False)
    return cloud, save_whole(folder / f"{stem}.novelty.json", figures.encode("utf-8"), "the figures")


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


def report(verdict: Verdict, session: Session) -> dict[str, Any]:
    """Every figure on the page, for machines."""
    result, found = verdict.result, verdict.novelty_map
    return {
        "shape": verdict.shape.name,
        "points": len(verdict.shape.cloud),
        "up": result.up[0],
        "encoder": result.encoder,
        "checkpoint_hash": result.checkpoint_hash,
        "method": result.method,
        "known": {name: {"examples": len(examples)} for name, examples in session.known().items()},
        "nearest": verdict.nearest,
        "similarity": dict(verdict.ranked()),
        "novelty": verdict.novelty,
        "verdict": None if verdict.is_novel is None else "novel" if verdict.is_novel else "known",
        "p_value": verdict.p_value,
        "calibration": None if verdict.calibration is None else _calibration(verdict),
        "novelty_map": {
            "by": found.provenance.method,
            "compared": verdict.compared,
            "colors": [float(bound) for bound in found.bounds()],
            "patch_centers": found.patches.centers.round(6).tolist(),
            "patch_novelty": found.patches.novelty.astype(float).round(6).tolist(),
            "patch_nearest": found.patches.nearest.tolist(),
        },
    }


def _calibration(verdict: Verdict) -> dict[str, Any]:
    limits = verdict.calibration
    if limits is None:
        return {}
    return {
        "on": f"{SCANS} generated {limits.origin}s a class",
        "shapes": len(limits.scores),
        "coverage": COVERAGE,
        "threshold": limits.threshold,
    }

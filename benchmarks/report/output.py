"""Output files of a run: JSON, Markdown report, picture, failure page, and a table of all shapes."""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.threedos.recipes import SEEDS
from benchmarks.threedos.results import Finished
from openshape_ood.registry.names import find_checkpoint, is_registered
from openshape_ood.registry.rows import PACKAGE
from openshape_ood.storage import csv_cell, replacing

REGISTRY = PACKAGE / "checkpoints.toml"
LICENCE = "Apache-2.0"  # of files made from generated shapes


def stem(finished: Finished) -> str:
    """File name of a run without suffix: benchmark, model, protocol, data, and settings that are not the default."""
    report, identity = finished.report, finished.report["provenance"]["identity"]
    usual = {"num_samples": 1, "seeds": list(SEEDS), "data_seed": 0, "per_class": 60, "draws": 1000, "shots": None}
    data = "generated" if finished.data.generated else "3dos"
    words = [finished.split.name, finished.model, finished.protocol, data]
    for name, value in usual.items():
        given = report["settings"][name]
        if given not in (None, value):
            words += [name.replace("_", "-"), *map(str, given if isinstance(given, list) else [given])]
    words += ["no-names"] if report["text"] is None else []
    # a checkpoint that is not in the packaged registry, with this hash and these sizes, adds its hash
    row = find_checkpoint(finished.model, REGISTRY) if is_registered(finished.model, REGISTRY) else None
    sizes = {"name": row.architecture, **asdict(row.sizes)} if row else None
    if row is None or (row.source.sha256, sizes) != (identity["sha256"], report["architecture"]):
        words.append(identity["sha256"][:8])
    return "-".join(words)


def write_all(out: Path, finished: Finished, pictures: bool = True) -> list[Path]:
    """Write <stem>.json and .md to `out` and all other files to the folder <stem>; each write is atomic.

    Returns the paths that the command prints.
    """
    from benchmarks.report.markdown import write_report

    folder = out / stem(finished)
    figures = write_json(out / f"{folder.name}.json", finished.report)
    drawn = write_shapes(folder, finished, pictures)
    links = {title: path.relative_to(out).as_posix() for title, path in drawn.items()}
    report = write_report(dict(finished.report), out / f"{folder.name}.md", links)
    return [figures, report, *([drawn["Overview"], folder / "failures.html"] if drawn else [])]


def write_shapes(folder: Path, finished: Finished, pictures: bool = True) -> dict[str, Path]:
    """Write `objects.csv`, `overview.png` and `failures.html` into a folder; returns title -> picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("overview.png", "failures.html", "objects.csv"):  # files of an earlier run
        (folder / name).unlink(missing_ok=True)
    write_objects(folder / "objects.csv", finished)
    if not pictures:
        return {}
    from benchmarks.report.failures import write_failure_page
    from benchmarks.report.pictures.run import overview
    from openshape_ood.plots import save

    drawn = save(overview(finished), folder / "overview.png")
    write_failure_page(folder, finished)
    return {"Overview": drawn}


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    """Write a result atomically, with the versions of Python, torch and numpy; returns `path`.

    `content["versions"]` may add versions of further packages.
    """
    versions = package_versions() | dict(content.get("versions", {}))
    with replacing(path) as partial:
        partial.write_text(json.dumps({**content, "versions": versions}, indent=2) + "\n", encoding="utf-8")
    return path


def check_out(path: Path) -> None:
    """Exit with an error if `path` is inside the package, so that no file of the library is replaced."""
    if path.resolve().is_relative_to(PACKAGE.resolve().parent):
        raise SystemExit(f"error: --out {path} is inside the package; expected another path. Copy the file afterwards")


def package_versions() -> dict[str, str]:
    """Versions of Python, torch and numpy."""
    import numpy as np
    import torch  # not at the top, because reader processes import this module without torch

    return {"python": platform.python_version(), "torch": str(torch.__version__), "numpy": str(np.__version__)}


def write_objects(path: Path, finished: Finished) -> Path:
    """Write one row per shape, seed and method: set, class, novelty, nearest known class."""
    known = [c.title for c in finished.data.known]
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["set", "id", "class", "seed", "known by", "novelty", "nearest class"])
        for result in finished.results:
            for seed, sets in zip(finished.seeds, result.scored, strict=True):
                for name, of in sets.items():
                    scored = zip(finished.data.sets[name].shapes, of.novelty, of.nearest, strict=True)
                    for shape, novelty, nearest in scored:
                        words = (name, shape.id, shape.title, seed, result.known_by)
                        rows.writerow([*map(csv_cell, words), f"{novelty:.6f}", csv_cell(known[nearest])])
    return path

"""What a run leaves behind: JSON, report, pictures, failure page, a table of every shape."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.threedos.recipes import SEEDS
from benchmarks.threedos.results import Finished
from openshape_ood.registry.rows import PACKAGE, find_checkpoint, list_checkpoints
from openshape_ood.storage import replacing

REGISTRY = PACKAGE / "checkpoints.toml"
PICTURES = ("overview.png", "histograms.png", "roc.png", "confusion.png", "embeddings.png", "failures.png")


def stem(finished: Finished) -> str:
    """Names a run's files: what was run, and every setting that is not the usual one."""
    report = finished.report
    settings, split = report["settings"], finished.split.name
    usual = {"num_samples": 1, "seeds": list(SEEDS), "data_seed": 0, "per_class": 60}
    words = [split, finished.model, finished.protocol, "generated" if finished.data.generated else "3dos"]
    for name, value in usual.items():
        if settings[name] not in (None, value):
            values = settings[name] if isinstance(settings[name], list) else [settings[name]]
            words.append(f"{name.replace('_', '-')}-{'-'.join(map(str, values))}")
    if report["text"] is None:
        words.append("no-names")
    if not _is_registered(report):
        words.append(report["provenance"]["identity"]["sha256"][:8])
    return "-".join(words)


def _is_registered(report: Mapping[str, Any]) -> bool:
    """Whether the packaged registry has just this checkpoint, with these sizes."""
    if report["provenance"]["identity"]["checkpoint"] not in list_checkpoints(REGISTRY):
        return False
    row = find_checkpoint(report["provenance"]["identity"]["checkpoint"], REGISTRY)
    sizes = {"name": row.architecture, **asdict(row.sizes)}
    return (row.source.sha256, sizes) == (report["provenance"]["identity"]["sha256"], report["architecture"])


def write_all(out: Path, finished: Finished, pictures: bool = True) -> list[Path]:
    """<stem>.json and .md in `out`, the rest in a folder beside them; each whole or not at all. The ones to look at.

    What an earlier run of that name left in the folder is removed first, so that nothing of it stands beside this.
    """
    from benchmarks.report.markdown import write_report

    folder = out / stem(finished)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*PICTURES, "failures.html", "objects.csv"):
        (folder / name).unlink(missing_ok=True)
    figures = write_json(out / f"{folder.name}.json", finished.report)
    write_objects(folder / "objects.csv", finished)
    drawn = _draw(folder, finished) if pictures else {}
    links = {title: path.relative_to(out).as_posix() for title, path in drawn.items()}
    report = write_report(dict(finished.report), out / f"{folder.name}.md", links)
    return [figures, report, *([drawn["Overview"], folder / "failures.html"] if drawn else [])]


def _draw(folder: Path, finished: Finished) -> dict[str, Path]:
    """Title -> picture; and the page of failures."""
    from benchmarks.report.failures import draw_failures, write_failure_page
    from benchmarks.report.pictures.run import draw_all

    drawn = draw_all(folder, finished) | {"Failures": draw_failures(folder, finished)}
    write_failure_page(folder, finished)
    return drawn


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    """Write what a JSON file can hold, whole or not at all; returns `path`."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


def write_objects(path: Path, finished: Finished) -> Path:
    """A row a shape, seed and method: its set, class, novelty, and what it was taken for."""
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["set", "id", "class", "seed", "known by", "novelty", "nearest class"])
        rows.writerows(_rows(finished))
    return path


def _rows(finished: Finished) -> Iterator[tuple[str | int, ...]]:
    known = [c.title for c in finished.data.known]
    for result in finished.results:
        for seed, sets in zip(finished.seeds, result.scored, strict=True):
            for name, scored in sets.items():
                for shape, novelty, nearest in zip(
                    finished.data.sets[name].shapes, scored.novelty, scored.nearest, strict=True
                ):
                    yield name, shape.id, shape.title, seed, result.known_by, f"{novelty:.6f}", known[nearest]

"""What a run leaves behind: JSON, report, pictures, failure page, a table of every shape."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.results import Finished


def stem(finished: Finished) -> str:
    data = "generated" if finished.data.generated else "3dos"
    return f"{finished.split.name}-{finished.model}-{finished.protocol}-{data}"


def write_all(out: Path, finished: Finished, pictures: bool = True) -> list[Path]:
    """<stem>.json and .md in `out`, the rest in a folder beside them; each whole or not at all. The ones to look at."""
    from benchmarks.report import write_report

    folder = out / stem(finished)
    folder.mkdir(parents=True, exist_ok=True)
    figures = write_json(out / f"{folder.name}.json", finished.report)
    write_objects(folder / "objects.csv", finished)
    drawn = _draw(folder, finished) if pictures else {}
    links = {title: path.relative_to(out).as_posix() for title, path in drawn.items()}
    report = write_report(dict(finished.report), out / f"{folder.name}.md", links)
    return [figures, report, *([drawn["Overview"], folder / "failures.html"] if drawn else [])]


def _draw(folder: Path, finished: Finished) -> dict[str, Path]:
    """Title -> picture; and the page of failures."""
    from benchmarks.failures import draw_failures, write_failure_page
    from benchmarks.pictures import draw_all

    drawn = draw_all(folder, finished) | {"Failures": draw_failures(folder, finished)}
    write_failure_page(folder, finished)
    return drawn


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)
    return path


def write_objects(path: Path, finished: Finished) -> Path:
    """A row a shape, seed and method: its set, class, novelty, and what it was taken for."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["set", "id", "class", "seed", "known by", "novelty", "nearest class"])
        rows.writerows(_rows(finished))
    os.replace(partial, path)
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

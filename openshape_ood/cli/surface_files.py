"""What `surface score` writes: tables, a map over each image, a colored cloud and a picture of each cloud."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openshape_ood.cli.console import Failure, as_json, print_line, print_note, print_table
from openshape_ood.storage import save_whole

if TYPE_CHECKING:
    from openshape_ood.cli.judging import Judge
    from openshape_ood.reconstruction import SurfaceModel, SurfaceResult
    from openshape_ood.reconstruction.inputs import Source

TABLE = ("file", "novelty", "p_value", "verdict", "beyond", "unseen")
CLASS = ("class", "class_novelty", "class_p_value", "class_verdict")


@dataclass
class Scored:
    """rows: a record a file, the most novel first; ids: where in `out` the maps of each are."""

    ids: dict[str, str]
    out: Path | None
    rows: list[dict[str, Any]] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    asked: bool = False

    @classmethod
    def of(cls, sources: Sequence[Source], out: Path | None) -> Scored:
        return cls(_ids([one.name for one in sources]), None if out is None else out.expanduser())

    def add(self, source: Source, model: SurfaceModel, judge: Judge | None) -> None:
        """Score one, and write its maps."""
        to = None if self.out is None else self.out / "maps" / self.ids[source.name]
        if to is not None:
            to.parent.mkdir(parents=True, exist_ok=True)
        own: list[Path] = []
        if source.is_large and model.data.kind == "sheets" and to is not None:
            own.append(to.with_name(f"{to.name}.ply"))
            result = model.score_file(source.value, own[0])
        else:
            result = model.score(source)
            if to is not None:
                suffix = ".png" if result.map.elements.kind == "pixels" else ".ply"
                own.append(result.map.save(to.with_name(to.name + suffix)))
        if to is not None:
            own += _picture(result, to)
        row = {"file": source.name, **result.as_json(), "tells": result.map.tells}
        del row["name"]
        if judge is not None:
            row |= _of_class(source, judge)
        self.rows.append({**row, "maps": own})
        self.written += own

    def finish(self, model: dict[str, Any], judge: Judge | None, failures: Sequence[Failure]) -> None:
        """Sort, and write the tables."""
        self.asked = judge is not None
        self.rows.sort(key=lambda row: -row["novelty"])
        classes = judge and {
            "names": list(judge.classes.names),
            "provenance": judge.provenance.as_json(),
            "threshold": judge.threshold and judge.threshold.as_json(),
        }
        self.record = {"model": model, "classes": classes, "files": self.rows}
        self.record |= {"failed": [asdict(one) for one in failures], "written": self.written}
        if self.out is not None and (self.rows or failures):
            self.out.mkdir(parents=True, exist_ok=True)
            for name, content in (("scores.csv", self._csv(failures)), ("scores.json", as_json(self.record))):
                path = self.out / name
                self.written.append(save_whole(path, content.encode("utf-8", errors="surrogateescape"), "the table"))

    def print(self) -> None:
        if not self.rows:
            return
        print_table(self.rows, [*TABLE, *(name for name in CLASS if self._has(name))], fold="file")
        damaged = sum(row["verdict"] == "damaged" for row in self.rows)
        print_line(f"{damaged} damaged, {len(self.rows) - damaged} good")
        if self.asked:
            print_line("two questions, answered apart: verdict is of the surface, class_verdict of the class")
        if not all(row["tells"] for row in self.rows):
            print_note(
                "note: of some nearly every place is beyond the threshold: other things, or in another pose", "yellow"
            )

    def _has(self, name: str) -> bool:
        return any(row.get(name) is not None for row in self.rows)

    def _csv(self, failures: Sequence[Failure]) -> str:
        """A line a file, those that failed last."""
        buffer = io.StringIO()
        columns = [*TABLE, *(CLASS if self.asked else ()), "error"]
        writer = csv.DictWriter(buffer, columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        writer.writerows({"file": one.file, "error": one.reason} for one in failures)
        return buffer.getvalue()


def _of_class(source: Source, judge: Judge) -> dict[str, Any]:
    """The other question's answer."""
    from openshape_ood.reconstruction.examination import class_of
    from openshape_ood.shapes.reading import file_up

    up = judge.reading.up
    if up == "file":
        up = "y" if source.path is None else file_up(source.path)
    told = class_of(
        source, judge.classes, judge.encoders.shape, up=up, method=judge.method,
        threshold=judge.threshold, **judge.reading.settings,
    ).as_json()["shapes"][0]  # fmt: skip
    names = {"class": "nearest", "class_novelty": "novelty", "class_p_value": "p_value", "class_verdict": "verdict"}
    return {name: told[of] for name, of in names.items()}


def _picture(result: SurfaceResult, to: Path) -> list[Path]:
    """Of a cloud; an image's map is one already."""
    if result.map.elements.kind == "pixels":
        return []
    if find_spec("matplotlib") is None:
        print_note("no pictures of clouds: these need pip install 'openshape-ood[plots]'", "yellow")
        return []
    from openshape_ood import plots

    return [plots.save(result.map.plot(), to.with_name(f"{to.name}.png"))]


def _ids(names: Sequence[str]) -> dict[str, str]:
    """Paths without suffix below the folder that all have in common; with it where two would be one.

    >>> _ids(["a/crack/000.png", "a/good/000.png"]) == {"a/crack/000.png": "crack/000", "a/good/000.png": "good/000"}
    True
    """
    folders = [os.path.dirname(os.path.abspath(name)) for name in names]
    root = os.path.commonpath(folders)
    inside = [os.path.relpath(os.path.abspath(name), root) for name in names]
    plain = [os.path.splitext(one)[0] for one in inside]
    count = Counter(plain)
    return {name: one if count[p] > 1 else p for name, one, p in zip(names, inside, plain, strict=True)}

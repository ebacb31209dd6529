"""What `surface score` writes: tables, a map over each image, a colored cloud and a picture of each cloud."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from openshape_ood.cli.console import Failure, as_json, failed_json, print_line, print_note, print_table
from openshape_ood.cli.judging import as_json as described
from openshape_ood.cli.outputs import can_draw, csv_text, save_text
from openshape_ood.storage import make_folder

if TYPE_CHECKING:
    from openshape_ood.novelty import NoveltyPipeline
    from openshape_ood.surfaces import SurfaceModel
    from openshape_ood.surfaces.inputs import Source

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

    @classmethod
    def of(cls, sources: Sequence[Source], out: Path | None) -> Scored:
        return cls(_ids([one.name for one in sources]), None if out is None else out.expanduser())

    def add(self, source: Source, model: SurfaceModel, pipeline: NoveltyPipeline | None) -> None:
        """Score one, and write its maps."""
        own: list[Path] = []
        in_blocks = source.is_large and model.data.kind == "sheets"
        if self.out is None and in_blocks:
            with TemporaryDirectory(prefix="openshape_ood-") as folder:
                result = model.score_file(source.value, Path(folder) / "scored.ply")
        elif self.out is None:
            result = model.score(source)
        else:
            to = make_folder((self.out / "maps" / self.ids[source.name]).parent) / Path(self.ids[source.name]).name
            cloud, picture = to.with_name(f"{to.name}.ply"), to.with_name(f"{to.name}.png")
            if in_blocks:
                own, result = [cloud], model.score_file(source.value, cloud)
            else:
                result = model.score(source)
                own = [result.map.save(picture if model.data.kind == "images" else cloud)]
            if model.data.kind != "images" and can_draw():
                from openshape_ood import plots

                own.append(plots.save(result.map.plot(), picture))
        row = {"file": source.name, **result.as_json(), "tells": result.map.tells}
        del row["name"]
        if pipeline is not None:
            row |= _of_class(source, pipeline)
        self.rows.append({**row, "maps": own})
        self.written += own

    @property
    def asked(self) -> bool:
        """Whether it was also asked of which class each is."""
        return self.record["classes"] is not None

    def finish(self, model: dict[str, Any], pipeline: NoveltyPipeline | None, failures: Sequence[Failure]) -> None:
        """Sort, and write the tables: a line a file, those that failed last."""
        self.rows.sort(key=lambda row: -row["novelty"])
        classes = pipeline and described(pipeline, pipeline.provenance)
        if classes:
            classes["names"] = classes.pop("classes")
        self.record = {"model": model, "classes": classes, "files": self.rows}
        self.record |= {"failed": failed_json(failures), "written": self.written}
        if self.out is not None and (self.rows or failures):
            columns = [*TABLE, *(CLASS if self.asked else ()), "error"]
            lines = [*self.rows, *({"file": one.source, "error": one.error} for one in failures)]
            folder = make_folder(self.out)
            for name, content in (("scores.csv", csv_text(columns, lines)), ("scores.json", as_json(self.record))):
                self.written.append(save_text(folder / name, content))

    def print(self) -> None:
        if not self.rows:
            return
        said = [name for name in CLASS if any(row.get(name) is not None for row in self.rows)]
        print_table(self.rows, [*TABLE, *said], fold="file")
        damaged = sum(row["verdict"] == "damaged" for row in self.rows)
        print_line(f"{damaged} damaged, {len(self.rows) - damaged} good")
        if self.asked:
            print_line("two questions, answered apart: verdict is of the surface, class_verdict of the class")
        if not all(row["tells"] for row in self.rows):
            print_note(
                "note: of some nearly every place is beyond the threshold: other things, or in another pose", "yellow"
            )


def _of_class(source: Source, pipeline: NoveltyPipeline) -> dict[str, Any]:
    """The answer to the other question: of which class it is."""
    from openshape_ood.surfaces.examination import class_of

    (row,) = class_of(source, replace(pipeline, errors="raise")).as_json()["shapes"]
    names = {"class": "nearest", "class_novelty": "novelty", "class_p_value": "p_value", "class_verdict": "verdict"}
    return {name: row[of] for name, of in names.items()}


def _ids(names: Sequence[str]) -> dict[str, str]:
    """Paths without suffix below the folder that all have in common; with it where two would be one.

    >>> _ids(["a/crack/000.png", "a/good/000.png"]) == {"a/crack/000.png": "crack/000", "a/good/000.png": "good/000"}
    True
    >>> list(_ids(["a.png", "a.bmp", "a.png.bmp"]).values())
    ['a.png', 'a.bmp', 'a.png.bmp']
    """
    folders = [os.path.dirname(os.path.abspath(name)) for name in names]
    root = os.path.commonpath(folders)
    inside = [os.path.relpath(os.path.abspath(name), root) for name in names]
    found, before = [os.path.splitext(one)[0] for one in inside], list[str]()
    while found != before:  # one that gets its suffix may be what another is without
        before, count = found, Counter(found)
        found = [one if count[short] > 1 else short for one, short in zip(inside, before, strict=True)]
    return dict(zip(names, found, strict=True))

"""SceneResult: the scored objects of a scan, most novel first, and their output as table, map and files."""

from __future__ import annotations

import html
import json
import os
import re
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from openshape_ood.checks import words
from openshape_ood.encoders.protocols import Provenance
from openshape_ood.errors import FileError
from openshape_ood.novelty.result import NoveltyResult, data_frame, html_table
from openshape_ood.novelty_map import Elements, NoveltyMap
from openshape_ood.scenes.boxes import Box
from openshape_ood.scenes.proposals import Proposals
from openshape_ood.scenes.saving import save_scene
from openshape_ood.scenes.scene import Scene
from openshape_ood.shapes.formats.pcd import pcd_bytes
from openshape_ood.storage import make_folder, save_whole

LAYOUT, LEFT = "layout", "left over"
NOVEL = "new"
LISTED = 30
COLUMNS = ("object", "name", "novelty", "p_value", "verdict", "stability", "points", "size", "center", "points_agree")


@dataclass(frozen=True, eq=False)
class SceneObject:
    """A scored proposal.

    Attributes
    ----------
    number : int
        From 1, most novel first. `SceneResult.numbers` has it for the points whose innermost object this is.
    rows : (m,) int64
        Indices of the object's points in the scan, sorted; objects may share points.
    box : Box
    nearest : str
        Nearest known class.
    name : str
        The nearest class, or "new" beyond the threshold.
    similarity, novelty : float
    verdict : {"known", "novel", "unsure"} or None
        None without a threshold.
    p_value : float or None
    proposal : int
        Index of the proposal, from 0; the same row of `SceneResult.result` has its scores.
    stability : float or None
        Reproducibility, 0 to 1; None if `Proposals.stability` is None.
    part_of : int or None
        Number of the smallest larger object that contains at least 80 % of this object's points.
    agreement : float or None
        Fraction of the object's points whose nearest class in the map is `nearest`; None without a map of points.
    point_novelty : float or None
        Mean novelty of the object's points in the map.
    """

    number: int
    rows: np.ndarray
    box: Box
    nearest: str
    name: str
    similarity: float
    novelty: float
    verdict: str | None
    p_value: float | None
    proposal: int
    stability: float | None = None
    part_of: int | None = None
    agreement: float | None = None
    point_novelty: float | None = None

    def as_json(self) -> dict[str, Any]:
        record = {"object": self.number, "points": len(self.rows), "box": self.box.as_json()}
        # the remaining fields: text and numbers
        return record | {one.name: getattr(self, one.name) for one in fields(self)[3:]}


@dataclass(frozen=True, eq=False)
class SceneResult:
    """Result of `score_scene` for a scan of n points. Iterates over its objects, most novel first.

    Attributes
    ----------
    scene : Scene
    objects : tuple of SceneObject
        Most novel first.
    numbers : (n,) int64
        Object number of each point; -1 for layout, 0 for leftover points, which belong to neither.
    proposals : Proposals
        Proposals, with the planes that were removed as layout.
    result : NoveltyResult
        Scores of the proposals in their order: row i is proposal i, and its name is "object N" for object number N. Use
        it, not `objects`, to compare with labels of your masks.
    """

    scene: Scene
    objects: tuple[SceneObject, ...]
    numbers: np.ndarray
    proposals: Proposals
    result: NoveltyResult

    @property
    def provenance(self) -> Provenance:
        return self.result.provenance

    def __len__(self) -> int:
        return len(self.objects)

    def __iter__(self) -> Any:
        return iter(self.objects)

    @cached_property
    def map(self) -> NoveltyMap:
        """Novelty map of the points: each has the nearest class and the novelty of its object.

        Leftover points and layout are two further classes. They are not scored. Their novelty is the lowest of any
        object, and at most the threshold, so they are gray and form no region.
        """
        result, classes = self.result, words([*map(str, self.result.classes), LEFT, LAYOUT])
        least = float(result.novelty.min()) if len(self) else 0.0
        if result.threshold is not None:
            least = min(least, float(result.threshold.value))
        # indexed by object number; 0 is leftover, the last (-1) layout
        novelty = np.array([least, *(one.novelty for one in self.objects), least])
        nearest = words([LEFT, *(one.nearest for one in self.objects), LAYOUT])
        return NoveltyMap(
            elements=Elements("points", self.scene.points),
            novelty=novelty[self.numbers],
            nearest=nearest[self.numbers],
            classes=classes,
            baseline=float(np.median(result.threshold.scores)) if result.threshold and result.threshold.n else np.nan,
            threshold=result.threshold,
            provenance=result.provenance,
            name=self.scene.name,
            up="z",
        )

    def painted(self) -> tuple[Scene, dict[int, str]]:
        """Copy of the scan with names as labels and objects as instances, and the names by label."""
        names = [*dict.fromkeys((*map(str, self.result.classes), NOVEL)), LEFT, LAYOUT]
        of = [names.index(LEFT), *(names.index(one.name) for one in self.objects), names.index(LAYOUT)]
        scene = replace(self.scene, labels=np.array(of)[self.numbers] + 1, instances=np.maximum(self.numbers, 0))
        return scene, dict(enumerate(names, 1))

    def as_json(self) -> dict[str, Any]:
        """Content of scene.json: provenance, classes, threshold, objects, layout, and fractions of the points."""
        result = self.result.as_json()
        record = {key: result[key] for key in ("provenance", "classes", "threshold", "drift")}
        record["scene"] = {"name": self.scene.name, "points": len(self.scene)}
        record["objects"] = [one.as_json() for one in self.objects]
        record["layout"] = [
            {"kind": plane.kind, "normal": plane.normal.tolist(), "offset": plane.offset, "points": len(plane.rows)}
            for plane in self.proposals.layout
        ]
        record["proposals"] = {
            "by": self.proposals.by,
            "candidates": self.proposals.candidates,
            "found": self.proposals.found,
        }
        record["shares"] = self.shares()
        return record

    def shares(self) -> dict[str, float]:
        """Fractions of the points: in objects, leftover, layout."""
        counts = [(self.numbers > 0).mean(), (self.numbers == 0).mean(), (self.numbers < 0).mean()]
        return dict(zip(("objects", LEFT, LAYOUT), map(float, counts), strict=True))

    def rows(self) -> list[dict[str, Any]]:
        """Table rows, one per object."""
        rows = []
        for one in self.objects:
            cells = {"object": one.number, "name": one.name, "novelty": one.novelty, "p_value": one.p_value}
            cells |= {"verdict": one.verdict, "stability": one.stability}
            cells |= {"points": len(one.rows), "size": _sides(one)}
            cells["center"] = ", ".join(f"{value:.2f}" for value in one.box.center)
            rows.append(cells | {"points_agree": one.agreement, "nearest": one.nearest})
        return rows

    def to_frame(self) -> Any:
        """pandas data frame of `rows`. Raises `MissingPackageError` without pandas."""
        return data_frame(self.rows(), COLUMNS)

    def plot(self, color: str = "name", **options: Any) -> Any:
        """Plot of the scene, see `openshape_ood.plots.scene`; needs the extra `[plots]`."""
        from openshape_ood import plots

        return plots.scene(self, color, **options)

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write scene.json, novelty.ply, objects.ply and the names of its labels into a folder.

        In objects.ply, names are labels, objects are instances, and each object has a color; `load_scene` reads it.
        Raises `FileError` if writing fails.
        """
        folder = make_folder(folder)
        content = json.dumps(self.as_json(), indent=1, ensure_ascii=False).encode()
        scene, names = self.painted()
        return [
            save_whole(folder / "scene.json", content, "the scene"),
            self.map.save(folder / "novelty.ply"),
            save_scene(scene, folder / "objects.ply", names=names, color="instance"),
        ]

    def export(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write each object to a file, in a subfolder named after the object's `name`.

        If the names are correct, the folder is an input for the options `--examples` and `--calibrate` of the command
        line. The PCD files state z up. Points are in meters, in the frame of the scan, with its colors.

        Parameters
        ----------
        folder : path
            A new or empty folder, so that crops of two scans do not mix.

        Returns
        -------
        list of Path
            The files, most novel object first.

        Raises
        ------
        FileError
            For a folder that is not empty, and if writing fails.
        """
        folder = make_folder(folder)
        if any(folder.iterdir()):
            raise FileError(
                f"{folder} is not empty. Expected a new or an empty folder for the objects. Give another folder."
            )
        color = self.scene.color
        files = []
        for one in self.objects:
            content = pcd_bytes(self.scene.points[one.rows, :3], None if color is None else color[one.rows])
            place = make_folder(folder / re.sub(r"[^\w -]", "_", one.name))
            files.append(save_whole(place / f"object-{one.number:03d}.pcd", content, "an object"))
        return files

    def __repr__(self) -> str:
        return f"SceneResult({self._summary()})"

    def __str__(self) -> str:
        lines = [self._summary()]
        for one in self.objects[:LISTED]:
            what = f"{one.number:4d}  {one.name:16}  novelty {one.novelty:.3f}"
            lines.append(f"{what}  {_sides(one)} m  {len(one.rows)} points")
        return "\n".join(lines + [f"and {len(self) - LISTED} more"] * (len(self) > LISTED))

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._summary())}</p>{html_table(self.rows()[:LISTED], COLUMNS)}"

    def _summary(self) -> str:
        counts = f"{len(self)} object{'s' * (len(self) != 1)} in {self.scene.name!r} of {len(self.scene)} points"
        if self.result.threshold is not None:
            unsure = sum(one.verdict == "unsure" for one in self.objects)
            counts += f", {sum(one.verdict == 'novel' for one in self.objects)} of them novel"
            counts += f", {unsure} unsure" if unsure else ""
        shares = ", ".join(f"{share:.0%} {what}" for what, share in self.shares().items())
        provenance = self.provenance
        threshold = "" if self.result.threshold is None else f"; {self.result.threshold.describe()}"
        by = f"{provenance.method} by {provenance.identity.checkpoint}, proposals by {self.proposals.by}"
        drift = self.result.drift
        alarm = f". {drift.describe('result.to_label()')}" if drift.alarm or drift.unexpected else ""
        return f"{counts}; {shares}; {by}{threshold}{alarm}"


def _sides(one: SceneObject) -> str:
    return " × ".join(f"{side:.2f}" for side in one.box.size)

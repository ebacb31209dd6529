"""SceneChanges: objects of two scans and their changes, as a table, pictures and files."""

from __future__ import annotations

import html
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from openshape_ood.encoders.protocols import Provenance
from openshape_ood.novelty.result import data_frame, html_table
from openshape_ood.scene_changes.calibration import ChangeCalibration
from openshape_ood.scene_changes.registration import Registration
from openshape_ood.scene_changes.space import Space
from openshape_ood.scenes import Scene, SceneObject, SceneResult, save_scene
from openshape_ood.storage import make_folder, save_whole

CHANGES = ("moved", "removed", "added", "replaced")
UNCHANGED, CANNOT_TELL = "unchanged", "cannot tell"
KINDS = (*CHANGES, CANNOT_TELL, UNCHANGED)
COLUMNS = ("change", "kind", "name", "now", "p_value", "novelty", "verdict", "distance", "size", "from", "to", "reason")
LISTED = 30
BOTH = {
    "rays": "rays from the cameras",
    "columns": "columns over floor and table tops that were seen",
}


@dataclass(frozen=True, eq=False)
class ObjectChange:
    """An object and its change.

    Attributes
    ----------
    number : int
        From 1: reported changes first, by ascending p-value.
    kind : {"moved", "removed", "added", "replaced", "cannot tell", "unchanged"}
    before, after : SceneObject or None
        The object in each scan; for "replaced", the old and the new object. `rows` index the points of
        `SceneChanges.before.scene` and `.after.scene`. Boxes are in the frame of the first scan.
    strength : float
        Square meters of surface at places that the other scan saw empty. Voxels less than 30 cm from the other scan
        have a lower weight.
    p_value : float
        Rank of the strength among re-scans of unchanged places; 1 for objects without an apparent change.
    free, occupied, unseen : float
        Fractions of the object at places that the other scan saw as empty, as occupied, or not at all.
    reason : str
    guess : str
        Likely kind of a change that is not reported because of its p-value, else "".
    """

    number: int
    kind: str
    before: SceneObject | None
    after: SceneObject | None
    strength: float
    p_value: float
    free: float = 0.0
    occupied: float = 0.0
    unseen: float = 0.0
    reason: str = ""
    guess: str = ""

    @property
    def reported(self) -> bool:
        """True if the change is reported at the requested false discovery rate."""
        return self.kind in CHANGES

    @property
    def object(self) -> SceneObject:
        """The object of the second scan, or of the first scan if it is gone."""
        return cast("SceneObject", self.after or self.before)  # at least one of them is not None

    @property
    def distance(self) -> float | None:
        """Distance of a move in meters, between box centers; None for other kinds."""
        if self.kind != "moved" or self.before is None or self.after is None:
            return None
        return float(np.linalg.norm(self.after.box.center - self.before.box.center))

    def as_json(self) -> dict[str, Any]:
        return {
            "change": self.number,
            "kind": self.kind,
            "guess": self.guess or None,
            "before": self.before and self.before.as_json(),
            "after": self.after and self.after.as_json(),
            "distance": self.distance,
            "strength": self.strength,
            "p_value": self.p_value,
            "free": self.free,
            "occupied": self.occupied,
            "unseen": self.unseen,
            "reason": self.reason,
        }


@dataclass(frozen=True, eq=False)
class SceneChanges:
    """Result of `compare_scenes`. Iteration yields the reported changes.

    Attributes
    ----------
    before, after : SceneResult
        Both scans with their objects, in the frame of the first scan.
    objects : tuple of ObjectChange
        Reported changes first, then undecided and unchanged objects. Apparent changes with a p-value above 0.5 are left
        out.
    registration : Registration
        Pose of the second scan in the frame of the first.
    spaces : pair of Space
        Free space of each scan; `by` names the method.
    calibration : ChangeCalibration
    fdr : float
    control : str
    """

    before: SceneResult
    after: SceneResult
    objects: tuple[ObjectChange, ...]
    registration: Registration
    spaces: tuple[Space, ...]
    calibration: ChangeCalibration
    fdr: float
    control: str

    @property
    def changes(self) -> tuple[ObjectChange, ...]:
        """Reported changes."""
        return tuple(one for one in self.objects if one.reported)

    @property
    def provenance(self) -> Provenance:
        return self.after.provenance

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[ObjectChange]:
        return iter(self.changes)

    def counts(self) -> dict[str, int]:
        """Number of objects of each kind."""
        counted = Counter(one.kind for one in self.objects)
        return {kind: counted[kind] for kind in KINDS if counted[kind]}

    def rows(self) -> list[dict[str, Any]]:
        """One row for each object, for tables."""
        return [_row(one) for one in self.objects]

    def to_frame(self) -> Any:
        """A pandas data frame of `rows`. Raises `MissingPackageError` without pandas."""
        return data_frame(self.rows(), COLUMNS)

    def kinds_of_points(self, late: bool) -> np.ndarray:
        """Index into `KINDS` (n,) of each point; -1 outside objects. late: True for the second scan."""
        scan = (self.after if late else self.before).scene
        kinds = np.full(len(scan), -1)
        for one in reversed(self.objects):
            thing = one.after if late else one.before
            if thing is not None:
                kinds[thing.rows] = KINDS.index(one.kind)
        return kinds

    def as_json(self) -> dict[str, Any]:
        """Content of changes.json: registration, space, calibration, and a record for each object."""
        scored = self.after.as_json()
        record = {key: scored[key] for key in ("provenance", "classes", "threshold")}
        record["scans"] = [{"name": one.scene.name, "points": len(one.scene)} for one in (self.before, self.after)]
        record["registration"] = self.registration.as_json()
        record["space"] = {"by": self.spaces[0].by, "voxel": self.spaces[0].size, "reach": self.spaces[0].reach}
        record["fdr"] = {"rate": self.fdr, "control": self.control, "pairs": self.calibration.n}
        record["fdr"] |= {"source": self.calibration.source}
        record["counts"] = self.counts()
        record["objects"] = [one.as_json() for one in self.objects]
        return record

    def plot(self, **options: Any) -> Any:
        """Draw both scans side by side, see `openshape_ood.plots.changes`; needs the extra `[plots]`."""
        from openshape_ood import plots

        return plots.changes(self, **options)

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write changes.json, before.ply, after.ply and the names of their labels into a folder.

        In the PLY files, labels are kinds, instances are numbers of changes, and each kind has a color.
        Raises `FileError` if a file cannot be written.
        """
        folder = make_folder(folder)
        content = json.dumps(self.as_json(), indent=1, ensure_ascii=False).encode()
        written = [save_whole(folder / "changes.json", content, "the changes")]
        names = dict(enumerate(KINDS, 1))
        for name, late in (("before", False), ("after", True)):
            written.append(save_scene(self.painted(late), folder / f"{name}.ply", names=names, color="label"))
        return written

    def painted(self, late: bool) -> Scene:
        """Copy of a scan: labels are kinds from 1, instances are numbers of changes. late: True for the second scan."""
        scan = (self.after if late else self.before).scene
        numbers = np.zeros(len(scan), dtype=np.int64)
        for one in reversed(self.objects):
            thing = one.after if late else one.before
            if thing is not None:
                numbers[thing.rows] = one.number
        return replace(scan, labels=self.kinds_of_points(late) + 1, instances=numbers)

    def __repr__(self) -> str:
        return f"SceneChanges({self._summary()})"

    def __str__(self) -> str:
        lines = [self._summary()]
        for one in self.objects[:LISTED]:
            row = _row(one)
            where = " to ".join(row[name] for name in ("from", "to") if row[name])
            lines.append(
                f"{one.number:4d}  {one.kind:11}  {row['name']:16}  p = {one.p_value:.3f}  at {where}  {one.reason}"
            )
        return "\n".join(lines + [f"and {len(self.objects) - LISTED} more"] * (len(self.objects) > LISTED))

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._summary())}</p>{html_table(self.rows()[:LISTED], COLUMNS)}"

    def _summary(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in self.counts().items()) or "no objects"
        rate = f"false discovery rate {self.fdr:g} by {self.calibration.n} {self.calibration.source}"
        return f"{counts}; {self.registration}; free space by {BOTH[self.spaces[0].by]}; {rate}"


def _row(one: ObjectChange) -> dict[str, Any]:
    """Table row of an object. For a replaced object, `name` is the old name and `now` the new one."""
    first, thing = one.before or one.object, one.object
    cells: dict[str, Any] = {"change": one.number, "kind": one.kind, "name": first.name}
    cells["now"] = thing.name if one.kind in ("replaced", "moved") and thing.name != first.name else None
    cells |= {"p_value": one.p_value, "novelty": thing.novelty, "verdict": thing.verdict, "distance": one.distance}
    cells["size"] = " × ".join(f"{side:.2f}" for side in thing.box.size)
    for name, place in (("from", one.before), ("to", one.after if one.kind != UNCHANGED else None)):
        cells[name] = None if place is None else ", ".join(f"{value:.2f}" for value in place.box.center)
    return cells | {"reason": one.reason}

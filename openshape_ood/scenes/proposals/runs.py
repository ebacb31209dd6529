"""One run over a scan on one voxel grid: candidates, selected candidates, planes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from openshape_ood.scenes.proposals.candidates import Candidate, Parsed, by_contact, by_density, of_tree, parse
from openshape_ood.scenes.proposals.choice import divided, suppressed
from openshape_ood.scenes.proposals.consensus import OBJECT, Sets
from openshape_ood.scenes.proposals.frame import Frame
from openshape_ood.scenes.proposals.layout import Plane
from openshape_ood.scenes.proposals.traits import likely_overlap

HOW: dict[str, Callable[[Parsed], list[Candidate]]] = {"tree": of_tree, "contact": by_contact, "density": by_density}
# step between the grid origins of the runs, in voxels: its multiples fill a cube evenly (Roberts, 2018)
SHIFT = np.array([0.8191725134, 0.6710436067, 0.5497004779])


@dataclass(frozen=True, eq=False)
class Run:
    """Candidates of one run, largest first.

    rows: voxels of each candidate; worth: score (c,) of each; kept: indices of selected candidates, best first; planes:
    planes in the frame of the scan, without points.
    """

    parsed: Parsed
    rows: list[np.ndarray]
    worth: np.ndarray
    kept: list[int]
    planes: list[Plane]

    @classmethod
    def of(cls, frame: Frame, by: str, shaped: bool, turn: float = 0.0, number: int = 0) -> Run:
        """Run on one grid, turned by `turn` radians. shaped: rank candidates by shape, otherwise by size."""
        grid = frame.grid(turn, number * SHIFT % 1)
        parsed = parse(grid)
        candidates = HOW[by](parsed)
        # a total order, so that ties do not depend on the order of the points
        candidates.sort(key=lambda one: (-len(one.rows), one.rows.min()))
        rows, count = [one.rows for one in candidates], len(grid.places)
        worth = (
            likely_overlap(candidates, parsed)
            if shaped
            else np.array([len(voxels) for voxels in rows], dtype=np.float64)
        )
        kept = divided(worth, rows, count) if shaped else suppressed(rows, count)
        planes = [Plane(one.kind, *frame.plane(grid, one.normal, one.offset), one.rows[:0]) for one in parsed.planes]
        return cls(parsed, rows, worth, kept, planes)

    def sets(self) -> Sets:
        """Sets of points: the selected candidates, then the planes."""
        inner = np.full(len(self.parsed.piece), -1)
        around = np.full(len(self.kept) + len(self.planes), -1)
        for i in sorted(range(len(self.kept)), key=lambda i: -len(self.rows[self.kept[i]])):
            voxels = self.rows[self.kept[i]]
            around[i] = inner[voxels[0]]
            inner[voxels] = i
        inner = np.where(self.parsed.owner >= 0, len(self.kept) + self.parsed.owner, inner)
        kinds = np.array([OBJECT] * len(self.kept) + [one.kind for one in self.planes], dtype="U7")
        worth = np.append(self.worth[self.kept], np.zeros(len(self.planes)))
        return Sets(inner[self.parsed.grid.inverse], around, kinds, worth)


def mean_plane(planes: list[Plane], rows: np.ndarray) -> Plane:
    """Mean of nearly equal planes, whose normals may have opposite signs. rows: its points."""
    sides = [np.sign(one.normal @ planes[0].normal) or 1.0 for one in planes]
    normal = np.mean([side * one.normal for side, one in zip(sides, planes, strict=True)], axis=0)
    offset = np.mean([side * one.offset for side, one in zip(sides, planes, strict=True)])
    return Plane(planes[0].kind, normal / np.linalg.norm(normal), float(offset), rows)

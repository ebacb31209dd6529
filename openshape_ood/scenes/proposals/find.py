"""find_objects: object proposals of a scan, without classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood.checks import check_choice, check_whole, to_numpy
from openshape_ood.errors import InputError
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.scenes.proposals.candidates import rows_of
from openshape_ood.scenes.proposals.consensus import OBJECT, Sets, agreed
from openshape_ood.scenes.proposals.frame import Frame
from openshape_ood.scenes.proposals.layout import Plane
from openshape_ood.scenes.proposals.runs import HOW, Run, mean_plane
from openshape_ood.scenes.scene import Scene, as_scene

SCORES = ("shape", "size")
MOST = 100
REGION = 50  # minimum points of a map's region
RUNS = 7  # number of voting runs


@dataclass(frozen=True, eq=False)
class Proposals:
    """Object proposals of a scan of n points, best first.

    Attributes
    ----------
    rows : tuple of ndarray (m,)
        Points of each proposal, sorted.
    score : (p,) float64
        Score of each proposal, which determines the order.
    layout : tuple of Plane
        Removed planes (floor, ceiling, walls) with their points, in the frame of the scan.
    by : str
        Names of the proposal method and of the score.
    candidates : int
        Number of candidates of the first run, before the selection.
    n : int
        Number of points of the scan.
    stability : (p,) float64 or None
        Reproducibility, 0 to 1. Each run gives the largest intersection over union with any of its proposals; this is
        the mean over the runs. 1 if every run finds the same points. None for given regions and for overlapping
        candidates.
    found : int
        Number of proposals before the limit `most`.
    """

    rows: tuple[np.ndarray, ...]
    score: np.ndarray
    layout: tuple[Plane, ...]
    by: str
    candidates: int
    n: int
    stability: np.ndarray | None = None
    found: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "found", max(self.found, len(self.rows)))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.rows)

    def __repr__(self) -> str:
        removed = ", ".join(plane.kind for plane in self.layout) or "nothing"
        return (
            f"Proposals({len(self)} of {self.candidates} candidates by {self.by}; {self.n} points; removed: {removed})"
        )


def find_objects(
    scene: Scene,
    by: str = "tree",
    *,
    regions: NoveltyMap | Sequence[Any] | None = None,
    score: str = "shape",
    most: int | None = None,
    overlapping: bool = False,
    runs: int = RUNS,
) -> Proposals:
    """Find regions of a scan that may be objects, from geometry and, if available, color; no classes are needed.

    Floor, ceiling and walls are removed as whole superpoints and reported as layout. The remaining superpoints are
    merged or grouped, and the best of the overlapping candidates are kept.

    Several runs on different voxel grids vote. The grids are turned about z and shifted by fixed amounts relative to
    the direction and center of the scan, so the result is deterministic. Proposals of different runs with an
    intersection over union of at least 0.5 are the same object. The object has the points that are in most of these
    proposals. It is dropped if its stability is below 0.35.

    Parameters
    ----------
    scene : Scene, or points that `Scene` accepts
        n points in meters, z up. Superpoints depend on the color too; `replace(scene, color=None)` ignores it.
    by : {"tree", "contact", "density"}
        "tree" merges superpoints pairwise; every merge is a candidate. "contact" uses connected components and
        "density" DBSCAN clusters. Both are disjoint, and touching objects become one proposal.
    regions : NoveltyMap or sequence of masks (n,) or rows (m,), optional
        Your own proposals, in place of `by`: masks, rows, or a map of the points, whose novel regions are proposals.
    score : {"shape", "size"}
        Ranking of the tree's candidates. "shape": by the expected overlap with a whole object, predicted from shape and
        contacts by a network trained on generated rooms. It gives few proposals, none inside another. "size": by voxel
        count. It gives a few more objects, but also many parts of objects.
    most : int, optional
        Maximum number of proposals. Default: 100, or all of the `regions`.
    overlapping : bool
        Keep all overlapping candidates of a single run, in the order of their score.
    runs : int, default 7
        Number of voting runs. The time is proportional to it. With a single run, all stabilities are 1.

    Returns
    -------
    Proposals

    Raises
    ------
    InputError
        For a scan wider than 1 km or narrower than 2 cm, regions of another scan, and invalid settings.

    References
    ----------
    Superpoints: Felzenszwalb and Huttenlocher, IJCV 2004.

    Examples
    --------
    >>> from openshape_ood.synthetic import sample
    >>> from openshape_ood.scenes import Scene
    >>> chair, lamp = (sample(name, 4000, seed=1)[:, [0, 2, 1]] for name in ("chair", "lamp"))
    >>> found = find_objects(Scene(np.concatenate([chair, lamp + [3, 0, 0]])), "contact")
    >>> [len(rows) for rows in found]
    [4000, 4000]
    """
    scene = as_scene(scene)
    return proposed(Frame.of(scene), scene, by, regions, score, most, overlapping, runs)


def proposed(
    frame: Frame,
    scene: Scene,
    by: str,
    regions: Any,
    score: str,
    most: int | None,
    overlapping: bool = False,
    runs: int = RUNS,
) -> Proposals:
    """`find_objects` for a scan whose canonical frame is known."""
    check_choice(by, "by", tuple(HOW))
    check_choice(score, "score", SCORES)
    check_whole(runs, "runs")
    if most is not None:
        check_whole(most, "most")
    if regions is not None:
        return _given(scene, regions, most)
    shaped = score == "shape" and by == "tree"
    name = f"{by}, {'shape' if shaped else 'size'}"
    if overlapping:
        return _candidates(Run.of(frame, by, shaped), name, most, len(scene))
    candidates, planes = list[int](), dict[tuple[int, int], Plane]()

    def voting() -> Iterator[Sets]:  # a generator, so that only one run is in memory
        for i in range(runs):
            run = Run.of(frame, by, shaped, np.pi / 2 * i / runs, i)
            candidates.append(len(run.rows))
            planes.update({(i, len(run.kept) + j): plane for j, plane in enumerate(run.planes)})
            yield run.sets()

    groups = agreed(voting(), len(scene), nested=by == "tree" and not shaped)
    objects = sorted((one for one in groups if one.kind == OBJECT), key=lambda one: (-one.worth, -one.stability))
    count, objects = len(objects), objects[: most or MOST]
    worth, stability = (np.array([getattr(one, name) for one in objects]) for name in ("worth", "stability"))
    layout = _layout(
        [mean_plane([planes[key] for key in one.made_of], one.rows) for one in groups if one.kind != OBJECT]
    )
    rows = tuple(one.rows for one in objects)
    return Proposals(rows, worth, layout, name, candidates[0], len(scene), stability, count)


def _candidates(run: Run, name: str, most: int | None, n: int) -> Proposals:
    """All candidates of a run, best first, as overlapping proposals."""
    points, grid, kept = rows_of(run.parsed.grid.inverse), run.parsed.grid, np.argsort(-run.worth, kind="stable")
    members = tuple(
        np.sort(np.concatenate([points[voxel] for voxel in run.rows[i].tolist()])) for i in kept[: most or MOST]
    )
    owner = run.parsed.owner[grid.inverse]
    planes = [replace(plane, rows=np.flatnonzero(owner == i)) for i, plane in enumerate(run.planes)]
    layout = _layout([plane for plane in planes if len(plane.rows)])  # planes without superpoints are dropped
    return Proposals(members, run.worth[kept[: most or MOST]], layout, name, len(run.rows), n, found=len(kept))


def _layout(planes: list[Plane]) -> tuple[Plane, ...]:
    """Floor, ceiling and walls, largest first."""
    return tuple(sorted(planes, key=lambda one: (("floor", "ceiling", "wall").index(one.kind), -len(one.rows))))


def _given(scene: Scene, regions: NoveltyMap | Sequence[Any], most: int | None) -> Proposals:
    """Proposals from masks, rows, or the novel regions of a map, in their order."""
    if isinstance(regions, NoveltyMap):
        check_map(regions, scene)
        sets = [region.indices for region in regions.regions(REGION)]
    elif not np.iterable(regions):
        raise InputError(
            f"regions is {regions!r:.40}. Expected a map of the points, or a list of masks or rows. Put a single "
            "region into a list."
        )
    else:
        sets = [_rows(given, i, scene) for i, given in enumerate(regions)]
    count, sets = len(sets), sets[:most]
    sizes = np.array([len(rows) for rows in sets], dtype=np.float64)
    return Proposals(tuple(sets), sizes, (), "regions given", len(sets), len(scene), found=count)


def check_map(points: Any, scene: Scene) -> None:
    """Raise `InputError` unless `points` is a map of the scan's points."""
    if not isinstance(points, NoveltyMap):
        raise InputError(
            f"points is a {type(points).__name__}. Expected a NoveltyMap. Give the result of segment_scene."
        )
    if len(points) != len(scene):
        raise InputError(
            f"the map has {len(points)} points, but {scene.name} has {len(scene)}. Expected one for each. Make the map "
            "from this scan."
        )


def _rows(given: Any, number: int, scene: Scene) -> np.ndarray:
    rows = np.asarray(to_numpy(given))
    if rows.dtype == bool and rows.shape == (len(scene),):
        rows = np.flatnonzero(rows)
    whole = rows.ndim == 1 and rows.dtype.kind in "iu" and len(rows)
    if not whole or rows.min() < 0 or rows.max() >= len(scene):
        raise InputError(
            f"region {number} is of type {rows.dtype} and shape {rows.shape}. Expected a mask ({len(scene)},) with at "
            f"least one point, or rows from 0 to {len(scene) - 1}. Correct this region."
        )
    return np.unique(rows.astype(np.int64))

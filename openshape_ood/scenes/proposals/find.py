"""find_objects: a scan in, proposals out: what may be an object, without saying which."""

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
REGION = 50  # points of a region of a map, at least
RUNS = 7  # that vote


@dataclass(frozen=True, eq=False)
class Proposals:
    """Places of a scan of n points that may be objects, the best first.

    Attributes
    ----------
    rows : tuple of ndarray (m,)
        The points of each proposal, ascending.
    score : (p,) float64
        What they are ordered by.
    layout : tuple of Plane
        Floor, ceiling and walls that were taken off, with their points; in the frame of the scan.
    by : str
        How they were made and chosen.
    candidates : int
        How many there were to choose from.
    n : int
        Points of the scan.
    stability : (p,) float64 or None
        From 0 to 1: mean over the runs of the largest intersection over union with a proposal of the run. 1 if every
        run finds the same points. None for regions given and for overlapping candidates, which are of no runs.
    found : int
        Proposals before `most` cut the list.
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
        taken = ", ".join(plane.kind for plane in self.layout) or "nothing"
        return f"Proposals({len(self)} of {self.candidates} candidates by {self.by}; {taken} taken off {self.n} points)"


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
    """Places of a scan that may be objects, without classes: from its geometry, and its color where it has one.

    Floor, ceiling and walls are found and taken off, whole superpoints at a time, and reported as layout. What is left
    is joined again, or grouped; of the overlapping candidates the best are kept.

    Several runs over the same scan, each on another grid of voxels, vote. The grids are turned about z and shifted by
    fixed amounts from a direction and a center that the scan itself has, so the same scan gives the same result.
    Proposals of different runs with an intersection over union of 0.5 are one; the points that most of them have are
    kept, and a proposal with a stability below 0.35 is dropped.

    Parameters
    ----------
    scene : Scene, or points as it takes them
        Meters, z up; n points. Without its color, `replace(scene, color=None)`, other superpoints may be joined.
    by : {"tree", "contact", "density"}
        "tree" joins superpoints two by two and has every step as a candidate; "contact" takes connected pieces and
        "density" DBSCAN clusters: these do not overlap, and things that touch are one.
    regions : NoveltyMap or sequence of masks (n,) or rows (m,), optional
        Proposals of one's own, or the regions of a map of the points that are beyond its threshold, in place of `by`.
    score : {"shape", "size"}
        Which of the tree's candidates are the best. "shape": those whose shape and contacts are, by what was learned
        from generated rooms, those of a whole thing; few, and none inside another. "size": those with the most voxels,
        which finds a few more things among many more parts of things.
    most : int, optional
        Proposals at most; unless given, the best 100 that are found, and all of one's own.
    overlapping : bool
        Keep all candidates of a single run, in the order of their score, whatever they share.
    runs : int, default 7
        Runs that vote. Time grows with them; 1 is fastest, and its stability is 1 throughout.

    Returns
    -------
    Proposals

    Raises
    ------
    InputError
        For a scan wider than 1 km or narrower than 2 cm, masks that do not fit it, and settings that there are not.

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
    """`find_objects` in a frame that there is already."""
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

    def voting() -> Iterator[Sets]:  # one run is in memory at a time
        for i in range(runs):
            run = Run.of(frame, by, shaped, np.pi / 2 * i / runs, i)
            candidates.append(len(run.rows))
            planes.update({(i, len(run.kept) + j): plane for j, plane in enumerate(run.planes)})
            yield run.sets()

    groups = agreed(voting(), len(scene), nested=by == "tree" and not shaped)
    objects = sorted((one for one in groups if one.kind == OBJECT), key=lambda one: (-one.worth, -one.stability))
    found, objects = len(objects), objects[: most or MOST]
    worth, stability = (np.array([getattr(one, name) for one in objects]) for name in ("worth", "stability"))
    layout = _layout(
        [mean_plane([planes[own] for own in one.made_of], one.rows) for one in groups if one.kind != OBJECT]
    )
    rows = tuple(one.rows for one in objects)
    return Proposals(rows, worth, layout, name, candidates[0], len(scene), stability, found)


def _candidates(run: Run, name: str, most: int | None, n: int) -> Proposals:
    """All candidates of a run, the best first."""
    points, grid, kept = rows_of(run.parsed.grid.inverse), run.parsed.grid, np.argsort(-run.worth, kind="stable")
    members = tuple(
        np.sort(np.concatenate([points[voxel] for voxel in run.rows[i].tolist()])) for i in kept[: most or MOST]
    )
    owner = run.parsed.owner[grid.inverse]
    planes = [replace(plane, rows=np.flatnonzero(owner == i)) for i, plane in enumerate(run.planes)]
    layout = _layout([plane for plane in planes if len(plane.rows)])  # no superpoint may lie on it with its half
    return Proposals(members, run.worth[kept[: most or MOST]], layout, name, len(run.rows), n, found=len(kept))


def _layout(planes: list[Plane]) -> tuple[Plane, ...]:
    """Floor, ceiling, walls, the largest first."""
    return tuple(sorted(planes, key=lambda one: (("floor", "ceiling", "wall").index(one.kind), -len(one.rows))))


def _given(scene: Scene, regions: NoveltyMap | Sequence[Any], most: int | None) -> Proposals:
    """Masks or rows of one's own, or the regions of a map, in the order given."""
    if isinstance(regions, NoveltyMap):
        check_map(regions, scene)
        sets = [region.indices for region in regions.regions(REGION)]
    elif not np.iterable(regions):
        raise InputError(f"regions is {regions!r:.40}; expected a map of the points, or a list of masks or rows")
    else:
        sets = [_rows(given, i, scene) for i, given in enumerate(regions)]
    found, sets = len(sets), sets[:most]
    sizes = np.array([len(rows) for rows in sets], dtype=np.float64)
    return Proposals(tuple(sets), sizes, (), "regions given", len(sets), len(scene), found=found)


def check_map(points: Any, scene: Scene) -> None:
    """Raises `InputError` for what is no map of the points of a scan."""
    if not isinstance(points, NoveltyMap):
        raise InputError(f"points is a {type(points).__name__}; expected a NoveltyMap, as segment_scene gives it")
    if len(points) != len(scene):
        raise InputError(f"the map has {len(points)} points, {scene.name} has {len(scene)}; expected one for each")


def _rows(given: Any, number: int, scene: Scene) -> np.ndarray:
    rows = np.asarray(to_numpy(given))
    if rows.dtype == bool and rows.shape == (len(scene),):
        rows = np.flatnonzero(rows)
    whole = rows.ndim == 1 and rows.dtype.kind in "iu" and len(rows)
    if not whole or rows.min() < 0 or rows.max() >= len(scene):
        raise InputError(
            f"region {number} is of type {rows.dtype} and shape {rows.shape}; expected a mask ({len(scene)},) with at "
            f"least one point, or rows from 0 to {len(scene) - 1}"
        )
    return np.unique(rows.astype(np.int64))

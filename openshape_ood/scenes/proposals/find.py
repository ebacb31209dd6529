"""find_objects: a scan in, proposals out: what may be an object, without saying which."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood.checks import check_choice, check_whole, to_numpy
from openshape_ood.errors import InputError
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.scenes.proposals.candidates import Candidate, Parsed, by_contact, by_density, of_tree, parse, rows_of
from openshape_ood.scenes.proposals.choice import divided, suppressed
from openshape_ood.scenes.proposals.frame import Frame
from openshape_ood.scenes.proposals.layout import Plane
from openshape_ood.scenes.proposals.traits import likely_overlap
from openshape_ood.scenes.scene import Scene

HOW: dict[str, Callable[[Parsed], list[Candidate]]] = {"tree": of_tree, "contact": by_contact, "density": by_density}
SCORES = ("shape", "size")
MOST = 100
REGION = 50  # points of a region of a map, at least


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
    """

    rows: tuple[np.ndarray, ...]
    score: np.ndarray
    layout: tuple[Plane, ...]
    by: str
    candidates: int
    n: int

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
) -> Proposals:
    """Places of a scan that may be objects, without classes: from its geometry, and its color where it has one.

    Floor, ceiling and walls are found and taken off, whole superpoints at a time, and reported as layout. What is left
    is joined again, or grouped; of the overlapping candidates the best are kept.

    Parameters
    ----------
    scene : Scene
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
        Keep all candidates, in the order of their score, whatever they share.

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
    return proposed(Frame.of(scene), scene, by, regions, score, most, overlapping)


def proposed(
    frame: Frame, scene: Scene, by: str, regions: Any, score: str, most: int | None, overlapping: bool = False
) -> Proposals:
    """`find_objects` in a frame that there is already."""
    check_choice(by, "by", tuple(HOW))
    check_choice(score, "score", SCORES)
    if most is not None:
        check_whole(most, "most")
    if regions is not None:
        return _given(scene, regions, most)
    parsed = parse(frame)
    found = HOW[by](parsed)
    # the order of the points must not decide between equals
    found.sort(key=lambda one: (-len(one.rows), one.rows.min()))
    rows, count = [one.rows for one in found], len(frame.places)
    shaped = score == "shape" and by == "tree"
    worth = likely_overlap(found, parsed) if shaped else np.array([len(own) for own in rows], dtype=np.float64)
    if overlapping:
        kept = np.argsort(-worth, kind="stable").tolist()
    else:
        kept = divided(worth, rows, count) if shaped else suppressed(rows, count)
    kept, points = kept[: most or MOST], rows_of(frame.inverse)
    members = tuple(np.sort(np.concatenate([points[voxel] for voxel in rows[i].tolist()])) for i in kept)
    layout = tuple(_layout(frame, parsed))
    return Proposals(members, worth[kept], layout, f"{by}, {'shape' if shaped else 'size'}", len(found), len(scene))


def _layout(frame: Frame, parsed: Parsed) -> Iterator[Plane]:
    """The planes with all points that went with them, in the frame of the scan."""
    owner = parsed.owner[frame.inverse]
    for i, plane in enumerate(parsed.planes):
        rows = np.flatnonzero(owner == i)
        if len(rows):  # else no superpoint lies on it with its half
            normal = frame.outward(plane.normal)
            offset = float(normal @ frame.place(plane.offset * plane.normal))
            yield replace(plane, normal=normal, offset=offset, rows=rows)


def _given(scene: Scene, regions: NoveltyMap | Sequence[Any], most: int | None) -> Proposals:
    """Masks or rows of one's own, or the regions of a map, in the order given."""
    if isinstance(regions, NoveltyMap):
        check_map(regions, scene)
        sets = [region.indices for region in regions.regions(REGION)]
    elif not np.iterable(regions):
        raise InputError(f"regions is {regions!r:.40}; expected a map of the points, or a list of masks or rows")
    else:
        sets = [_rows(given, i, scene) for i, given in enumerate(regions)]
    sets = sets[:most]
    sizes = np.array([len(rows) for rows in sets], dtype=np.float64)
    return Proposals(tuple(sets), sizes, (), "regions given", len(sets), len(scene))


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

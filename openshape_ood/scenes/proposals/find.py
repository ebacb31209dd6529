"""find_objects: a scan in, proposals out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from openshape_ood.checks import check_choice, check_whole, to_numpy
from openshape_ood.errors import InputError
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.scenes.proposals.candidates import Candidate, Parsed, by_contact, by_density, of_tree, parse
from openshape_ood.scenes.proposals.choice import divided, overlaps, suppressed
from openshape_ood.scenes.proposals.frame import Frame
from openshape_ood.scenes.proposals.layout import Plane
from openshape_ood.scenes.proposals.result import Proposals
from openshape_ood.scenes.proposals.traits import likely_overlap
from openshape_ood.scenes.scene import Scene

HOW: dict[str, Callable[[Parsed], list[Candidate]]] = {"tree": of_tree, "contact": by_contact, "density": by_density}
SCORES = ("shape", "size")
MOST = 100
REGION = 50  # points of a region of a map, at least


def find_objects(
    scene: Scene,
    by: str = "tree",
    *,
    regions: NoveltyMap | Sequence[Any] | None = None,
    score: str = "shape",
    most: int = MOST,
    overlapping: bool = False,
) -> Proposals:
    """Places of a scan that may be objects, from its geometry alone, without classes.

    Floor, ceiling and walls are found and taken off, whole superpoints at a time, and reported as layout. What is left
    is joined again, or grouped; of the overlapping candidates the best are kept.

    Parameters
    ----------
    scene : Scene
        Meters, z up; n points.
    by : {"tree", "contact", "density"}
        "tree" joins superpoints two by two and has every step as a candidate; "contact" takes connected pieces and
        "density" DBSCAN clusters: these do not overlap, and things that touch are one.
    regions : NoveltyMap or sequence of masks (n,) or rows (m,), optional
        Proposals of one's own, or the regions of a map of the points that are beyond its threshold, in place of `by`.
    score : {"shape", "size"}
        Which of the tree's candidates are the best. "shape": those whose shape and contacts are, by what was learned
        from generated rooms, those of a whole thing; few, and none inside another. "size": those with the most voxels,
        which finds a few more things among many more parts of things.
    most : int
        Proposals at most.
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
    frame: Frame,
    scene: Scene,
    by: str,
    regions: NoveltyMap | Sequence[Any] | None,
    score: str,
    most: int,
    overlapping: bool,
) -> Proposals:
    """`find_objects` in a frame that there is already."""
    check_choice(by, "by", tuple(HOW))
    check_choice(score, "score", SCORES)
    check_whole(most, "most")
    if regions is not None:
        return _given(scene, regions, most)
    parsed = parse(frame)
    found = HOW[by](parsed)
    # the order of the points must not decide between equals
    found.sort(key=lambda one: (-len(one.rows), one.rows.tolist()))
    rows, count = [one.rows for one in found], len(frame.places)
    shaped = score == "shape" and by == "tree"
    worth = likely_overlap(found, parsed) if shaped else np.array([len(own) for own in rows], dtype=np.float64)
    if overlapping:
        kept = np.argsort(-worth, kind="stable").tolist()
    else:
        kept = divided(worth, rows, count) if shaped else suppressed(worth, overlaps(rows, count))
    kept = kept[:most]
    members = _points(frame.inverse, [rows[i] for i in kept])
    layout = _layout(frame, parsed)
    return Proposals(
        tuple(members), worth[kept], layout, f"{by}, {'shape' if shaped else 'size'}", len(found), len(scene)
    )


def _points(inverse: np.ndarray, voxels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The points of each set of voxels, ascending."""
    order = np.argsort(inverse, kind="stable")
    ends = np.searchsorted(inverse[order], np.arange(int(inverse.max()) + 2))
    parts = [[order[ends[i] : ends[i + 1]] for i in rows.tolist()] for rows in voxels]
    return [np.sort(np.concatenate([order[:0], *part])) for part in parts]


def _layout(frame: Frame, parsed: Parsed) -> tuple[Plane, ...]:
    """The planes with all points that went with them, in the frame of the scan."""
    rows = _points(frame.inverse, [np.flatnonzero(parsed.owner == i) for i in range(len(parsed.planes))])
    turned = []
    for plane, own in zip(parsed.planes, rows, strict=True):
        if not len(own):  # no superpoint lies on it with its half
            continue
        normal = frame.outward(plane.normal)
        offset = float(normal @ frame.place(plane.offset * plane.normal))
        turned.append(replace(plane, normal=normal, offset=offset, rows=own))
    return tuple(turned)


def _given(scene: Scene, regions: NoveltyMap | Sequence[Any], most: int) -> Proposals:
    """Masks or rows of one's own, or the regions of a map, in the order given."""
    if isinstance(regions, NoveltyMap):
        if len(regions) != len(scene):
            raise InputError(f"the map has {len(regions)} points, {scene.name} has {len(scene)}; expected one for each")
        sets = [region.indices for region in regions.regions(REGION)]
    else:
        sets = [_rows(given, i, scene) for i, given in enumerate(regions)]
    sets = sets[:most]
    sizes = np.array([len(rows) for rows in sets], dtype=np.float64)
    return Proposals(tuple(sets), sizes, (), "regions given", len(sets), len(scene))


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

"""find_objects: a scan in, proposals out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from openshape_ood.checks import check_choice, check_whole, to_numpy
from openshape_ood.errors import InputError
from openshape_ood.novelty_map import NoveltyMap
from openshape_ood.scenes.proposals.candidates import Candidate, Parsed, by_contact, by_density, of_tree, parse
from openshape_ood.scenes.proposals.choice import SCORES, overlaps, suppressed
from openshape_ood.scenes.proposals.frame import Frame
from openshape_ood.scenes.proposals.layout import Plane
from openshape_ood.scenes.proposals.result import Proposals
from openshape_ood.scenes.scene import Scene

HOW: dict[str, Callable[[Parsed], list[Candidate]]] = {"tree": of_tree, "contact": by_contact, "density": by_density}
MOST = 100


def find_objects(
    scene: Scene,
    by: str = "tree",
    *,
    regions: NoveltyMap | Sequence[Any] | None = None,
    score: str = "size",
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
    score : {"size", "shape"}
        What the best has most of: points, or what is learned from generated rooms.
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
    check_choice(score, "score", tuple(SCORES))
    check_whole(most, "most")
    if regions is not None:
        return _given(scene, regions, most)
    parsed = parse(frame)
    found = HOW[by](parsed)
    # the order of the points must not decide between equals
    found.sort(key=lambda one: (-len(one.rows), one.rows.tolist()))
    worth = np.array([SCORES[score](one, parsed) for one in found])
    if overlapping:
        kept = np.argsort(-worth, kind="stable").tolist()
    else:
        kept = suppressed(worth, overlaps([one.rows for one in found], len(frame.places)))
    kept = kept[:most]
    members = _points(frame.inverse, [found[i].rows for i in kept])
    layout = _layout(frame, parsed)
    return Proposals(tuple(members), worth[kept], layout, f"{by}, {score}", len(found), len(scene))

"""Generated rooms, scanned by a simulated depth camera, with label and object of every point: z up, meters.

>>> made = room(seed=3, categories=["chair", "table", "sofa"], foreign=["bicycle"], views=2, spacing=0.05)
>>> [item.category for item in made.items if item.foreign]
['bicycle']
>>> made.names[:4], made.scene.labels.shape == made.scene.instances.shape
(('none', 'floor', 'wall', 'ceiling'), True)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from openshape_ood.checks import check_choice, check_seed, check_whole
from openshape_ood.errors import InputError
from openshape_ood.scenes import Scene
from openshape_ood.synthetic.rooms.furnish import Item as Item
from openshape_ood.synthetic.rooms.furnish import furnish
from openshape_ood.synthetic.rooms.pieces import LABELS, draw_tones, dyed
from openshape_ood.synthetic.rooms.places import FURNITURE as FURNITURE
from openshape_ood.synthetic.rooms.scanning import scan_pieces

COLORS = ("none", "material")


@dataclass(frozen=True, eq=False)
class Room:
    """Scan of a generated room, with its contents.

    Attributes
    ----------
    scene : Scene
        The scan.
    names : tuple of str
        Name of each value in `scene.labels`: "none", "floor", "wall", "ceiling", then the categories, sorted.
    items : tuple of Item
        Objects of the room, visible or not. Item i has the number i + 1 in `scene.instances`.
    viewpoints : ndarray (v, 3)
        Camera positions.
    """

    scene: Scene
    names: tuple[str, ...]
    items: tuple[Item, ...]
    viewpoints: np.ndarray


def room(
    seed: int,
    *,
    categories: Sequence[str] = FURNITURE,
    foreign: Sequence[str] = (),
    objects: int | None = None,
    views: int = 6,
    spacing: float | None = None,
    color: Literal["none", "material"] = "none",
) -> Room:
    """Generate, furnish and scan a room of 3 to 6 meters. The same arguments give the same scan.

    Large objects stand along walls, tables anywhere, chairs at tables, small objects on tables. A person looks around
    with a depth camera at several positions. Surfaces that are hidden from all positions have no points.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1.
    categories : sequence of str
        From `synthetic.categories()`, drawn with replacement. Default: `FURNITURE`.
    foreign : sequence of str
        Foreign categories. Each has one object in the room, with `foreign=True`.
    objects : int, optional
        Number of objects from `categories`; fewer if the room is full. Default: 7 to 14, chosen by the seed.
    views : int, default 6
        Number of camera positions.
    spacing : float, optional
        Approximate distance between points in meters. Default: 0.025 to 0.035, chosen by the seed.
    color : {"none", "material"}
        No color, or colors of materials. A room has two tones of each material. All its objects share them, so color
        does not identify objects.

    Raises
    ------
    UnknownNameError, InputError
        For an unknown category, for invalid numbers, and if there is no free space for a foreign object.

    Examples
    --------
    >>> made = room(seed=0, categories=["chair", "table"], objects=4, views=2, spacing=0.05)
    >>> made.names[4:], made.scene.color is None
    (('chair', 'table'), True)
    """
    check_seed(seed)
    check_choice(color, "color", COLORS)
    check_whole(views, "views")
    if spacing is not None and not 0.005 <= spacing <= 0.5:
        raise InputError(
            f"spacing is {spacing!r}. Expected meters between points, from 0.005 to 0.5. Give 0.03, for example."
        )
    rng = np.random.RandomState([seed, 15])
    pieces, items = furnish(rng, categories, foreign, objects, usual=(7, 15))
    if color == "material":
        tones = draw_tones(rng)
        pieces = [dyed(piece, tones, rng) for piece in pieces]
    names = (*LABELS, *sorted({*categories, *foreign}))
    drawn = rng.uniform(0.025, 0.035)
    scene, viewpoints = scan_pieces(
        pieces,
        [names.index(piece.name) for piece in pieces],
        rng,
        views=views,
        spacing=drawn if spacing is None else spacing,
        name=f"room {seed}",
    )
    return Room(scene, names, items, viewpoints)

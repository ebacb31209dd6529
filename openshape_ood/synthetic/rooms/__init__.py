"""Furnished rooms as a depth camera sees them, with the label and the object of every point: z up, meters.

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
    """A scan of a generated room, and what is in it.

    names: what `scene.labels` index, "none", "floor", "wall", "ceiling", then the categories of the room in order;
    items: its objects, seen or not, whose number in `scene.instances` is their place, from 1; viewpoints: (v, 3), where
    the camera stood.
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
    """A generated room of 3 to 6 meters, furnished and scanned: the same for the same arguments.

    Large things stand along walls, tables anywhere, chairs at tables, small things on them. A person with a depth
    camera looks around from several places; what is hidden from all of them has no points.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1.
    categories : sequence of str
        Of `synthetic.categories()`, drawn from with replacement; `FURNITURE` unless given.
    foreign : sequence of str
        Categories of which the room has one each in any case, marked as foreign.
    objects : int, optional
        How many of `categories` are placed, fewer where the room is full; 7 to 14 by the seed unless given.
    views : int, default 6
        Places from which the camera looks around.
    spacing : float, optional
        Meters between points, about; 0.025 to 0.035 by the seed unless given.
    color : {"none", "material"}
        No color, or that of a thing's materials, of which a room has two tones each: never one color an object.

    Raises
    ------
    UnknownNameError, InputError
        A category that there is not; numbers that cannot be, and where something foreign fits nowhere.

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
        raise InputError(f"spacing is {spacing!r}; expected meters between points, from 0.005 to 0.5")
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

"""Walks through generated rooms: views of a camera, and matching of map objects with true objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from openshape_ood.errors import InputError
from openshape_ood.scene_map import MapObject
from openshape_ood.synthetic.rooms.furnish import Item, furnish
from openshape_ood.synthetic.rooms.pieces import draw_tones, dyed
from openshape_ood.synthetic.views import FIELD, render
from openshape_ood.views import View
from openshape_ood.views.geometry import looking

KNOWN = ("chair", "sofa", "table", "bed", "bookshelf", "lamp")
UNKNOWN = ("piano", "toilet", "washing machine", "fan", "plant", "bathtub", "bench")
EYE, PITCH = (1.2, 1.7), np.radians((10.0, 28.0))
CLEAR = 0.2  # least distance in meters from the camera to objects
BESIDE = 0.05  # meters that cells of an object may be outside its box


@dataclass(frozen=True, eq=False)
class Walk:
    """Views of a room, in order, and its objects."""

    views: tuple[View, ...]
    items: tuple[Item, ...]


def walk(seed: int, known: int, unknown: int, views: int, size: tuple[int, int]) -> Walk:
    """A room with `known` known and `unknown` unknown objects, in `views` views around its edge, with sensor noise."""
    for attempt in range(200):
        rng = np.random.RandomState([seed, attempt, 77])
        foreign = [str(name) for name in rng.permutation(UNKNOWN)[:unknown]]
        try:
            plain, items = furnish(rng, KNOWN, foreign, known, (5, 10))
        except InputError:  # no free space for an object
            continue
        if sum(not item.foreign for item in items) == known:
            break
    tones = draw_tones(rng)
    pieces = tuple(dyed(piece, tones, rng) for piece in plain)
    side, boxes = pieces[0].mesh.vertices[:, :2].max(axis=0), np.array([item.box for item in items])
    (h, w), focal = size, size[1] / 2 / np.tan(FIELD / 2)
    intrinsics = np.array([[focal, 0, (w - 1) / 2], [0, focal, (h - 1) / 2], [0, 0, 1]])
    made: list[View] = []
    tries = 0
    while len(made) < views:
        way = 2 * np.pi * tries / views + rng.normal(0, 0.1)
        tries += 1
        edge = 0.45 * side * np.array([np.cos(way), np.sin(way)]) / np.abs([np.cos(way), np.sin(way)]).max()
        eye = np.array([*(side / 2 + edge * rng.uniform(0.6, 1)), rng.uniform(*EYE)])
        inside = ((boxes[:, 0] - CLEAR < eye) & (boxes[:, 1] + CLEAR > eye)).all(axis=1)
        if inside.any() and tries < 10 * views:
            continue
        aim = side / 2 + rng.uniform(-0.3, 0.3, 2) * side - eye[:2]
        pose = looking(eye, float(np.arctan2(aim[1], aim[0])), rng.uniform(*PITCH))
        view, _ = render(pieces, intrinsics, pose, size, name=f"room {seed}, view {len(made)}")
        noise = 0.0012 + 0.0019 * np.maximum(np.nan_to_num(view.depth) - 0.4, 0) ** 2
        made.append(replace(view, depth=np.maximum(view.depth + noise * rng.normal(size=size), 0.01)))
    return Walk(tuple(made), tuple(items))


def shown(points: np.ndarray, items: Sequence[Item]) -> int | None:
    """Index of the item whose box contains most of the points (n, 3); None if no box contains half of them."""
    inside = [
        float(((points >= item.box[0] - BESIDE) & (points <= item.box[1] + BESIDE)).all(axis=1).mean())
        for item in items
    ]
    best = int(np.argmax(inside))
    return best if inside[best] >= 0.5 else None


def matched(objects: Sequence[MapObject], items: Sequence[Item]) -> dict[int, MapObject]:
    """Index of an item -> the map object at its place; of several objects, the one with the most whole looks."""
    by_item: dict[int, MapObject] = {}
    for one in sorted(objects, key=lambda one: (one.evidence.looks, one.seen)):
        place = shown(one.centers, items)
        if place is not None:
            by_item[place] = one
    return by_item

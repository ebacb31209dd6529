"""The tables of results: a column a split, by an honest protocol or by the published one.

Results are rows, one a scene, class or description, and cut-off: `scene_id`, `split`, `cutoff`, figures, and `label` or
`target_obj_name`, `spatial_relation_name`, `reference_obj_name`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.intervals import PERCENTILES
from openshape_ood.errors import InputError
from openshape_ood.views.completion.network import RELATIONS

Row = Mapping[str, Any]
COLUMNS = ("room", "visual", "vocab", "class")
METRIC = "voxel32x32x32_iou"
SPLITS = ("unseen_instances", "unseen_instances_dr", "unseen_instances_synonyms")
NYU, NYU_METRIC = "nyu", "voxel60x60x60_iou"  # the split of all its test views
NYU_CLASSES = ("ceiling", "floor", "wall", "window", "chair", "bed", "sofa", "table", "tvs", "furn", "objs")
HELD_OUT = ("pot", "mug", "safe", "teddy bear", "basket ball", "wine bottle")
# spelling as published; desktop and laptop have the same, so that it says nothing of the class
SYNONYMS = {
    "television": "tv",
    "sofa": "couch",
    "house plant": "plant in a pot",
    "bookcase": "bookshelf",
    "baseball bat": "rawlings big stick maple bat",
    "pillow": "cushion",
    "arm chair": "recliner",
    "bread": "loaf of sourdough",
    "cell phone": "mobile phone",
    "desktop": "computer",
    "dresser": "wardrobe",
    "dumbbell": "gym weights",
    "fridge": "refridgerator",
    "garbage can": "trash can",
    "laptop": "computer",
    "outlet": "eletric plug",
    "stairs": "staircase",
}


def things(row: Row) -> tuple[str, ...]:
    """The names that a row is about."""
    return (row["label"],) if "label" in row else (row["target_obj_name"], row["reference_obj_name"])


def room(row: Row) -> str:
    """The room of a row's scene, `<number>|FloorPlan<n>_physics`."""
    found = re.search(r"FloorPlan(\d+)", row["scene_id"])
    return found[1] if found else row["scene_id"]


def is_held_out(row: Row) -> bool:
    return not set(HELD_OUT).isdisjoint(things(row))


def column_rows(rows: Iterable[Row], column: str, published: bool) -> list[Row]:
    """The rows that a column is of.

    room, visual: scenes of unknown rooms, as they are or with other materials; vocab: synonyms; class: classes that
    training left out. Rows about these are in no other column and are of the first split; as published, vocab has them
    too, and class is of all three splits.
    """
    if column == "class":
        return [row for row in rows if is_held_out(row) and (published or row["split"] == SPLITS[0])]
    own = [row for row in rows if row["split"] == SPLITS[COLUMNS.index(column)]]
    if column == "vocab":
        own = [row for row in own if not set(SYNONYMS.values()).isdisjoint(things(row))]
        if published:
            return own
    return [row for row in own if not is_held_out(row)]


def curve(rows: Iterable[Row], metric: str = METRIC) -> dict[float, float]:
    """The mean of a figure over rows at each cut-off, ascending."""
    values: dict[float, list[float]] = {}
    for row in rows:
        values.setdefault(float(row["cutoff"]), []).append(float(row[metric]))
    return {cutoff: _mean(values[cutoff]) for cutoff in sorted(values)}


def best_cutoff(rows: Iterable[Row], metric: str = METRIC) -> float:
    """The cut-off with the best mean.

    Raises `InputError` where there are none with a figure.
    """
    found = {cutoff: mean for cutoff, mean in curve(rows, metric).items() if not np.isnan(mean)}
    if not found:
        raise InputError(
            f"no row has a {metric}, so that there is no cut-off to choose; expected results on held-out training rooms"
        )
    return max(found, key=lambda cutoff: found[cutoff])


def figure(rows: Sequence[Row], column: str, metric: str = METRIC) -> float:
    """100 times the mean of a figure: of the means of rooms, or of labels for vocab and class; plain for descriptions.

    NaN where no row has one.
    """
    by_name = column in ("vocab", "class")
    if by_name and rows and "label" not in rows[0]:
        return 100 * _mean([row[metric] for row in rows])
    key: Callable[[Row], str] = (lambda row: row["label"]) if by_name else room
    groups: dict[str, list[float]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row[metric])
    return 100 * _mean([_mean(values) for values in groups.values()])


def interval(
    rows: Sequence[Row], column: str, metric: str = METRIC, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Interval of 95 % of the figures when rooms are drawn with replacement."""
    by_room: dict[str, list[Row]] = {}
    for row in rows:
        by_room.setdefault(room(row), []).append(row)
    groups, rng = list(by_room.values()), np.random.default_rng(seed)
    if not groups:
        return float("nan"), float("nan")
    found = []
    for _ in range(draws):
        # a room that is drawn twice counts as two
        drawn = enumerate(rng.integers(len(groups), size=len(groups)))
        rows_drawn = [{**row, "scene_id": f"FloorPlan{i}"} for i, g in drawn for row in groups[g]]
        found.append(figure(rows_drawn, column, metric))
    low, high = np.nanpercentile(found, PERCENTILES)
    return float(low), float(high)


def table(rows: Sequence[Row], cutoff: float, published: bool = False, metric: str = METRIC) -> dict[str, list[float]]:
    """Figures of the four columns: "all", and of descriptions a line a relation beside their "mean"."""
    at = [row for row in rows if np.isclose(float(row["cutoff"]), cutoff)]
    if not at or "label" in at[0]:
        return {"all": [figure(column_rows(at, column, published), column, metric) for column in COLUMNS]}
    lines = {}
    for relation in RELATIONS:
        own = [row for row in at if row["spatial_relation_name"] == relation]
        lines[relation] = [figure(column_rows(own, column, published), column, metric) for column in COLUMNS]
    return lines | {"mean": np.mean(list(lines.values()), axis=0).tolist()}


def nyu_figures(rows: Iterable[Row], cutoff: float, metric: str = NYU_METRIC) -> list[float]:
    """100 times the mean of a figure over the views of each of `NYU_CLASSES`, then their mean; NaN without rows."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if np.isclose(float(row["cutoff"]), cutoff):
            values.setdefault(row.get("label", ""), []).append(float(row[metric]))
    found = [100 * _mean(values.get(name, [])) for name in NYU_CLASSES]
    return [*found, _mean(found)]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")

"""Tables of results, one column per split, by a protocol with held-out rooms or by the published one.

A row of results is one cut-off of one class or description in one scene: `scene_id`, `split`, `cutoff`, figures, and
`label`, or `target_obj_name`, `spatial_relation_name` and `reference_obj_name`.
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
NYU, NYU_METRIC = "nyu", "voxel60x60x60_iou"  # split of NYU's test views, and its metric
NYU_CLASSES = ("ceiling", "floor", "wall", "window", "chair", "bed", "sofa", "table", "tvs", "furn", "objs")
HELD_OUT = ("pot", "mug", "safe", "teddy bear", "basket ball", "wine bottle")
# spelling as published; desktop and laptop share a synonym
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
    """Names in a row."""
    return (row["label"],) if "label" in row else (row["target_obj_name"], row["reference_obj_name"])


def room(row: Row) -> str:
    """The room of a row's scene, `<number>|FloorPlan<n>_physics`."""
    match = re.search(r"FloorPlan(\d+)", row["scene_id"])
    return match[1] if match else row["scene_id"]


def is_held_out(row: Row) -> bool:
    return not set(HELD_OUT).isdisjoint(things(row))


def column_rows(rows: Iterable[Row], column: str, published: bool) -> list[Row]:
    """The rows of a column.

    room and visual: unknown rooms, without and with other materials; vocab: synonyms; class: classes that were not in
    training, from the first split. Rows of these classes are in no other column. By the published protocol, they are
    also in vocab, and class has the rows of all three splits.
    """
    if column == "class":
        return [row for row in rows if is_held_out(row) and (published or row["split"] == SPLITS[0])]
    kept = [row for row in rows if row["split"] == SPLITS[COLUMNS.index(column)]]
    if column == "vocab":
        kept = [row for row in kept if not set(SYNONYMS.values()).isdisjoint(things(row))]
        if published:
            return kept
    return [row for row in kept if not is_held_out(row)]


def curve(rows: Iterable[Row], metric: str = METRIC) -> dict[float, float]:
    """Mean of a figure over the rows of each cut-off, cut-offs ascending."""
    values: dict[float, list[float]] = {}
    for row in rows:
        values.setdefault(float(row["cutoff"]), []).append(float(row[metric]))
    return {cutoff: _mean(values[cutoff]) for cutoff in sorted(values)}


def best_cutoff(rows: Iterable[Row], metric: str = METRIC) -> float:
    """The cut-off with the best mean. Raises `InputError` if no row has the figure."""
    means = {cutoff: mean for cutoff, mean in curve(rows, metric).items() if not np.isnan(mean)}
    if not means:
        raise InputError(f"no row has a {metric} to choose the cut-off by; expected results on held-out training rooms")
    return max(means, key=lambda cutoff: means[cutoff])


def figure(rows: Sequence[Row], column: str, metric: str = METRIC) -> float:
    """100 times the mean of a figure, over means per room; NaN without values.

    For vocab and class, means per label; for descriptions in these two columns, the plain mean.
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
    """Bootstrap 95 % interval of a figure; rooms are resampled."""
    by_room: dict[str, list[Row]] = {}
    for row in rows:
        by_room.setdefault(room(row), []).append(row)
    groups, rng = list(by_room.values()), np.random.default_rng(seed)
    if not groups:
        return float("nan"), float("nan")
    figures = []
    for _ in range(draws):
        # a room that is drawn twice counts as two rooms
        drawn = enumerate(rng.integers(len(groups), size=len(groups)))
        rows_drawn = [{**row, "scene_id": f"FloorPlan{i}"} for i, g in drawn for row in groups[g]]
        figures.append(figure(rows_drawn, column, metric))
    low, high = np.nanpercentile(figures, PERCENTILES)
    return float(low), float(high)


def table(rows: Sequence[Row], cutoff: float, published: bool = False, metric: str = METRIC) -> dict[str, list[float]]:
    """Figures of the four columns: one line "all", or for descriptions one line per relation and their "mean"."""
    at = [row for row in rows if np.isclose(float(row["cutoff"]), cutoff)]
    if not at or "label" in at[0]:
        return {"all": [figure(column_rows(at, column, published), column, metric) for column in COLUMNS]}
    lines = {}
    for relation in RELATIONS:
        some = [row for row in at if row["spatial_relation_name"] == relation]
        lines[relation] = [figure(column_rows(some, column, published), column, metric) for column in COLUMNS]
    return lines | {"mean": np.mean(list(lines.values()), axis=0).tolist()}


def nyu_figures(rows: Iterable[Row], cutoff: float, metric: str = NYU_METRIC) -> list[float]:
    """100 times the mean of a figure for each of `NYU_CLASSES`, then the mean of these; NaN without rows."""
    values: dict[str, list[float]] = {}
    for row in rows:
        if np.isclose(float(row["cutoff"]), cutoff):
            values.setdefault(row.get("label", ""), []).append(float(row[metric]))
    means = [100 * _mean(values.get(name, [])) for name in NYU_CLASSES]
    return [*means, _mean(means)]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")

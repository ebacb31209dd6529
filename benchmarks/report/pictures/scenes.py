"""Pictures of scans: true labels, predicted labels, novelty, objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from benchmarks.scene_data.judging import Names
    from benchmarks.scene_data.scannet import ClassTable
    from openshape_ood import ShapeEncoder
    from openshape_ood.scenes import Scene
    from openshape_ood.synthetic.rooms import Room

    Labels = tuple[Scene, np.ndarray, np.ndarray]

DRAWN = 60_000  # most points of a scan
HIGHEST = 2.2  # meters; walls are drawn up to here
MOST_NAMED = 64  # most classes in the legend
FLOOR, REST = 0.86, 0.74  # gray values


def draw_rooms(path: Path, rooms: Sequence[Room], encoder: ShapeEncoder, names: Names, **how: Any) -> Path:
    """Draw one column per room; rows: true names, predicted names, novelty, objects."""
    from matplotlib.lines import Line2D

    from openshape_ood import plots
    from openshape_ood.novelty_map.colors import ramp
    from openshape_ood.scenes import find_objects, score_scene
    from openshape_ood.scenes.saving import label_colors

    vocabulary = names.vocabulary.names
    place = {name: i + 1 for i, name in enumerate(vocabulary)}
    figure, axes = plots.panels(4, len(rooms), size=(4.2 * len(rooms), 11.0))
    for made, column in zip(rooms, axes.T, strict=True):
        scene = made.scene
        proposals = find_objects(scene)
        called, judged = (
            score_scene(scene, known, encoder=encoder, **how | {"proposals": proposals})
            for known in (names.vocabulary, names.known)
        )
        true = np.array([place.get(name, 0) for name in made.names])[scene.labels]
        predicted = np.array([0, *(place[one.nearest] for one in called), 0])[called.numbers]
        values = np.array([one.novelty for one in judged])
        novelty = [np.full(3, REST), *ramp(values, float(values.min()), float(values.max()))]
        is_floor = np.array([name == "floor" for name in made.names])[scene.labels]
        rest = np.where(is_floor, FLOOR, REST)[:, None] * np.ones(3)
        inside = np.maximum(judged.numbers, 0)
        shown = {
            f"{scene.name}: true names": (true, label_colors(true)),
            f"names by {encoder.identity.checkpoint}": (predicted, label_colors(predicted)),
            "novelty against the known names": (inside, np.array(novelty)[inside]),
            f"the {len(judged)} objects that were found": (inside, label_colors(inside)),
        }
        for ax, (title, (numbers, rgb)) in zip(column, shown.items(), strict=True):
            _draw(ax, scene, np.where(numbers[:, None] > 0, rgb, rest), is_floor)
            ax.set_title(title, fontsize=11)
    colors = label_colors(np.arange(1, len(vocabulary) + 1))
    known = set(names.known.names)
    marks = [
        {"label": f"{name}{' (known)' if name in known else ''}", "color": color, "marker": "o"}
        for name, color in zip(vocabulary, colors, strict=True)
    ]
    handles = [Line2D([], [], lw=0, **mark) for mark in marks]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=10)
    return by_palette(plots.save(figure, path))


def draw_labelled(path: Path, scans: Sequence[int], of: Callable[[int], Labels], table: ClassTable) -> Path:
    """Draw one column per scan; rows: true classes, predicted classes, novelty. Points without a class are gray.

    of: maps the number of a scan to the scan, predicted classes (n,) and novelty (n,).
    """
    from matplotlib.lines import Line2D

    from openshape_ood import plots
    from openshape_ood.novelty_map.colors import ramp

    figure, axes = plots.panels(3, len(scans), size=(5.2 * len(scans), 11.0))
    shown = np.zeros(len(table), dtype=bool)
    colors = np.concatenate([np.full((1, 3), REST), table.colors])
    for number, column in zip(scans, np.reshape(axes, (3, len(scans))).T, strict=True):
        scene, called, novelty = of(number)
        true = np.zeros(len(scene), dtype=np.int64) if scene.labels is None else scene.labels
        layout = np.isin(np.array(("", *table.names))[true], ("wall", "ceiling"))
        drawn = replace(scene, instances=np.where(layout, 0, 1))  # instance 0: `_draw` may leave these points out
        is_floor = np.zeros(len(scene), dtype=bool)
        for ax, rgb in zip(column, (colors[true], colors[called + 1], ramp(novelty, *_range(novelty))), strict=True):
            _draw(ax, drawn, rgb, is_floor)
        for ax, title in zip(column, ("what is there", "predicted classes", "novelty, names hidden"), strict=True):
            ax.set_title(f"{scene.name}: {title}", fontsize=12)
        shown[np.unique(np.concatenate([true[true > 0] - 1, called]))] = True
    marks = [{"label": name, "color": table.colors[i], "marker": "o"} for i, name in enumerate(table.names) if shown[i]]
    handles = [Line2D([], [], lw=0, **mark) for mark in marks[:MOST_NAMED]]
    figure.legend(handles=handles, loc="outside lower center", ncols=2 * len(scans), frameon=False, fontsize=10)
    return plots.save(figure, path)


def _range(novelty: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(novelty, (1, 99)).tolist()
    return low, max(high, low + 1e-6)


def by_palette(path: Path) -> Path:
    """Rewrite a PNG with 256 colors, which takes a third of the bytes."""
    from PIL import Image

    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    return path


def _draw(ax: Any, scene: Scene, rgb: np.ndarray, is_floor: np.ndarray) -> None:
    """Draw a scan from above and in front, without its ceiling and near walls."""
    from openshape_ood.plots.clouds import draw
    from openshape_ood.plots.points import thinned, view
    from openshape_ood.shapes.points import upright

    xyz = upright(scene.points, "z")
    near = view(xyz * [1, 0, 1])[2]
    before = (scene.instances == 0) & ~is_floor & ((near > np.median(near)) | (scene.points[:, 2] > HIGHEST))
    kept = np.flatnonzero(~before)
    kept = kept[thinned(len(kept), DRAWN)]
    draw(ax, xyz[kept], rgb[kept], size=1.0, edges=False)
    across, rise, _ = view(xyz[kept])  # crop the axes to the scan
    ax.set(xlim=(across.min(), across.max()), ylim=(rise.min(), rise.max()))

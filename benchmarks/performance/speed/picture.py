"""Stage by stage, ours beside the plain way, as shares of the plain way's time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.performance.speed.contenders import STAGES
from benchmarks.performance.speed.measuring import BOUND, OURS, PLAIN, REFERENCE, Cell
from benchmarks.performance.speed.tables import TITLES
from openshape_ood import plots
from openshape_ood.novelty_map.colors import AMBER, BLUE, GREEN, SKY

COLORS = dict(zip(STAGES, (AMBER, GREEN, SKY, BLUE), strict=True))
NAMES = {REFERENCE: "reference", PLAIN: "plain way", OURS: "ours", BOUND: "products alone"}
BAR, GAP = 0.8, 0.9


def draw(path: Path, cells: Sequence[Cell], device: str) -> Path:
    """A panel a model and precision; a group of bars a batch size."""
    from matplotlib.patches import Patch

    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.model, cell.precision), []).append(cell)
    bars = max(sum(len(_contenders(cell)) + GAP for cell in own) for own in groups.values())
    figure, axes = plots.panels(1, len(groups), size=(4.6 * len(groups) + 1.2, 1.6 + 0.3 * bars))
    for axis, ((model, precision), own) in zip(axes[0], groups.items(), strict=True):
        _panel(axis, own)
        axis.set_title(f"{model}, {precision}", fontsize=11)
    patches = [Patch(color=COLORS[stage], label=TITLES[stage]) for stage in STAGES]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(STAGES), fontsize=9, frameon=False)
    figure.suptitle(f"Time of an embedding by stage, the plain way = 100 ({device})", fontsize=11)
    return plots.save(figure, path)


def _contenders(cell: Cell) -> list[str]:
    return [name for name in NAMES if name in cell.turns.seconds]


def _panel(axis: Any, cells: Sequence[Cell]) -> None:
    place, places, labels = 0.0, [], []
    for cell in cells:
        axis.text(0, place - 0.62, f"batch {cell.batch}", va="bottom", fontsize=9, fontweight="bold")
        for name in _contenders(cell):
            _bar(axis, place, cell, name)
            places.append(place)
            labels.append(NAMES[name])
            place += 1
        place += GAP
    axis.set_yticks(places, labels, fontsize=9)
    axis.set_ylim(place - GAP - 0.4, -1.2)
    axis.set_xlabel("share of the plain way's time, %", fontsize=9)
    axis.set_xlim(0, axis.get_xlim()[1] * 1.12)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _bar(axis: Any, place: float, cell: Cell, name: str) -> None:
    """As long as the whole takes beside the plain way in the same turn, split as its stages' medians are."""
    stages = [stage for stage in STAGES if stage in cell.turns.stages(name)]
    medians = [cell.turns.time(name, (stage,)).median for stage in stages]
    length = 100 * cell.turns.ratio(name, PLAIN).median
    left = 0.0
    for stage, median in zip(stages, medians, strict=True):
        width = length * median / sum(medians)
        axis.barh(place, width, BAR, left=left, color=COLORS[stage], edgecolor="white", linewidth=0.5)
        left += width
    axis.text(left + 1.5, place, f"{length:.0f}", va="center", fontsize=9)

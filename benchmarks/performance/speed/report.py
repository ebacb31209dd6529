"""Report of a run: ratios, then stages, then memory; and stages as a picture."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.options import grid
from benchmarks.performance.harness import MIB, Quartiles
from benchmarks.performance.speed.contenders import STAGES, WHOLE
from benchmarks.performance.speed.measuring import BOUND, CALL, FILES, OURS, PLAIN, REFERENCE, Cell
from openshape_ood import plots
from openshape_ood.novelty_map.colors import AMBER, BLUE, GREEN, SKY

TITLES = {
    "read": "read (PLY)",
    "prepare": "prepare",
    "network": "network",
    "sample": "sample",
    "group": "group",
    "abstract": "set abstraction",
    "transform": "transformer",
    "score": "score",
    "read meshes": "read (OBJ) instead",
    "whole": "network, overlapped",
}
BESIDE = ("read meshes", "whole")  # in no sum: instead of another stage, or several at once
COLORS = dict(zip((*STAGES, *WHOLE), (AMBER, GREEN, SKY, BLUE, BLUE), strict=True))
NAMES = {REFERENCE: "reference", PLAIN: "plain way", OURS: "ours", BOUND: "products alone"}

RATIO_NOTE = """Time of the other divided by ours, median [quartiles] over turns; rest: all but sampling.
ours / bound: how many times as long as their matrix products alone our layers take. plain differs: relative difference
of our embeddings from the plain way's, from the same members / each in its own way / share of members not the same.
reference differs: the same, from the same centers."""
RANGE_NOTE = """The distance to the bound is a figure of the code. Ratios to the others are figures of the machine, too:
they write whole tensors to memory and read them back, where ours stay in cache, so that they lose more the larger the
batch and the slower the memory. Quote a range."""
REFERENCE_NOTE = """reference: the checkout's own code, always in float32; on the CPU its sampling is dgl's, compiled,
while the plain way's is a loop in Python: the rest without it stands beside."""
STAGE_NOTE = """share: of reading, preparing, embedding and scoring. ms a cloud: ON THIS MACHINE, in this run; quote
ratios, not these. read (OBJ): the same shapes as meshes, their surfaces sampled; not in the sum."""
MEMORY_NOTE = """MiB: the most that a process held in one pass, in a process of its own (and of it beyond what the
libraries, the loaded network and its input held before)."""


def printed(cells: Sequence[Cell], where: str) -> str:
    """The tables, each with what to know about it."""
    blocks = [f"random weights, generated shapes, {where}", ratio_table(cells), RATIO_NOTE]
    blocks += [textwrap.fill(line, 120) for line in (*ranges(cells), *costs(cells))]
    blocks += [RANGE_NOTE] * any(cell.others for cell in cells)
    blocks += [REFERENCE_NOTE] * any(REFERENCE in cell.others for cell in cells)
    blocks += [stage_table(cells), STAGE_NOTE]
    if any(cell.memory for cell in cells):
        blocks += [memory_table(cells), MEMORY_NOTE]
    return "\n\n".join(blocks)


def _labels(cell: Cell) -> list[str]:
    return [cell.model, cell.precision, str(cell.batch)]


def _columns(cells: Sequence[Cell], columns: Mapping[str, Callable[[Cell], Any]]) -> str:
    """A row a cell; columns that no cell has anything for are left out."""
    found = {title: [cell_of(cell) for cell in cells] for title, cell_of in columns.items()}
    kept = {title: column for title, column in found.items() if any(value is not None for value in column)}
    shown = ([("-" if v is None else str(v)) for v in row] for row in zip(*kept.values(), strict=True))
    rows = [[*_labels(cell), *row] for cell, row in zip(cells, shown, strict=True)]
    return grid(["model", "precision", "batch", *kept], rows, words=2)


def ratio_table(cells: Sequence[Cell]) -> str:
    def ratio(who: str, part: str) -> Callable[[Cell], Quartiles | None]:
        return lambda cell: cell.ratio(who, part) if who in cell.others and part in cell.parts() else None

    def differs(cell: Cell) -> str | None:
        same = cell.agreement
        return None if same is None else f"{same.embedding:.0e} / {same.whole:.0e} / {1 - same.members:.0e}"

    def from_reference(cell: Cell) -> str | None:
        by = cell.agreement.reference if cell.agreement else None
        return None if by is None else f"{by:.0e}"

    columns: dict[str, Callable[[Cell], Any]] = {"turns": lambda c: c.turns.count, "ours / bound": Cell.over_bound}
    for who in (PLAIN, REFERENCE):
        columns |= {f"{who} / ours": ratio(who, "all"), f"{who} / ours, rest": ratio(who, "all but sampling")}
    timed = {who for cell in cells for who in cell.turns.seconds}
    if {CALL, PLAIN} <= timed:
        columns["plain / ours, overlapped"] = lambda cell: cell.others and cell.turns.ratio(PLAIN, CALL)
    columns |= {"plain differs": differs, "reference differs": from_reference}
    return _columns(cells, columns)


def costs(cells: Sequence[Cell]) -> list[str]:
    """A line a precision and batch size of several models: how long a cloud takes beside the first model's."""
    lines = []
    for precision, batch in dict.fromkeys((cell.precision, cell.batch) for cell in cells):
        own = {cell.model: cell for cell in cells if (cell.precision, cell.batch) == (precision, batch)}
        first, *others = own
        seconds = {name: sum(cell.turns.time(OURS, (s,)).median for s in cell.stages) for name, cell in own.items()}
        said = ", ".join(f"{name} {seconds[name] / seconds[first]:.2f}" for name in others)
        lines += [f"Beside {first} ({precision}, batches of {batch}) a cloud takes: {said}."] if others else []
    return lines


def ranges(cells: Sequence[Cell]) -> list[str]:
    """A line a model and precision: the least and the largest of each ratio over the batch sizes."""
    lines = []
    for model, precision in dict.fromkeys((cell.model, cell.precision) for cell in cells):
        own = [cell for cell in cells if (cell.model, cell.precision) == (model, precision)]
        figures = {"ours / bound": [cell.over_bound().median for cell in own]}
        figures |= {f"{who} / ours": [cell.ratio(who).median for cell in own] for who in own[0].others}
        said = [f"{name} {min(values):.1f} to {max(values):.1f}" for name, values in figures.items()]
        sizes = ", ".join(str(cell.batch) for cell in own)
        lines.append(f"{model}, {precision}, over batches of {sizes}: {'; '.join(said)}.")
    return lines


def seconds_of(cell: Cell) -> dict[str, float]:
    """Stage -> median seconds a batch, ours, in the order of the work; what is in no sum at the end."""
    who = {s: name for name in (FILES, OURS, CALL) if name in cell.turns.seconds for s in cell.turns.stages(name)}
    return {stage: cell.turns.time(who[stage], (stage,)).median for stage in TITLES if stage in who}


def stage_table(cells: Sequence[Cell]) -> str:
    """A row a stage of ours: its share, its milliseconds here, the others' and its bound's time against it."""
    others = [who for who in (PLAIN, REFERENCE) if any(who in cell.others for cell in cells)]
    rows = []
    for cell in cells:
        seconds = seconds_of(cell)
        total = sum(time for stage, time in seconds.items() if stage not in BESIDE)
        for i, (stage, time) in enumerate(seconds.items()):
            share = "-" if stage in BESIDE else f"{100 * time / total:.1f}"
            told = stage in cell.stages
            ratios = [f"{cell.ratio(w, stage).median:.2f}" if told and w in cell.others else "-" for w in others]
            bound = f"{cell.over_bound(OURS, stage).median:.2f}" if stage in cell.bounded else "-"
            label = ["", "", ""] if i else _labels(cell)
            rows.append([*label, TITLES[stage], share, f"{1000 * time / cell.batch:.2f}", *ratios, bound])
    head = ["model", "precision", "batch", "stage", "share, %", "ms a cloud, here", *(f"{w} / ours" for w in others)]
    return grid([*head, "ours / bound"], rows, words=4)


def memory_table(cells: Sequence[Cell]) -> str:
    def mib(who: str) -> Callable[[Cell], str | None]:
        def words(cell: Cell) -> str | None:
            found = {key: held / MIB for key, held in cell.memory.get(who, {}).items()}
            return f"{found['whole']:,.0f} ({found['whole'] - found['loaded']:,.0f})" if found else None

        return words

    return _columns(cells, {who: mib(who) for who in (OURS, PLAIN, REFERENCE)})


def draw(path: Path, cells: Sequence[Cell], where: str) -> Path:
    """A panel a model and precision, a group of bars a batch size: stages as shares of the plain way's time.

    Without a plain way they are shares of ours.
    """
    from matplotlib.patches import Patch

    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.model, cell.precision), []).append(cell)
    bars = max(sum(len(_drawn(cell)) + 1 for cell in own) for own in groups.values())
    figure, axes = plots.panels(1, len(groups), size=(4.6 * len(groups) + 1.2, 1.6 + 0.3 * bars))
    for axis, ((model, precision), own) in zip(axes[0], groups.items(), strict=True):
        _panel(axis, own)
        axis.set_title(f"{model}, {precision}", fontsize=11)
    seen = {stage for cell in cells for stage in cell.stages}
    patches = [Patch(color=color, label=TITLES[stage]) for stage, color in COLORS.items() if stage in seen]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), fontsize=9, frameon=False)
    figure.suptitle(f"Time of an embedding by stage, {NAMES[_base(cells[0])]} = 100 ({where})", fontsize=11)
    return plots.save(figure, path)


def _drawn(cell: Cell) -> list[str]:
    return [name for name in NAMES if name in cell.turns.seconds]


def _base(cell: Cell) -> str:
    return PLAIN if PLAIN in cell.others else OURS


def _panel(axis: Any, cells: Sequence[Cell]) -> None:
    """Bars as long as the whole takes beside the base in the same turn, split as its stages' medians are."""
    place, ticks = 0.0, {}
    for cell in cells:
        axis.text(0, place - 0.62, f"batch {cell.batch}", va="bottom", fontsize=9, fontweight="bold")
        for name in _drawn(cell):
            medians = {stage: cell.turns.time(name, (stage,)).median for stage in cell.turns.stages(name)}
            length, left = 100 * cell.turns.ratio(name, _base(cell)).median, 0.0
            for stage, median in medians.items():
                width = length * median / sum(medians.values())
                axis.barh(place, width, 0.8, left=left, color=COLORS[stage], edgecolor="white", linewidth=0.5)
                left += width
            axis.text(left + 1.5, place, f"{length:.0f}", va="center", fontsize=9)
            ticks[place] = NAMES[name]
            place += 1
        place += 1
    axis.set_yticks(list(ticks), list(ticks.values()), fontsize=9)
    axis.set_ylim(place - 1.4, -1.2)
    axis.set_xlabel(f"share of the time of {NAMES[_base(cells[0])]}, %", fontsize=9)
    axis.set_xlim(0, axis.get_xlim()[1] * 1.12)
    axis.spines[["top", "right"]].set_visible(False)

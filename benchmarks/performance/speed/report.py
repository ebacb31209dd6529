"""Report of a run: tables of ratios, stages and memory, and a picture of the stages."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.options import grid
from benchmarks.performance.harness import MIB, Quartiles
from benchmarks.performance.speed.contenders import STAGES, WHOLE
from benchmarks.performance.speed.measuring import BOUND, FILES, OURS, PLAIN, REFERENCE, Cell
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
}
BESIDE = ("read meshes",)  # not in the sum, because it replaces another stage
COLORS = dict(zip((*STAGES, *WHOLE), (AMBER, GREEN, SKY, BLUE, BLUE), strict=True))
NAMES = {REFERENCE: "reference", PLAIN: "plain way", OURS: "ours", BOUND: "products alone"}

RATIO_NOTE = """Ratios of times are medians [quartiles] over turns; rest: without sampling.
ours / bound: time of our layers divided by the time of their matrix products alone. plain differs: relative difference
of the embeddings with the same members / with each network's members / fraction of different members. reference
differs: relative difference to the reference, with the same centers."""
RANGE_NOTE = """The ratio to the bound depends on the code. Ratios to other implementations also depend on the machine:
they write whole tensors to memory, while ours stay in the cache. These ratios grow with the batch size and with slower
memory. Quote a range."""
REFERENCE_NOTE = """reference: the code of the checkout, always in float32. On the CPU it samples by compiled code of
dgl, and the plain implementation by a Python loop. Compare the ratios without sampling ("rest")."""
STAGE_NOTE = """share: percent of the time for reading, preparing, embedding and scoring. ms a cloud: ON THIS MACHINE,
in this run; quote ratios instead. read (OBJ): the same shapes, read as meshes and sampled; not in the sum."""
MEMORY_NOTE = """MiB: peak memory of a process with one pass; in parentheses, without libraries, network and input."""


def printed(cells: Sequence[Cell], where: str) -> str:
    """The tables and their notes."""
    blocks = [f"random weights, generated shapes, {where}", ratio_table(cells), RATIO_NOTE]
    blocks += [textwrap.fill(line, 120) for line in costs(cells)]
    blocks += [RANGE_NOTE] * any(cell.others for cell in cells)
    blocks += [REFERENCE_NOTE] * any(REFERENCE in cell.others for cell in cells)
    blocks += [stage_table(cells), STAGE_NOTE]
    if any(cell.memory for cell in cells):
        blocks += [memory_table(cells), MEMORY_NOTE]
    return "\n\n".join(blocks)


def _labels(cell: Cell) -> list[str]:
    return [cell.model, cell.precision, str(cell.batch)]


def _columns(cells: Sequence[Cell], columns: Mapping[str, Callable[[Cell], Any]]) -> str:
    """Table with one row per cell; empty columns are left out."""
    values = {title: [cell_of(cell) for cell in cells] for title, cell_of in columns.items()}
    kept = {title: column for title, column in values.items() if any(value is not None for value in column)}
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
    columns |= {"plain differs": differs, "reference differs": from_reference}
    return _columns(cells, columns)


def costs(cells: Sequence[Cell]) -> list[str]:
    """One line per precision and batch size: time per cloud of each model relative to the first model."""
    lines = []
    for precision, batch in dict.fromkeys((cell.precision, cell.batch) for cell in cells):
        of = {cell.model: cell for cell in cells if (cell.precision, cell.batch) == (precision, batch)}
        first, *others = of
        seconds = {name: sum(cell.turns.time(OURS, (s,)).median for s in cell.stages) for name, cell in of.items()}
        shown = ", ".join(f"{name} {seconds[name] / seconds[first]:.2f}" for name in others)
        lines += [f"Time per cloud relative to {first} ({precision}, batches of {batch}): {shown}."] if others else []
    return lines


def seconds_of(cell: Cell) -> dict[str, float]:
    """Stage -> our median seconds per batch, in the order of execution. Stages outside the sum come last."""
    who = {s: name for name in (FILES, OURS) if name in cell.turns.seconds for s in cell.turns.stages(name)}
    return {stage: cell.turns.time(who[stage], (stage,)).median for stage in TITLES if stage in who}


def stage_table(cells: Sequence[Cell]) -> str:
    """One row per stage: share, milliseconds, and ratios to the others and to the bound."""
    others = [who for who in (PLAIN, REFERENCE) if any(who in cell.others for cell in cells)]
    rows = []
    for cell in cells:
        seconds = seconds_of(cell)
        total = sum(time for stage, time in seconds.items() if stage not in BESIDE)
        for i, (stage, time) in enumerate(seconds.items()):
            share = "-" if stage in BESIDE else f"{100 * time / total:.1f}"
            compared = [w in cell.others and stage in cell.stages for w in others]
            ratios = [f"{cell.ratio(w, stage).median:.2f}" if c else "-" for w, c in zip(others, compared, strict=True)]
            bound = f"{cell.over_bound(OURS, stage).median:.2f}" if stage in cell.bounded else "-"
            label = ["", "", ""] if i else _labels(cell)
            rows.append([*label, TITLES[stage], share, f"{1000 * time / cell.batch:.2f}", *ratios, bound])
    head = ["model", "precision", "batch", "stage", "share, %", "ms a cloud, here", *(f"{w} / ours" for w in others)]
    return grid([*head, "ours / bound"], rows, words=4)


def memory_table(cells: Sequence[Cell]) -> str:
    def mib(who: str) -> Callable[[Cell], str | None]:
        def words(cell: Cell) -> str | None:
            sizes = {key: held / MIB for key, held in cell.memory.get(who, {}).items()}
            return f"{sizes['whole']:,.0f} ({sizes['whole'] - sizes['loaded']:,.0f})" if sizes else None

        return words

    return _columns(cells, {who: mib(who) for who in (OURS, PLAIN, REFERENCE)})


def draw(path: Path, cells: Sequence[Cell], where: str) -> Path:
    """Draw the time of each stage in percent of the plain implementation's time or, without one, of ours.

    One panel per model and precision, one group of bars per batch size.
    """
    from matplotlib.patches import Patch

    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.model, cell.precision), []).append(cell)
    bars = max(sum(len(_drawn(cell)) + 1 for cell in some) for some in groups.values())
    figure, axes = plots.panels(1, len(groups), size=(4.6 * len(groups) + 1.2, 1.6 + 0.3 * bars))
    for axis, ((model, precision), some) in zip(axes[0], groups.items(), strict=True):
        _panel(axis, some)
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
    """Draw one bar per contender. Its length is the median ratio to the base; stages divide it by their medians."""
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

"""Pictures of one benchmark run under its first seed, drawn by `openshape_ood.plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.threedos.results import Finished, MethodResult, Scored
from openshape_ood import plots
from openshape_ood.novelty_map.colors import ORANGE
from openshape_ood.plots.canvas import PLAIN, legend, new_figure, short, shorts
from openshape_ood.plots.canvas import title as set_title

SETS = {"known": "known", "novel1": "novel 1", "novel2": "novel 2", "both": "all novel", "validation": "validation"}
TESTED = ("known", "novel1", "novel2")
KEPT = 0.95
DRAWN = 6  # shapes at either end of the novelty scale
COLUMNS = 3
LONGEST = 24  # characters of a class name
CELL = (0.36, 0.27)  # inches


def draw_all(folder: Path, finished: Finished) -> dict[str, Path]:
    """Write every picture into `folder`, which is created if missing; returns title -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    return {title: plots.save(draw(finished), folder / name) for title, (name, draw) in PICTURES.items()}


def heading(finished: Finished, what: str = "", seeds: str = "") -> str:
    """Title of a picture: content, run and seeds. Default of `seeds`: the first one."""
    model = f"{finished.model} (OTHER WEIGHTS)" if finished.report.get("other_weights") else finished.model
    run = f"{finished.split.title} · {model} · {finished.protocol} protocol"
    more = f" of {', '.join(map(str, finished.seeds))}" if len(finished.seeds) > 1 else ""
    lines = [what, f"{run} · {seeds or f'seed {finished.seeds[0]}{more}'}", finished.data.source]
    return "\n".join(line for line in lines if line)


def first_seed(result: MethodResult) -> dict[str, Scored]:
    """Scores of a method under the first seed, without empty sets."""
    return {part: scored for part, scored in result.scored[0].items() if len(scored.novelty)}


def threshold_of(result: MethodResult) -> tuple[float, str] | None:
    """Threshold of the first seed and, in words, how many shapes it keeps.

    It is from the validation shapes. Without them it is from the known test shapes.
    """
    part, sets = "known" if result.threshold is None else "validation", first_seed(result)
    if part not in sets:
        return None
    novelty = sets[part].novelty
    value = float(np.quantile(novelty, KEPT)) if result.threshold is None else result.threshold
    shapes = "of the validation" if part == "validation" else "of the known tested"
    return value, f"{(novelty <= value).sum():,} of {len(novelty):,} {shapes}"


def novel_sets(finished: Finished) -> list[str]:
    """The nonempty novel sets; if there are two, also "both"."""
    parts = [part for part in ("novel1", "novel2") if len(finished.data.sets[part])]
    return [*parts, "both"] if len(parts) > 1 else parts


def _novelty(result: MethodResult, part: str) -> np.ndarray:
    scored = first_seed(result)
    parts = ("novel1", "novel2") if part == "both" else (part,)
    return np.concatenate([scored[name].novelty for name in parts if name in scored])


def _histogram(ax: Any, result: MethodResult, part: str) -> None:
    threshold, _ = threshold_of(result) or (None, "")
    plots.histogram(_novelty(result, "known"), _novelty(result, part), threshold=threshold, ax=ax)
    ax.set_xlabel(f"novelty by {result.known_by}, known against {SETS[part]}", **PLAIN)
    legend(ax, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, fontsize=9, frameon=False)


def _roc(ax: Any, results: Sequence[MethodResult], part: str) -> None:
    for result in results:
        plots.roc(_novelty(result, "known"), _novelty(result, part), label=result.known_by, ax=ax)
    legend(ax, loc="lower right", fontsize=8.5)
    set_title(ax, f"known against {SETS[part]}")


def histograms(finished: Finished) -> Any:
    """Histograms of novelty with the threshold: one row per method, one column per novel set."""
    parts = novel_sets(finished)[:2]
    size = (6.4 * len(parts), 4 * len(finished.results) + 0.8)
    figure, axes = plots.panels(len(finished.results), len(parts), size=size)
    for result, row in zip(finished.results, axes, strict=True):
        for part, ax in zip(parts, row, strict=True):
            _histogram(ax, result, part)
    return _titled(figure, heading(finished, "Novelty of known and novel shapes"))


def _titled(figure: Any, title: str) -> Any:
    figure.suptitle(title, fontsize=11, **PLAIN)
    return figure


def roc_curves(finished: Finished) -> Any:
    """ROC curves: one panel per novel set, one curve per method."""
    parts = novel_sets(finished)
    figure, axes = plots.panels(1, len(parts), size=(5.6 * max(len(parts), 2), 6.4))
    for ax, part in zip(axes[0], parts, strict=True):
        _roc(ax, finished.results, part)
    return _titled(figure, heading(finished, "Known accepted against novel accepted"))


def confusion(finished: Finished) -> Any:
    """Nearest known class (columns) of each tested novel class (rows), in percent of the row; one panel per method."""
    results = finished.results
    tested = {title for result in results for title in result.confusion}
    novel = [c.title for c in finished.split.novel1 + finished.split.novel2 if c.title in tested]
    known = [c.title for c in finished.data.known]
    columns, rows = min(COLUMNS, len(results)), -(-len(results) // COLUMNS)
    labels = 0.085 * min(LONGEST, max(map(len, [*novel, *known]), default=1))
    width = columns * max(CELL[0] * len(known), 2.2) + labels + 1.2
    height = rows * (max(CELL[1] * len(novel), 1.2) + labels + 0.6) + 0.8
    figure, axes = plots.panels(rows, columns, size=(max(width, 10), max(height, 3)))
    for i, ax in enumerate(axes.flat):
        if i >= len(results):
            ax.set_axis_off()
            continue
        shares = [[results[i].confusion.get(row, {}).get(column, 0.0) for column in known] for row in novel]
        _shares(ax, np.array(shares).reshape(len(novel), len(known)))
        if 0 < len(finished.split.novel1) < len(novel):
            ax.axhline(len(finished.split.novel1) - 0.5, color=ORANGE, lw=1.5)  # separates novel 1 and novel 2
        ax.set_xticks(range(len(known)), shorts(known, LONGEST), rotation=90, fontsize=8, **PLAIN)
        names = shorts(novel, LONGEST) if i % columns == 0 else [""] * len(novel)
        ax.set_yticks(range(len(novel)), names, fontsize=8, **PLAIN)
        ax.tick_params(length=0)
        set_title(ax, f"by {results[i].known_by}", fontsize=10)
    seeds = f"mean over seeds {', '.join(map(str, finished.seeds))}"
    return _titled(figure, heading(finished, "Nearest known classes of novel shapes, percent of each class", seeds))


def _shares(ax: Any, shares: np.ndarray) -> None:
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:  # smaller values would be printed as 0
            color = "white" if share > 0.55 else "black"
            ax.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7.5, color=color)


def embeddings(finished: Finished) -> Any:
    """t-SNE of the tested shapes; known ones are colored by class."""
    parts = [part for part in TESTED if len(finished.embeddings.get(part, ()))]
    titles = np.concatenate([finished.data.sets[part].titles for part in parts])
    is_known = np.concatenate([np.full(len(finished.embeddings[part]), part == "known") for part in parts])
    figure, axes = plots.panels(1, 1, size=(11, 9))
    z = np.concatenate([finished.embeddings[part] for part in parts])
    plots.embeddings(z, titles, known=is_known, ax=axes[0, 0])
    return _titled(figure, heading(finished, "Embeddings of the tested shapes"))


def overview(finished: Finished) -> Any:
    """Overview: histograms of two methods, ROC curves, the most and the least novel shapes."""
    chosen, part = two_methods(finished), novel_sets(finished)[-1]
    figure = _titled(new_figure((15, 12.5)), heading(finished))
    top, bottom = np.asarray(figure.subfigures(2, 1, height_ratios=[1, 1]))
    *left, right = top.subplots(1, len(chosen) + 1, squeeze=False)[0]
    for ax, result in zip(left, chosen, strict=True):
        _histogram(ax, result, part)
    _roc(right, finished.results, part)
    scored, shown, threshold = first_seed(chosen[-1]), ends(finished, chosen[-1]), threshold_of(chosen[-1])
    shapes = [finished.data.sets[part].shapes[i] for part, i in shown]
    plots.contact_sheet(
        [shape.read() for shape in shapes],
        [scored[part].novelty[i] for part, i in shown],
        titles=[f"{short(shape.title, 10)}, {SETS[part]}" for shape, (part, _) in zip(shapes, shown, strict=True)],
        count=DRAWN,
        figure=bottom,
        threshold=threshold[0] if threshold else None,
    )
    _titled(bottom, f"by {chosen[-1].known_by}: the most and the least novel shape of each class")
    return figure


def two_methods(finished: Finished) -> list[MethodResult]:
    """The methods by names and by prototypes; if one is missing, the next in order."""
    named = {result.known_by: result for result in reversed(finished.results)}
    wanted = [named[name] for name in ("names", "prototypes") if name in named]
    return (wanted + [result for result in finished.results if result not in wanted])[:2]


def ends(finished: Finished, result: MethodResult) -> list[tuple[str, int]]:
    """Set and index of the most and the least novel shape of each class, `DRAWN` from each end."""
    scored = first_seed(result)
    places = [(part, i) for part in TESTED if part in scored for i in range(len(scored[part].novelty))]
    novelty = np.array([scored[part].novelty[i] for part, i in places])
    chosen: dict[tuple[str, int], None] = {}
    for order in (np.argsort(-novelty, kind="stable"), np.argsort(novelty, kind="stable")):
        first: dict[str, tuple[str, int]] = {}
        for part, i in (places[at] for at in order.tolist()):
            first.setdefault(str(finished.data.sets[part].titles[i]), (part, i))
        chosen |= dict.fromkeys(list(first.values())[:DRAWN])
    return list(chosen)


PICTURES: Mapping[str, Any] = {
    "Overview": ("overview.png", overview),
    "Histograms": ("histograms.png", histograms),
    "ROC curves": ("roc.png", roc_curves),
    "Nearest known classes of novel shapes": ("confusion.png", confusion),
    "Embeddings": ("embeddings.png", embeddings),
}

"""Overview picture of one benchmark run under its first seed, drawn by `openshape_ood.plots`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.threedos.results import Finished, MethodResult, Scored
from openshape_ood import plots
from openshape_ood.plots.canvas import PLAIN, legend, new_figure, short
from openshape_ood.plots.canvas import title as set_title

SETS = {"known": "known", "novel1": "novel 1", "novel2": "novel 2", "both": "all novel", "validation": "validation"}
TESTED = ("known", "novel1", "novel2")
KEPT = 0.95
DRAWN = 6  # shapes at either end of the novelty scale


def heading(finished: Finished) -> str:
    """Title of a picture: run, first seed and data."""
    model = f"{finished.model} (OTHER WEIGHTS)" if finished.report.get("other_weights") else finished.model
    run = f"{finished.split.title} · {model} · {finished.protocol} protocol"
    more = f" of {', '.join(map(str, finished.seeds))}" if len(finished.seeds) > 1 else ""
    return f"{run} · seed {finished.seeds[0]}{more}\n{finished.data.source}"


def first_seed(result: MethodResult) -> dict[str, Scored]:
    """Scores of a method under the first seed, without empty sets."""
    return {part: scored for part, scored in result.scored[0].items() if len(scored.novelty)}


def threshold_of(result: MethodResult) -> tuple[float, str] | None:
    """Threshold of the first seed, and a text that says how many shapes it keeps.

    The threshold is chosen on the validation shapes or, without them, on the known test shapes.
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


def _titled(figure: Any, title: str) -> Any:
    figure.suptitle(title, fontsize=11, **PLAIN)
    return figure


def overview(finished: Finished) -> Any:
    """Draw histograms of two methods, ROC curves, and the most and the least novel shapes."""
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
    """The methods by names and by prototypes. If one is missing, the next method takes its place."""
    named = {result.known_by: result for result in reversed(finished.results)}
    wanted = [named[name] for name in ("names", "prototypes") if name in named]
    return (wanted + [result for result in finished.results if result not in wanted])[:2]


def ends(finished: Finished, result: MethodResult) -> list[tuple[str, int]]:
    """Set and index of shapes to draw: the most novel one of each class, then the least novel one of each class.

    Each list is sorted by novelty and cut to `DRAWN` shapes.
    """
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

"""The picture of one benchmark run: histograms, ROC curves, the most and the least novel shapes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.objects import BenchmarkData, Objects
from benchmarks.splits import Split
from openshape_ood.errors import MissingPackageError

if TYPE_CHECKING:
    from benchmarks.protocol import MethodResult

# Okabe and Ito's colours, which the colour-blind can tell apart
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
DRAWN = 6
POINTS_DRAWN = 1200


def draw(path: Path, split: Split, data: BenchmarkData, results: Sequence[MethodResult], model: str) -> Path:
    """Write the picture to `path` (PNG) and return it."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingPackageError("pictures need matplotlib: pip install -e '.[benchmarks]'") from error

    figure = Figure(figsize=(13, 11), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{split.name.upper()} with {model}\n{data.source}", fontsize=12)
    top, middle, bottom = np.asarray(figure.subfigures(3, 1, height_ratios=[1.25, 1, 1]))
    names, prototypes = results[0], results[1]
    axes = top.subplots(1, 3)
    for axis, result in zip(axes[:2], (names, prototypes), strict=True):
        _histogram(axis, result)
    _roc(axes[2], results)
    _sheet(
        middle,
        "least novel of all by prototypes, the first of each class, coloured by height",
        data,
        prototypes,
        most=False,
    )
    _sheet(
        bottom,
        "most novel of all by prototypes, the first of each class, coloured by height",
        data,
        prototypes,
        most=True,
    )
    partial = path.with_name(path.name + ".partial")
    figure.savefig(partial, format="png", dpi=110)
    os.replace(partial, path)
    return path


def _histogram(axis: Any, result: MethodResult) -> None:
    sets = {"known": (result.known, BLUE), "novel 1": (result.novel1, ORANGE), "novel 2": (result.novel2, GREEN)}
    everything = np.concatenate([values for values, _ in sets.values()])
    bins = np.linspace(everything.min(), everything.max(), 31).tolist()
    for label, (values, colour) in sets.items():
        if len(values):
            axis.hist(values, bins, density=True, histtype="stepfilled", color=colour, alpha=0.35)
            title = f"{label} ({len(values)})"
            axis.hist(values, bins, density=True, histtype="step", color=colour, lw=1.5, label=title)
    threshold = np.quantile(result.known, 0.95)
    axis.axvline(threshold, color=GREY, ls="--", lw=1, label="keeps 95 % of known")
    axis.set(title=f"by {result.known_by}", xlabel=f"novelty ({result.score})", ylabel="density", yticks=[])
    axis.set_ylim(top=1.35 * axis.get_ylim()[1])  # room for the legend
    axis.legend(fontsize=8, loc="upper center", ncols=2)


def _roc(axis: Any, results: Sequence[MethodResult]) -> None:
    from sklearn.metrics import roc_curve

    for result, colour in zip(results, (BLUE, ORANGE, GREEN), strict=True):
        novel = np.concatenate([result.novel1, result.novel2])
        scores = -np.concatenate([result.known, novel])
        fpr, tpr, _ = roc_curve(np.arange(len(scores)) < len(result.known), scores)
        auroc = 100 * result.metrics["both"]["auroc"]
        axis.plot(fpr, tpr, color=colour, label=f"{result.known_by}: AUROC {auroc:.1f}")
        axis.plot(np.interp(0.95, tpr, fpr), 0.95, "o", color=colour, ms=5)
    axis.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=":")
    axis.set(title="known against all novel", xlabel="novel accepted", ylabel="known accepted", aspect="equal")
    axis.legend(fontsize=8, loc="lower right")


def _sheet(figure: Any, title: str, data: BenchmarkData, result: MethodResult, most: bool) -> None:
    """The test shapes at one end of the novelty scale, the first of each class, coloured by height."""
    novelty = np.concatenate([result.known, result.novel1, result.novel2])
    objects = _joined(data.test_known, data.novel1, data.novel2)
    order = np.argsort(-novelty if most else novelty, kind="stable")
    _, first = np.unique(objects.titles[order], return_index=True)
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(1, DRAWN, subplot_kw={"projection": "3d"}, squeeze=False)[0]
    for axis in axes:
        axis.set_axis_off()
    for axis, i in zip(axes, order[np.sort(first)], strict=False):
        side = "known" if i < len(result.known) else "novel"
        _cloud(axis, objects.clouds[i])
        axis.set_title(f"{objects.titles[i]} ({side})\n{novelty[i]:.2f}", fontsize=9)


def _joined(*parts: Objects) -> Objects:
    return Objects([c for p in parts for c in p.clouds], np.concatenate([p.titles for p in parts]))


def _cloud(axis: Any, cloud: np.ndarray) -> None:
    """A y-up cloud, coloured by height."""
    x, y, z = cloud[np.linspace(0, len(cloud) - 1, min(len(cloud), POINTS_DRAWN)).astype(int), :3].T
    axis.scatter(x, -z, y, c=y, s=2, cmap="viridis", depthshade=False, linewidths=0)
    axis.set_box_aspect([max(np.ptp(v), 1e-9) for v in (x, z, y)], zoom=1.25)
    axis.view_init(elev=18, azim=-60)

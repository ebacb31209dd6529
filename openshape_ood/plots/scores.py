"""Plots of the novelty of known and novel shapes (histogram, ROC curve), and of similarities to known classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.errors import InputError
from openshape_ood.novelty_map.colors import BLACK, BLUE, CLASSES, ORANGE
from openshape_ood.plots import canvas
from openshape_ood.plots.canvas import finite, finite_number

WIDE, SQUARE = (7.2, 4.2), (5.6, 5.6)  # inches
MOST_BINS, LEAST_BINS = 30, 8
KEPT = 0.95  # fraction of known shapes that FPR95 accepts
LINES = ("-", "--", "-.", ":")
MOST_NAMED = 40  # maximum rows, and maximum columns, with names
MOST_NUMBERED = 12  # maximum columns with numbers
LONGEST = 26  # maximum characters of a name
CELL = (0.62, 0.32)  # width and height in inches
UNNAMED = 6.0  # height in inches of all rows, if there are too many for names


def histogram(known: Any, novel: Any = None, *, threshold: Any = None, ax: canvas.Axes | None = None) -> canvas.Axes:
    """Draw a histogram of the novelty of known shapes and, if given, of novel shapes. Bars show percentages.

    Parameters
    ----------
    known, novel : array (m,), (n,)
        Novelty of each shape, or a `NoveltyResult`.
    threshold : float or Threshold, optional
        Shapes up to this novelty are accepted. The legend shows the accepted percentage of both sets.
    ax : matplotlib axes, optional

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> ax = histogram([0.1, 0.2, 0.2, 0.3], [0.3, 0.6], threshold=0.35)
    >>> [text.get_text() for text in ax.get_legend().get_texts()][-1]
    'threshold 0.3500: accepts\\n100 % of known, 50 % of novel'
    """
    sets = {"known": finite(known, "novelties of known shapes")}
    if novel is not None:
        sets["novel"] = finite(novel, "novelties of novel shapes")
    line = None if threshold is None else finite_number(threshold, "threshold")
    ax = canvas.axes_or_new(ax, WIDE)
    edges = bin_edges([*sets.values(), *([] if line is None else [np.array([line])])], min(map(len, sets.values())))
    for (name, values), color, dashes in zip(sets.items(), (BLUE, ORANGE), ("-", "--"), strict=False):
        label, weights = f"{name} ({len(values):,})", np.full(len(values), 100 / len(values))
        style: dict[str, Any] = {"bins": edges, "weights": weights, "color": color}
        ax.hist(values, histtype="stepfilled", alpha=0.25, **style)
        ax.hist(values, histtype="step", lw=2, ls=dashes, label=label, **style)
    if line is not None:
        shares = [f"{100 * float(np.mean(values <= line)):.3g} % of {name}" for name, values in sets.items()]
        label = f"threshold {canvas.number(line)}: accepts\n{', '.join(shares)}"
        ax.axvline(line, color=BLACK, lw=1.6, label=label)
    ax.set(xlabel="novelty", ylabel="per cent of the shapes")
    ax.spines[["top", "right"]].set_visible(False)
    canvas.legend(ax, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, fontsize=10, frameon=False)
    return ax


def bin_edges(sets: Sequence[np.ndarray], smallest: int) -> list[float]:
    """Bin edges that several sets of numbers (m,) share.

    smallest: size of the smallest set; small sets get fewer bins. If all numbers are equal, the range of the bins is
    widened.
    """
    values = np.concatenate(sets)
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9):
        half = 0.5 * max(abs(low), 1e-3)
        low, high = low - half, high + half
    bins = int(np.clip(3 * np.sqrt(smallest), LEAST_BINS, MOST_BINS))
    return np.linspace(low, high, bins + 1).tolist()


def roc(known: Any, novel: Any, *, ax: canvas.Axes | None = None, label: str | None = None) -> canvas.Axes:
    """Draw the ROC curve of known against novel shapes.

    Known shapes are the positive class, as in 3DOS. A dot marks FPR95: the fraction of accepted novel shapes at the
    threshold that accepts 95 % of the known shapes.

    Parameters
    ----------
    known, novel : array (m,), (n,)
        Novelty of each shape, or a `NoveltyResult`.
    ax : matplotlib axes, optional
        If these axes have a ROC curve, the new curve gets the next color.
    label : str, optional
        Label of the curve.

    Returns
    -------
    matplotlib axes

    Examples
    --------
    >>> ax = roc([0.1, 0.2, 0.3, 0.4], [0.35, 0.8])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['AUROC 87.5 %, FPR95 50.0 %']
    """
    known, novel = finite(known, "novelties of known shapes"), finite(novel, "novelties of novel shapes")
    ax = canvas.axes_or_new(ax, SQUARE)
    earlier = sum(line.get_gid() == "roc" for line in ax.lines)
    if not earlier:
        ax.axhline(KEPT, color=canvas.GREY, lw=0.9, ls="--")
        ax.text(0.99, KEPT - 0.012, "95 % of the known accepted", ha="right", va="top", fontsize=9, color=canvas.GREY)
        ax.plot([0, 1], [0, 1], color=canvas.GREY, lw=0.9, ls=":")
        ax.set(aspect="equal", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        ax.set(xlabel="share of novel accepted", ylabel="share of known accepted")
    color, dashes = CLASSES[earlier % len(CLASSES)], LINES[earlier // len(CLASSES) % len(LINES)]
    figures = ood_metrics(known, novel)
    text = f"AUROC {100 * figures['auroc']:.1f} %, FPR95 {100 * figures['fpr95']:.1f} %"
    text = f"{canvas.short(label, 30)}: {text}" if label is not None else text
    ax.plot(*curve(known, novel), dashes, color=color, lw=2, label=text, gid="roc")
    ax.plot(figures["fpr95"], KEPT, "o", color=color, ms=9, mec="white", mew=1.5, zorder=3)
    canvas.legend(ax, loc="lower right", fontsize=10)
    return ax


def curve(known: np.ndarray, novel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accepted fractions of novel shapes (t,) and of known shapes (t,) at t ascending thresholds.

    The thresholds are -inf and the distinct novelties of both sets.
    """
    thresholds = np.unique(np.concatenate([[-np.inf], known, novel]))
    fpr, tpr = (np.searchsorted(np.sort(values), thresholds, side="right") / len(values) for values in (novel, known))
    return fpr, tpr


def similarity(result: Any, *, ax: canvas.Axes | None = None) -> canvas.Axes:
    """Draw the similarities of a `NoveltyResult` as a heat map: one row per shape, one column per known class.

    A frame marks the nearest class. A row is labeled with the name and the novelty of the shape. Row labels and frames
    are drawn for at most 40 shapes, column labels for at most 40 classes, numbers for at most 40 shapes and 12 classes.

    Parameters
    ----------
    result : NoveltyResult
    ax : matplotlib axes, optional

    Returns
    -------
    matplotlib axes
    """
    values = _values(result)
    b, k = values.shape
    names = canvas.shorts((PurePath(shape).name for shape in result.shapes), LONGEST)
    rows = [f"{name} ({novelty:.3f})" for name, novelty in zip(names, result.novelty, strict=True)]
    columns = canvas.shorts(result.classes, LONGEST)
    # size in inches, with space for the longest names
    width = 0.085 * max(map(len, rows)) + CELL[0] * k + 1.6
    height = 0.07 * max(map(len, columns)) + (CELL[1] * b if b <= MOST_NAMED else UNNAMED) + 1.0
    ax = canvas.axes_or_new(ax, (float(np.clip(width, 6.0, 14.0)), max(height, 2.6)))
    image = ax.imshow(values, cmap="cividis", aspect="auto")
    if b <= MOST_NAMED:
        from matplotlib.patches import Rectangle

        class_columns = {str(name): i for i, name in enumerate(result.classes)}
        for row, name in enumerate(result.nearest):  # for some methods the nearest class is not the most similar
            if str(name) in class_columns:
                corner = (class_columns[str(name)] - 0.47, row - 0.45)
                ax.add_patch(Rectangle(corner, 0.94, 0.9, fill=False, edgecolor=ORANGE, lw=2.2))
        ax.set_yticks(range(b), rows, fontsize=10, **canvas.PLAIN)
    if b <= MOST_NAMED and k <= MOST_NUMBERED:
        middle = (values.min() + values.max()) / 2
        for (row, column), value in np.ndenumerate(values):
            style: dict[str, Any] = {"ha": "center", "va": "center", "color": "black" if value > middle else "white"}
            ax.text(column, row, f"{round(value, 2) + 0.0:.2f}", fontsize=9.5, **style)
    if k <= MOST_NAMED:
        aslant: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
        style = {"fontsize": 10, **canvas.PLAIN} | (aslant if max(map(len, columns)) > 6 else {})
        ax.set_xticks(range(k), columns, **style)
    ax.set_xlabel("known class (framed: nearest)" if b <= MOST_NAMED else "known class")
    ax.set_ylabel("shape (novelty)" if b <= MOST_NAMED else "shape")
    ax.tick_params(length=0)
    ax.figure.colorbar(image, ax=ax, label="cosine similarity", fraction=0.05, pad=0.03)
    return ax


def _values(result: Any) -> np.ndarray:
    needed = ("similarity", "novelty", "shapes", "classes", "nearest")
    if lacking := [name for name in needed if not hasattr(result, name)]:
        given = f"{type(result).__name__}, without {lacking[0]}"
        raise InputError(f"result is {given}. Expected a NoveltyResult. Give the result of score_novelty.")
    values = np.asarray(result.similarity, dtype=np.float64)
    expected = (len(result.shapes), len(result.classes))
    if values.shape != expected or not values.size or not len(result.novelty) == len(result.nearest) == expected[0]:
        given = f"similarity is {values.shape} for {expected[0]} shapes and {expected[1]} classes"
        raise InputError(f"{given}. Expected one row per shape, one column per class. Correct the result.")
    return values

"""Known accepted against novel accepted, at every threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.decisions.metrics import ood_metrics
from openshape_ood.novelty_map.colors import CLASSES
from openshape_ood.plots import canvas
from openshape_ood.plots.checks import finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (5.6, 5.6)  # inches
KEPT = 0.95
LINES = ("-", "--", "-.", ":")


def roc(known: Any, novel: Any, *, ax: Axes | None = None, label: str | None = None) -> Axes:
    """Draw the ROC curve of the novelty of known shapes (m,) against that of novel shapes (n,).

    A known shape is the positive class, as in 3DOS: the curve runs over the share of known ones accepted, and a dot
    marks the share of novel ones accepted where 95 % of the known are (FPR95).

    Parameters
    ----------
    known, novel : array (m,), (n,)
        A `NoveltyResult` will do.
    ax : matplotlib axes, optional
        Called again on the same axes, it adds a curve in the next color.
    label : str, optional
        Of the curve.

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
    ax = canvas.axes_or_new(ax, SIZE)
    earlier = sum(line.get_gid() == "roc" for line in ax.lines)
    if not earlier:
        _frame(ax)
    color, dashes = CLASSES[earlier % len(CLASSES)], LINES[earlier // len(CLASSES) % len(LINES)]
    figures = ood_metrics(known, novel)
    text = f"AUROC {100 * figures['auroc']:.1f} %, FPR95 {100 * figures['fpr95']:.1f} %"
    text = f"{canvas.short(label, 30)}: {text}" if label is not None else text
    ax.plot(*curve(known, novel), dashes, color=color, lw=2, label=text, gid="roc")
    ax.plot(figures["fpr95"], KEPT, "o", color=color, ms=9, mec="white", mew=1.5, zorder=3)
    canvas.legend(ax, loc="lower right", fontsize=10)
    return ax


def curve(known: np.ndarray, novel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of novel (t,), and of known (t,), accepted as the threshold rises through every value of either.

    >>> [share.tolist() for share in curve(np.array([0.1, 0.3]), np.array([0.2]))]
    [[0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0]]
    """
    thresholds = np.unique(np.concatenate([[-np.inf], known, novel]))
    fpr, tpr = (np.searchsorted(np.sort(values), thresholds, side="right") / len(values) for values in (novel, known))
    return fpr, tpr


def _frame(ax: Axes) -> None:
    ax.axhline(KEPT, color=canvas.GREY, lw=0.9, ls="--")
    ax.text(0.99, KEPT - 0.012, "95 % of the known accepted", ha="right", va="top", fontsize=9, color=canvas.GREY)
    ax.plot([0, 1], [0, 1], color=canvas.GREY, lw=0.9, ls=":")
    ax.set(aspect="equal", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ax.set(xlabel="share of novel accepted", ylabel="share of known accepted")

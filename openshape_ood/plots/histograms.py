"""How novel the known and the novel are, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from openshape_ood.novelty_map.colors import BLACK, BLUE, ORANGE
from openshape_ood.plots import canvas
from openshape_ood.plots.checks import finite, finite_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (7.2, 4.2)  # inches
MOST_BINS, LEAST_BINS = 30, 8


def histogram(known: Any, novel: Any = None, *, threshold: Any = None, ax: Axes | None = None) -> Axes:
    """Draw the novelty of known shapes (m,), and of novel shapes (n,) if given, each in per cent of its own number.

    Parameters
    ----------
    known, novel : array (m,), (n,)
        A `NoveltyResult` will do.
    threshold : float or Threshold, optional
        Up to which a shape is accepted; the legend says which share of either lies at or below.
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
    ax = canvas.axes_or_new(ax, SIZE)
    edges = bin_edges([*sets.values(), *([] if line is None else [np.array([line])])], min(map(len, sets.values())))
    for (name, values), color, dashes in zip(sets.items(), (BLUE, ORANGE), ("-", "--"), strict=False):
        label, weights = f"{name} ({len(values):,})", np.full(len(values), 100 / len(values))
        style: dict[str, Any] = {"bins": edges, "weights": weights, "color": color}
        ax.hist(values, histtype="stepfilled", alpha=0.25, **style)
        ax.hist(values, histtype="step", lw=2, ls=dashes, label=label, **style)
    if line is not None:
        ax.axvline(line, color=BLACK, lw=1.6, label=_threshold_label(line, sets))
    ax.set(xlabel="novelty", ylabel="per cent of the shapes")
    ax.spines[["top", "right"]].set_visible(False)
    canvas.legend(ax, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, fontsize=10, frameon=False)
    return ax


def bin_edges(sets: Sequence[np.ndarray], smallest: int) -> list[float]:
    """Edges that hold the values of all sets (m,), even where these are all the same; few where a set has few."""
    values = np.concatenate(sets)
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-9):
        half = 0.5 * max(abs(low), 1e-3)
        low, high = low - half, high + half
    bins = int(np.clip(3 * np.sqrt(smallest), LEAST_BINS, MOST_BINS))
    return np.linspace(low, high, bins + 1).tolist()


def _threshold_label(line: float, sets: dict[str, np.ndarray]) -> str:
    shares = [f"{100 * float(np.mean(values <= line)):.3g} % of {name}" for name, values in sets.items()]
    return f"threshold {canvas.number(line)}: accepts\n{', '.join(shares)}"

"""t-SNE map of embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

from openshape_ood.checks import array, check_seed, to_numpy
from openshape_ood.errors import InputError
from openshape_ood.novelty_map.colors import BLACK, CLASSES
from openshape_ood.plots import canvas
from openshape_ood.plots.canvas import names

SIZE = (7.2, 6.4)  # inches
SHOWN = 3000  # maximum embeddings drawn
NAMED = 40  # maximum classes with names; more names would hide the points
COMPONENTS = 50  # maximum principal components passed to t-SNE
COLORS = tuple(color for color in CLASSES if color != BLACK)  # black is reserved for novel shapes
MARKS = "osDPv"


def embeddings(
    embeddings: Any, labels: Any, *, known: Any = None, ax: canvas.Axes | None = None, seed: int = 0
) -> canvas.Axes:
    """Draw a t-SNE map of embeddings (b, d). Each class has a color, a mark and its name.

    Embeddings that are near each other are similar. Distances between groups and sizes of groups mean little. The same
    embeddings and seed give the same map.

    Parameters
    ----------
    embeddings : array (b, d)
        If b is more than 3,000, a random sample of 3,000 is drawn.
    labels : list of str, or array (b,)
        Class name of each embedding.
    known : list of str, or array (b,) of bool, optional
        Names of the known classes, or mask of the known shapes. All other shapes are drawn as hollow black triangles.
    ax : matplotlib axes, optional
    seed : int

    Returns
    -------
    matplotlib axes

    References
    ----------
    t-SNE of at most 50 principal components: van der Maaten and Hinton, JMLR 9, 2008.

    Examples
    --------
    >>> ax = embeddings(np.eye(4), ["chair", "chair", "sofa", "guitar"], known=["chair", "sofa"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['known, colored by class (3)', 'novel (1)']
    """
    z = array(embeddings, "embeddings", "nd").astype(np.float64)
    titles = names(labels, "labels", len(z))
    is_known = _mask(known, titles)
    chosen = np.sort(np.random.RandomState(check_seed(seed)).permutation(len(z))[:SHOWN])
    ax = canvas.axes_or_new(ax, SIZE)
    positions = plane(z[chosen], seed)
    _draw(ax, positions, titles[chosen], is_known[chosen], legend=known is not None)
    count = f"{len(chosen):,}" if len(chosen) == len(z) else f"{len(chosen):,} of {len(z):,}"
    ax.set(xticks=[], yticks=[])
    ax.set_xlabel(f"t-SNE of {count} embeddings: near is similar, far apart means little", fontsize=10)
    return ax


def plane(z: np.ndarray, seed: int = 0) -> np.ndarray:
    """Positions (b, 2) of embeddings (b, d) in the map. The same seed gives the same positions."""
    from sklearn.manifold import TSNE

    b = len(z)
    if b < 3:
        return np.array([[0.0, 0.0], [1.0, 0.0]])[:b]
    parts, perplexity = _components(z), min(30.0, (b - 1) / 3)
    # init="pca" divides by the spread of the first component; the spread is 0 if all embeddings are equal
    start = "pca" if parts.shape[1] > 1 and np.ptp(parts, axis=0).max() > 1e-6 else "random"
    return TSNE(perplexity=perplexity, init=start, random_state=seed, n_jobs=1).fit_transform(parts)


def _components(z: np.ndarray) -> np.ndarray:
    """Centered embeddings (b, d), reduced to 50 principal components if d is larger, because t-SNE is then faster."""
    centered = z - z.mean(axis=0)
    if z.shape[1] <= COMPONENTS:
        return centered
    rows = np.linalg.svd(centered, full_matrices=False)[2][:COMPONENTS]
    rows *= np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(axis=1)])[:, None]  # the sign of SVD is arbitrary
    return centered @ rows.T


def _mask(known: Any, titles: np.ndarray) -> np.ndarray:
    """Mask (b,) of the shapes of known classes; all True if `known` is None."""
    if known is None:
        return np.ones(len(titles), dtype=bool)
    given = np.asarray(to_numpy(known))
    if given.dtype == bool:
        if given.shape != titles.shape:
            raise InputError(
                f"known is a mask {given.shape} for {len(titles)} embeddings. Expected one value each. Give names."
            )
        return given
    return np.isin(titles, names(known, "known classes"))


def _draw(ax: canvas.Axes, positions: np.ndarray, titles: np.ndarray, is_known: np.ndarray, legend: bool) -> None:
    named = len(np.unique(titles)) <= NAMED
    for i, name in enumerate(np.unique(titles[is_known]).tolist()):
        x, y = positions[is_known & (titles == name)].T
        color, mark = COLORS[i % len(COLORS)], MARKS[i // len(COLORS) % len(MARKS)]
        ax.scatter(x, y, color=color, s=38, marker=mark, linewidths=0.6, edgecolors="white")
        if named:
            _name(ax, name, np.stack([x, y], axis=1), color=color, fontweight="bold")
    x, y = positions[~is_known].T
    ax.scatter(x, y, s=34, marker="^", linewidths=1.1, facecolors="none", edgecolors=BLACK)
    for name in np.unique(titles[~is_known]).tolist() if named else []:
        _name(ax, name, positions[~is_known & (titles == name)], color=BLACK, fontstyle="italic")
    if legend:
        known = {"label": f"known, colored by class ({is_known.sum():,})", "color": canvas.GREY, "marker": "o"}
        novel = {"label": f"novel ({(~is_known).sum():,})", "color": BLACK, "marker": "^", "mfc": "none"}
        above: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, 1.08), "ncols": 2, "frameon": False}
        canvas.legend(ax, [known | {"ms": 7}, novel | {"ms": 7}], fontsize=10, **above)
    ax.margins(0.08)


def _name(ax: canvas.Axes, name: str, positions: np.ndarray, **style: Any) -> None:
    """Write a class name above the medoid of its positions (m, 2). The mean may be far from all points."""
    from matplotlib import patheffects
    from scipy.spatial.distance import cdist

    medoid = positions[cdist(positions, positions).sum(axis=1).argmin()]
    outline = [patheffects.withStroke(linewidth=3.0, foreground="white")]
    style |= {"ha": "center", "va": "bottom", "fontsize": 11.5, "path_effects": outline}
    ax.annotate(canvas.short(name, 24), medoid, (0, 6), textcoords="offset points", **style, **canvas.PLAIN)

"""The embeddings of a run, laid out in the plane by t-SNE."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report.pictures import canvas
from benchmarks.threedos.results import Finished

SHOWN = 2000
PERPLEXITY = 30.0
NOVEL_NAMED = 15  # with more novel classes, their names would hide the points
MARKS = {"novel1": ("^", canvas.BLACK), "novel2": ("x", canvas.GREY)}


def draw(path: Path, finished: Finished) -> Path:
    """Support light, known ones filled, both colored by class; novel ones as triangles and crosses."""
    parts = ("support", *canvas.TEST_SETS)
    rows = choose({part: len(finished.embeddings.get(part, ())) for part in parts}, SHOWN)
    chosen = np.concatenate([finished.embeddings[part][own] for part, own in rows.items()])
    at = np.split(plane(chosen), np.cumsum([len(own) for own in rows.values()])[:-1])
    placed = dict(zip(rows, at, strict=True))
    titles = {part: finished.data.sets[part].titles[own] for part, own in rows.items()}

    def fill(figure: Any) -> None:
        canvas.title(figure, finished, f"Embeddings by t-SNE, {len(chosen):,} shapes")
        axis = figure.subplots()
        _points(axis, finished, placed, titles)
        _labels(axis, finished, placed, titles)
        axis.set(xticks=[], yticks=[])
        axis.legend(loc="best", fontsize=9)

    return canvas.save(path, (11, 9), fill)


def choose(sizes: Mapping[str, int], most: int) -> dict[str, np.ndarray]:
    """Rows of each set that is not empty, in order: `most` in all, the same number of each as far as it has them."""
    rng = np.random.default_rng(0)
    rows: dict[str, np.ndarray] = {}
    for left, (part, size) in enumerate(sorted(sizes.items(), key=lambda item: item[1]), start=-len(sizes)):
        share = min(size, (most - sum(map(len, rows.values()))) // -left)
        rows[part] = np.sort(rng.choice(size, share, replace=False)) if share else np.empty(0, dtype=int)
    return {part: rows[part] for part in sizes if len(rows[part])}


def plane(z: np.ndarray) -> np.ndarray:
    """Embeddings (b, d) -> places (b, 2); the same for the same embeddings."""
    from sklearn.manifold import TSNE

    b, d = z.shape
    if b < 3:
        return np.array([[0.0, 0.0], [1.0, 0.0]])[:b]
    # scikit-learn divides the principal components by their spread, which is none where all shapes are the same
    start = "pca" if d > 1 and np.ptp(z, axis=0).max() > 1e-6 else "random"
    perplexity = min(PERPLEXITY, (b - 1) / 3)
    return TSNE(perplexity=perplexity, init=start, random_state=0, n_jobs=1).fit_transform(z.astype(np.float64))


def _points(axis: Any, finished: Finished, placed: Mapping[str, np.ndarray], titles: Mapping[str, np.ndarray]) -> None:
    colors = _colors(finished)
    styles: dict[str, dict[str, Any]] = {
        "support": {"s": 14, "alpha": 0.3, "linewidths": 0, "marker": "o"},
        "known": {"s": 34, "linewidths": 0.5, "edgecolors": "white", "marker": "o"},
    }
    for part, style in styles.items():
        if part in placed:
            own = [colors[title] for title in titles[part].tolist()]
            axis.scatter(*placed[part].T, c=own, **style)
            label = f"{part} ({len(own):,}), colored by class"
            axis.scatter([], [], color=canvas.GREY, label=label, **style)
    for part, (marker, color) in MARKS.items():
        if part in placed:
            label = f"{canvas.SET_NAMES[part]} ({len(placed[part]):,})"
            axis.scatter(
                *placed[part].T, s=24, marker=marker, linewidths=1, alpha=0.8, label=label, **_mark(marker, color)
            )


def _mark(marker: str, color: str) -> dict[str, Any]:
    return {"c": color} if marker == "x" else {"facecolors": "none", "edgecolors": color}


def _labels(axis: Any, finished: Finished, placed: Mapping[str, np.ndarray], titles: Mapping[str, np.ndarray]) -> None:
    """Class names at the medians of their tested shapes, those of known classes of support shapes if need be."""
    from matplotlib import patheffects

    outline = [patheffects.withStroke(linewidth=3, foreground="white")]
    for title, color in _colors(finished).items():
        for part in ("known", "support"):
            if part in placed and (titles[part] == title).any():
                x, y = np.median(placed[part][titles[part] == title], axis=0)
                style = {"color": color, "fontsize": 11, "fontweight": "bold"}
                axis.text(x, y, canvas.short(title, 24), ha="center", va="center", path_effects=outline, **style)
                break
    for part in MARKS:
        names = np.unique(titles[part]).tolist() if part in placed else []
        for title in names if len(finished.data.novel1.counts() | finished.data.novel2.counts()) <= NOVEL_NAMED else []:
            x, y = np.median(placed[part][titles[part] == title], axis=0)
            style = {"color": MARKS[part][1], "fontsize": 9, "fontstyle": "italic"}
            axis.text(x, y, canvas.short(title, 24), ha="center", va="center", path_effects=outline, **style)


def _colors(finished: Finished) -> dict[str, str]:
    return {c.title: canvas.CYCLE[i % (len(canvas.CYCLE) - 1)] for i, c in enumerate(finished.data.known)}

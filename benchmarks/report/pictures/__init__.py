"""The pictures of one benchmark run, each a module: `draw(path, finished) -> path`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.report.pictures import confusion, embeddings, histograms, overview, roc
from benchmarks.threedos.results import Finished

PICTURES = {
    "Overview": ("overview.png", overview.draw),
    "Histograms": ("histograms.png", histograms.draw),
    "ROC curves": ("roc.png", roc.draw),
    "What novel shapes are taken for": ("confusion.png", confusion.draw),
    "Embeddings": ("embeddings.png", embeddings.draw),
}


def draw_all(folder: Path, finished: Finished) -> dict[str, Path]:
    """Write every picture into `folder`, made if need be; title -> path.

    Raises `MissingPackageError` without matplotlib.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return {title: draw(folder / name, finished) for title, (name, draw) in PICTURES.items()}

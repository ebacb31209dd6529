"""Novelty maps of a shape with a planted part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from openshape_ood import ShapeEncoder
    from openshape_ood.known import KnownClasses

KNOWN = ("chair", "sofa", "table")
# host, donor, and fraction of the host's height that is kept; 1: the donor is put on top of the whole host
PLANTED = (
    ("chair", "guitar", 0.55),
    ("chair", "plant", 0.55),
    ("sofa", "lamp", 0.55),
    ("sofa", "guitar", 1.0),
    ("table", "plant", 1.0),
    ("table", "lamp", 1.0),
)
EXAMPLES = 10_000  # first seed of test shapes; example shapes have smaller seeds
DRAWN = 6000  # points of a shape
SHOWN = 40  # example shapes per class
CHAIR, CHAIR_SEED = "parsons", 101  # cutting off the back of this chair leaves seat and legs intact


def example_shapes(encoder: ShapeEncoder) -> KnownClasses:
    """Known classes of the picture, from examples."""
    from openshape_ood.known import KnownClasses
    from openshape_ood.synthetic import sample

    return KnownClasses.from_examples(
        {name: [sample(name, 2048, s) for s in range(SHOWN)] for name in KNOWN}, encoder, up="y", patches="local"
    )


def draw_chair(path: Path, encoder: ShapeEncoder) -> Path:
    """Draw novelty maps of a chair and of the same chair with a guitar as its back; known: chairs, sofas, tables."""
    from openshape_ood import plots
    from openshape_ood.novelty_map import localize
    from openshape_ood.synthetic import generate, sample
    from openshape_ood.synthetic.planted import plant

    known, plain = example_shapes(encoder), sample(generate("chair", CHAIR_SEED, CHAIR), DRAWN, CHAIR_SEED)
    shape = plant("chair", "guitar", DRAWN, CHAIR_SEED, 0.52, CHAIR, "acoustic")
    figure, axes = plots.panels(1, 3, size=(9, 4.2))
    titles = ("a chair", "with a guitar for a back", "the foreign part")
    for axis, title, cloud in zip(axes.flat, titles, (plain, shape.cloud), strict=False):
        result = localize(cloud, known, encoder=encoder, up="y")
        plots.novelty_map(result, ax=axis)
        above = float(np.mean(result.is_novel))
        axis.set_title(f"{title}\n{100 * above:.0f} % of the points found novel", fontsize=11)
    plots.cloud(shape.cloud, "novelty", shape.foreign.astype(float), ax=axes.flat[2], low=0, high=1, legend=False)
    axes.flat[2].set_title(f"{titles[2]}\n{100 * shape.foreign.mean():.0f} % of the points", fontsize=11)
    return plots.save(figure, path)

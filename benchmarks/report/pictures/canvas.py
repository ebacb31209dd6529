"""What all pictures share: a canvas without a display, colors, a cloud seen from in front, careful writing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.threedos.results import Finished, MethodResult, Scored
from openshape_ood.errors import MissingPackageError
from openshape_ood.novelty_map.colors import AMBER, BLACK, BLUE, CLASSES, GREEN, ORANGE, PURPLE, SKY
from openshape_ood.plots import clouds
from openshape_ood.plots.canvas import GREY, new_figure, number, short
from openshape_ood.plots.files import DPI, rendered
from openshape_ood.plots.point_colors import viridis
from openshape_ood.plots.view import thinned as thinned_rows
from openshape_ood.plots.view import view
from openshape_ood.storage import save_whole

__all__ = ["AMBER", "BLACK", "BLUE", "GREEN", "GREY", "ORANGE", "PURPLE", "SKY", "number", "short", "view"]

CYCLE = CLASSES
SET_COLORS = {"known": BLUE, "novel1": ORANGE, "novel2": GREEN, "validation": BLACK}
SET_NAMES = {
    "known": "known",
    "novel1": "novel 1",
    "novel2": "novel 2",
    "both": "all novel",
    "validation": "validation",
}
TEST_SETS = ("known", "novel1", "novel2")
POINTS_DRAWN = 1200
KEPT = 0.95


def save(path: Path, size: tuple[float, float], fill: Callable[[Any], None], dpi: int = DPI) -> Path:
    """A PNG of `size` inches, filled by `fill(figure)`: whole under its name, or not at all."""
    return save_whole(path, png(size, fill, dpi), "the picture")


def png(
    size: tuple[float, float],
    fill: Callable[[Any], None],
    dpi: int = DPI,
    layout: Literal["constrained"] | None = "constrained",
) -> bytes:
    try:
        figure = new_figure(size, layout)
    except MissingPackageError as error:
        raise MissingPackageError("pictures need matplotlib: pip install -e '.[benchmarks]'") from error
    from matplotlib import rc_context

    # names come from data sets: a dollar sign in one starts no formula
    with rc_context({"text.parse_math": False}):
        fill(figure)
        return rendered(figure, "png", dpi)


def write(path: Path, content: bytes) -> None:
    save_whole(path, content, "the page")


def title(figure: Any, finished: Finished, what: str, seed: str = "") -> None:
    """The picture's title, and under it which run and which seed it shows: the first, unless `seed` says more."""
    figure.suptitle(f"{what}\n{subtitle(finished, seed)}", fontsize=11)


def subtitle(finished: Finished, seed: str = "") -> str:
    run = f"{finished.split.title} · {finished.model} · {finished.protocol} protocol"
    return f"{run} · {seed or first_of(finished.seeds)}\n{finished.data.source}"


def first_of(seeds: Sequence[int]) -> str:
    return f"seed {seeds[0]}" + (f" of {', '.join(map(str, seeds))}" if len(seeds) > 1 else "")


def mean_of(seeds: Sequence[int]) -> str:
    return f"mean over seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else f"seed {seeds[0]}"


def first_seed(result: MethodResult) -> dict[str, Scored]:
    """What a method said under the first seed, which is the one that is drawn; sets without shapes left out."""
    return {part: scored for part, scored in result.scored[0].items() if len(scored.novelty)}


def limit(result: MethodResult) -> tuple[float, str] | None:
    """The novelty up to which a shape is accepted as known, and what it keeps.

    Both of the first seed: that of the validation shapes; without any, that of the known test shapes; None without
    either.
    """
    if result.threshold is not None:
        return result.threshold, "95 % of validation"
    known = first_seed(result).get("known")
    return (float(np.quantile(known.novelty, KEPT)), "95 % of the known tested") if known else None


def grid(figure: Any, count: int, columns: int, **options: Any) -> list[Any]:
    """`count` axes, `columns` to a row; those left over are hidden."""
    rows = -(-count // columns)
    axes = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
    for axis in axes[count:]:
        axis.set_axis_off()
    return axes[:count]


def thinned(cloud: np.ndarray, points: int) -> np.ndarray:
    """At most `points` points (p, 3) of a cloud (n, 3 or more), evenly out of its order."""
    return cloud[thinned_rows(len(cloud), points), :3]


def draw_cloud(axis: Any, cloud: np.ndarray, size: float = 2.0, points: int = POINTS_DRAWN) -> None:
    """A y-up cloud as seen from in front, a little from the right and from above, colored by height."""
    shown = thinned(cloud, points)
    clouds.draw(axis, shown, viridis(shown[:, 1].astype(np.float64)), size=size, edges=False)

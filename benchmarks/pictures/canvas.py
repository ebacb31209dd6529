"""What all pictures share: a canvas without a display, colours, a cloud seen from in front, careful writing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.results import Finished, MethodResult, Scored
from openshape_ood.errors import MissingPackageError

# Okabe and Ito's colours, which the colour-blind can tell apart; their yellow is too faint on white
BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BLACK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, BLACK)
GREY = "#666666"
SET_COLOURS = {"known": BLUE, "novel1": ORANGE, "novel2": GREEN, "validation": BLACK}
SET_NAMES = {
    "known": "known",
    "novel1": "novel 1",
    "novel2": "novel 2",
    "both": "all novel",
    "validation": "validation",
}
TEST_SETS = ("known", "novel1", "novel2")
DPI = 110
POINTS_DRAWN = 1200
KEPT = 0.95


def save(path: Path, size: tuple[float, float], fill: Callable[[Any], None], dpi: int = DPI) -> Path:
    """A PNG of `size` inches, filled by `fill(figure)`: whole under its name, or not at all."""
    write(path, png(size, fill, dpi))
    return path


def png(
    size: tuple[float, float],
    fill: Callable[[Any], None],
    dpi: int = DPI,
    layout: Literal["constrained"] | None = "constrained",
) -> bytes:
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingPackageError("pictures need matplotlib: pip install -e '.[benchmarks]'") from error
    # names come from data sets: a dollar sign in one starts no formula
    with matplotlib.rc_context({"text.parse_math": False}):
        figure = Figure(figsize=size, layout=layout)
        FigureCanvasAgg(figure)
        fill(figure)
        file = BytesIO()
        figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue()


def write(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)


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


def short(text: str, length: int) -> str:
    """At most `length` characters, those left out in the middle; what no font can draw becomes "?"."""
    drawable = "".join(c if c.isascii() and c.isprintable() else "?" for c in text)
    if len(drawable) <= length:
        return drawable
    tail = (length - 1) // 2
    return f"{drawable[: length - 1 - tail]}…{drawable[len(drawable) - tail :]}"


def number(value: float) -> str:
    """A novelty or a threshold as people read it."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e4 else f"{value:.3e}"


def thinned(cloud: np.ndarray, points: int) -> np.ndarray:
    """At most `points` points (p, 3) of a cloud (n, 3 or more), evenly out of its order."""
    return cloud[np.linspace(0, len(cloud) - 1, min(len(cloud), points)).astype(int), :3]


def draw_cloud(axis: Any, cloud: np.ndarray, size: float = 2.0, points: int = POINTS_DRAWN) -> None:
    """A y-up cloud as seen from in front, a little from the right and from above, coloured by height."""
    across, up, near, height = view(thinned(cloud, points))
    order = np.argsort(near, kind="stable")  # the nearest are drawn last
    axis.scatter(across[order], up[order], c=height[order], s=size, cmap="viridis", linewidths=0)
    axis.set_axis_off()
    axis.set_aspect("equal")
    half = 0.53 * max(np.ptp(across), np.ptp(up), 1e-9)
    axis.set_xlim(*(np.mean([across.min(), across.max()]) + half * np.array([-1, 1])))
    axis.set_ylim(*(np.mean([up.min(), up.max()]) + half * np.array([-1, 1])))


def view(cloud: np.ndarray, turn: float = 30.0, tilt: float = 20.0) -> tuple[np.ndarray, ...]:
    """Where the points of a y-up cloud (p, 3) lie in the picture: across, up, towards the eye; and their height."""
    x, y, z = cloud.T.astype(np.float64)
    a, b = np.deg2rad(turn), np.deg2rad(tilt)
    across, near = np.cos(a) * x - np.sin(a) * z, np.sin(a) * x + np.cos(a) * z
    return across, np.cos(b) * y - np.sin(b) * near, np.sin(b) * y + np.cos(b) * near, y
